"""A dataset, or other texts, through an encoder by way of its store: nothing is encoded twice."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from cliper.data.dataset import Dataset
from cliper.encoders.assembled import assemble, load_assembled
from cliper.encoders.base import Encodings
from cliper.encoders.catalogue_encoder import CatalogueEncoder, encode_frozen
from cliper.encoders.content import GRAPHS, Content
from cliper.encoders.encode_fill import fill_texts
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.registry import check_settings, open_encoder
from cliper.encoders.rows import DualRows, StoredRows
from cliper.encoders.settings import EncoderSettings
from cliper.encoders.store import text_keys
from cliper.encoders.unimodal import Unimodal
from cliper.errors import InputError
from cliper.types import BoolArray, FloatArray
from cliper.views import RenderedViews

OnReport = Callable[[EncodeReport], None]
First = Callable[[Content, EncoderSettings], None]


def encode_dataset(
    dataset: Dataset,
    views: RenderedViews,
    settings: EncoderSettings | None = None,
    *,
    fit_on: BoolArray | None = None,
    first: First | None = None,
    on_report: OnReport | None = None,
) -> Encodings:
    """Every view and picture of a dataset in an encoder's space, memory-mapped.

    What the dataset's store holds already is reused, whatever item or template it came from;
    interrupted work resumes after its last chunk. A picture that cannot be used is counted in
    the report and its item is treated as one without.

    Args:
        dataset: with a catalogue and a directory.
        views: the rendered views, item by item in the catalogue's order.
        settings: of the encoder; `embedded` by default.
        fit_on: bool (N,), the items that an adaptation with `fit_on: train` may see.
        first: fills the store by other means; what it leaves is encoded here.
        on_report: called once with what was done.

    Raises:
        InputError: no catalogue, no directory, an unknown encoder, weights that are not there,
            a setting without an effect, `fit_on` without a use for it.
        MismatchError: the views are another catalogue's.
    """
    started = perf_counter()
    settings = settings or EncoderSettings()
    check_settings(settings)
    _check_fit_on(settings, fit_on)
    content = Content.of(dataset, views.names, views.texts)
    report = EncodeReport(settings.name)
    report.fail("no such file", content.gone)
    if settings.graphs is None:
        settings = settings.model_copy(update={"graphs": content.root / GRAPHS})
    if first is not None:
        first(content, settings)
    encoder = open_encoder(settings)
    if isinstance(encoder, CatalogueEncoder):
        space = encoder.encode(content, report, fit_on)
    else:
        space = encode_frozen(encoder, content, report)
    folder = assemble(space, report)
    report.seconds = perf_counter() - started
    if on_report is not None:
        on_report(report)
    # Found by content, row by row: items that were only renamed find the same folder.
    return replace(load_assembled(folder), items_hash=dataset.items.hash)


def _check_fit_on(settings: EncoderSettings, fit_on: BoolArray | None) -> None:
    """Refuse, before anything costly is done, a fit on training items without a split."""
    wanted = settings.adapt is not None and settings.adapt.fit_on == "train"
    if wanted != (fit_on is not None):
        raise InputError(
            "'train' needs a split, and has none here" if wanted else "is not 'train'",
            where="encoder.adapt.fit_on",
            remedy="leave it out, or set it for 'train', 'compare' or 'run'",
        )


def encode_texts(
    root: Path, texts: Sequence[str | None], settings: EncoderSettings, *, vanilla: bool = False
) -> FloatArray:
    """Rows (n, D) of n texts that are no items' (users' profiles), zero where there is none.

    Args:
        root: the store.
        texts: of any number.
        settings: the encoder, whose text tower is used as it is before any fit.
        vanilla: through the packaged sentence encoder instead.
    """
    rows = Unimodal(root, settings) if vanilla else open_rows(root, settings)
    keys, report = text_keys(texts), EncodeReport(settings.name)
    fill_texts(rows.text_rows, keys, lambda i: texts[i] or "", rows.encode_text, report)
    return rows.text_rows.read(keys)


def open_rows(root: Path, settings: EncoderSettings) -> StoredRows:
    """What an encoder computes without having seen the catalogue, and its stores.

    Raises:
        InputError: an unknown encoder, weights that are not there, one that is fitted first.
    """
    encoder = open_encoder(settings)
    if isinstance(encoder, CatalogueEncoder):
        return encoder.rows(root)
    return DualRows(root, encoder)
