"""Array aliases and the words of the house.

An *id* is an outside name (a string); an *index* is an inside integer. `M` users, `N` items,
`C` views, `D` the width of an encoder, `d` the embedding size of a backbone.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IndexArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
JsonObject = dict[str, Any]
