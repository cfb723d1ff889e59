"""Texts that are no items' (users' profiles) through an encoder, by way of the dataset's store."""

from collections.abc import Sequence
from pathlib import Path

from cliper.encoders.catalogue_encoder import CatalogueEncoder
from cliper.encoders.encode_fill import fill_texts
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.registry import open_encoder
from cliper.encoders.rows import DualRows, StoredRows
from cliper.encoders.settings import EncoderSettings
from cliper.encoders.store import text_keys
from cliper.encoders.unimodal import Unimodal
from cliper.types import FloatArray


def encode_texts(
    root: Path, texts: Sequence[str | None], settings: EncoderSettings, *, vanilla: bool = False
) -> FloatArray:
    """Rows (n, D) of n texts, zero where there is none; what the store holds is reused.

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
