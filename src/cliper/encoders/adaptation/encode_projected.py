"""A dataset through an encoder and its projection: fitted once, kept beside the report."""

from hashlib import sha256
from pathlib import Path

from cliper.encoders.adaptation.adapt import choose, fit_projection
from cliper.encoders.adaptation.config import ProjectionAdaptation, adapted_name
from cliper.encoders.adaptation.content import Content, adaptation_folder
from cliper.encoders.adaptation.projection import Projection
from cliper.encoders.adaptation.report import AdaptationReport
from cliper.encoders.assembled import assemble, load_assembled
from cliper.encoders.base import DualEncoder
from cliper.encoders.encode_content import about_encodings, encoder_folder
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.store import RowStore
from cliper.types import BoolArray

PROJECTION_FILE = "projection.safetensors"


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
        about_encodings(
            report.encoder,
            digest,
            key,
            items_hash,
            content.names,
            report,
            getattr(encoder, "source", None),
        ),
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


def _digest(encoder: DualEncoder, projection: Projection) -> str:
    return sha256(f"{encoder.hash}; {projection.hash}".encode()).hexdigest()
