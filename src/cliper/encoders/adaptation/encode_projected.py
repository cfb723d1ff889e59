"""A dataset through an encoder and its projection: fitted once, kept beside the report."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from cliper.encoders.adaptation.adapt import RECIPE, choose, fit_projection
from cliper.encoders.adaptation.config import (
    AdaptationConfig,
    ProjectionAdaptation,
    adapted_name,
)
from cliper.encoders.adaptation.projection import Projection
from cliper.encoders.adaptation.report import AdaptationReport
from cliper.encoders.assembled import assemble, load_assembled
from cliper.encoders.base import DualEncoder
from cliper.encoders.encode_content import about_encodings, encoder_folder, encodings_key
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.store import ABSENT, KEY, KeyArray, RowStore
from cliper.errors import InputError
from cliper.types import BoolArray, IndexArray

PROJECTION_FILE = "projection.safetensors"


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


def encode_projected(
    encoder: DualEncoder,
    root: Path,
    items_hash: str,
    content: Content,
    config: ProjectionAdaptation,
    report: EncodeReport,
    *,
    device: str,
    fit_on: BoolArray | None = None,
) -> Path:
    """Fit a projection unless it is stored, assemble the projected rows; returns their folder.

    Args:
        encoder: whose rows `encode_dual` has stored.
        root: the store.
        items_hash: of the item vocabulary.
        content: of the dataset.
        config: how to train.
        report: gets the retrieval before and after.
        device: where to train.
        fit_on: bool (N,), items that the fit may see; all if None.
    """
    rows_folder = encoder_folder(root, encoder.name, encoder.hash)
    base_key = content.key(encoder.hash)
    folder = adaptation_folder(root, encoder.name, base_key, config, fit_on)
    path = folder / PROJECTION_FILE
    if path.is_file():
        projection, adaptation = Projection.load(path), AdaptationReport.load(folder)
    else:
        base = load_assembled(rows_folder / base_key[:16])
        chosen = choose(base.text_present, base.image_present, config, fit_on)
        groups = content.groups(chosen.rows)
        projection, adaptation = fit_projection(base, chosen, *groups, config, device=device)
        adaptation.write(folder)
        projection.save(path)  # last: where it is, the report is
    report.adaptation, report.adaptation_folder = adaptation, folder
    report.encoder = adapted_name(encoder.name, config.kind)
    digest = _digest(encoder, projection)
    key = content.key(digest)
    text_store = RowStore(rows_folder / "text", encoder.width)
    image_store = RowStore(rows_folder / "image", encoder.width)
    assemble(
        folder / key[:16],
        (text_store, content.texts, projection.project_text),
        (image_store, content.image, projection.project_image),
        encoder.width,
        about_encodings(report.encoder, key, items_hash, content.names, report),
    )
    return folder / key[:16]


def find_projected(
    root: Path,
    encoder: DualEncoder,
    content: Content,
    config: ProjectionAdaptation,
    fit_on: BoolArray | None = None,
) -> Path:
    """Where `encode_projected` put exactly this content; a folder that is not there if nowhere."""
    folder = adaptation_folder(root, encoder.name, content.key(encoder.hash), config, fit_on)
    if not (folder / PROJECTION_FILE).is_file():
        return folder / "none"
    projection = Projection.load(folder / PROJECTION_FILE)
    return folder / content.key(_digest(encoder, projection))[:16]


def adaptation_folder(
    root: Path,
    encoder: str,
    base_key: str,
    config: AdaptationConfig,
    fit_on: BoolArray | None,
) -> Path:
    """Named by all that decides a fit: encoder, content, settings, recipe, seed, who was seen.

    Raises:
        InputError: `config.fit_on` and `fit_on` do not go together.
    """
    if (config.fit_on == "train") != (fit_on is not None):
        raise InputError(
            "'train' needs a split, and has none here",
            where="encoder.adapt.fit_on",
            remedy="leave it out, or set it for 'train', 'compare' or 'run'",
        )
    digest = sha256(f"{RECIPE}; {config.model_dump_json()}; {base_key}".encode())
    if fit_on is not None:
        digest.update(np.packbits(fit_on).tobytes())
    return encoder_folder(root, adapted_name(encoder, config.kind), digest.hexdigest())


def usable_image(image: KeyArray, present: BoolArray) -> KeyArray:
    """Image keys (N,) with those of useless pictures emptied."""
    return np.where(present, image, ABSENT).astype(KEY)


def _digest(encoder: DualEncoder, projection: Projection) -> str:
    return sha256(f"{encoder.hash}; {projection.hash}".encode()).hexdigest()
