"""Texts that are no items' (users' profiles) through an encoder, by way of the dataset's store."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cliper.encoders.encode_content import text_lookup
from cliper.encoders.encode_dual import DualRows
from cliper.encoders.encode_fill import fill_texts
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.registry import create_encoder
from cliper.encoders.store import text_keys
from cliper.encoders.unimodal import Unimodal
from cliper.types import FloatArray


def encode_texts(
    root: Path, texts: Sequence[str | None], encoder: str | None = None, **how: Any
) -> FloatArray:
    """Rows (n, D) of n texts, zero where there is none; what the store holds is reused.

    Args:
        root: the store.
        texts: of any number.
        encoder: a dual encoder, whose text tower is used; None or `embedded` for the packaged
            sentence encoder.
        how: what `create_encoder` takes; of it `device`, `dtype` and `batch_size` for the packaged.
    """
    report = EncodeReport(encoder or "vanilla")
    rows: DualRows | Unimodal
    if encoder in (None, "embedded"):
        rows = Unimodal(root, **{k: how[k] for k in ("device", "dtype", "batch_size") if k in how})
    else:
        rows = DualRows(root, create_encoder(encoder, **how))
    keys = text_keys(texts)
    fill_texts(rows.text_rows, keys, text_lookup([texts]), rows.encode_text, report)
    return rows.text_rows.read(keys)
