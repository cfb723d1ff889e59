"""What an adaptation is of: a dataset's content, and the folder that is named by it."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from cliper.encoders.adaptation.adapt import RECIPE
from cliper.encoders.adaptation.config import AdaptationConfig, adapted_name
from cliper.encoders.encode_content import encoder_folder, encodings_key
from cliper.encoders.store import KeyArray
from cliper.types import BoolArray, IndexArray


@dataclass(frozen=True, eq=False)
class Content:
    """What a dataset's encodings are made of, by content.

    Attributes:
        names: the C views.
        texts: keys (C, N).
        image: keys (N,), empty where there is no picture or one that cannot be used.
    """

    names: tuple[str, ...]
    texts: KeyArray
    image: KeyArray

    def key(self, digest: str) -> str:
        """The key of this content in an encoder's space."""
        return encodings_key(digest, self.names, self.texts, self.image)

    def groups(self, rows: IndexArray) -> tuple[IndexArray, IndexArray]:
        """Numbers (C, n) and (n,) of the items at `rows` (n,): equal where content is."""
        texts = np.unique(self.texts[:, rows], return_inverse=True)[1]
        pictures = np.unique(self.image[rows], return_inverse=True)[1]
        return texts.reshape(len(self.texts), len(rows)), pictures


def adaptation_folder(
    root: Path,
    encoder: str,
    base_key: str,
    config: AdaptationConfig,
    fit_on: BoolArray | None,
) -> Path:
    """Named by all that decides a fit: encoder, content, settings, recipe, seed, who was seen."""
    digest = sha256(f"{RECIPE}; {config.model_dump_json()}; {base_key}".encode())
    if fit_on is not None:
        digest.update(np.packbits(fit_on).tobytes())
    return encoder_folder(root, adapted_name(encoder, config.kind), digest.hexdigest())
