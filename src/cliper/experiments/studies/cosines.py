"""Every view's similarity with its item's picture, as Eq. 2 sees it."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from cliper.experiments.adaptation import with_figure
from cliper.experiments.studies.plan import Setting
from cliper.representation.from_encodings import as_tensor
from cliper.representation.represent import encodings_of
from cliper.representation.similarity import cosine


@lru_cache(maxsize=1)
def view_cosines(setting: Setting) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Cosines (N, C) of the study's views with the images, and which of them exist (N, C).

    One exists where the item has a picture and the view.
    """
    config = setting.config(setting.cliper("all"), setting.seeds[0])
    encodings = encodings_of(setting.dataset, config.representation, with_figure())
    values = cosine(as_tensor(encodings.text), as_tensor(encodings.image)).numpy()
    known = encodings.text_present.T & encodings.image_present[:, None]
    return np.where(known, values, 0).astype(np.float32), known
