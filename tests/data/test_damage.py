"""Random damage to valid files: a dataset or one line comes out, never another exception."""

import io
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from writers import FORMATS, write_rows

from cliper.data import prepare_files
from cliper.data.pictures import PictureError, check_picture
from cliper.errors import InputError

LOG = [
    {"user_id": f"u{i % 7}", "item_id": f"i{i % 5}", "rating": str(i % 5), "timestamp": str(i)}
    for i in range(40)
]
ITEMS = [{"item_id": f"i{i}", "title": 'tä "x", ' * 3, "brand": "b" * 20} for i in range(5)]
EDIT = st.tuples(
    st.sampled_from(["replace", "insert", "delete", "cut"]),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from([b'"', b",", b"\n", b"\x00", b"{", b"\r", b"\xff", b"\xef\xbb\xbf", b"9"]),
)
EDITS = st.lists(EDIT, min_size=1, max_size=4)


def damage(data: bytes, edits: list[tuple[str, float, bytes]]) -> bytes:
    for kind, share, text in edits:
        at = int(share * len(data))
        if kind == "cut":
            data = data[:at]
        else:
            rest = data[at:] if kind == "insert" else data[at + len(text) :]
            data = data[:at] + (b"" if kind == "delete" else text) + rest
    return data


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("target", ["log", "items"])
@settings(max_examples=25, deadline=None)
@given(edits=EDITS)
def test_damaged_tables(
    tmp_path_factory: pytest.TempPathFactory,
    ending: str,
    target: str,
    edits: list[tuple[str, float, bytes]],
) -> None:
    folder = tmp_path_factory.mktemp("damage")
    log = write_rows(folder / f"log.{ending}", LOG)
    items = write_rows(folder / f"items.{ending}", ITEMS)
    path = log if target == "log" else items
    path.write_bytes(damage(path.read_bytes(), edits))
    try:
        dataset = prepare_files(items, log, None, folder / "out", min_rating=1, k_core=1)
    except InputError as error:
        assert "\n" not in str(error)
        assert str(folder) in str(error)
        assert not Path(folder / "out").exists()
    else:
        dropped = sum(dataset.about["dropped"]["rows"].values())
        assert dataset.about["read"]["rows"] == len(dataset.interactions) + dropped


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "TIFF"])
@settings(max_examples=60, deadline=None)
@given(edits=EDITS)
def test_damaged_images(form: str, edits: list[tuple[str, float, bytes]]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form)
    with suppress(PictureError):
        assert check_picture(damage(stream.getvalue(), edits)) == form
