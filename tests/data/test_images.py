import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cliper.data.images import find_images, store_images
from cliper.data.ledger import Ledger
from cliper.errors import InputError


def picture(form: str = "JPEG", seed: int = 0, mode: str = "RGB") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, form)
    return stream.getvalue()


def huge_png(width: int, height: int) -> bytes:
    """A valid header of a large picture, without its pixels."""

    def piece(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = piece(b"IHDR", header) + piece(b"IDAT", zlib.compress(b"")) + piece(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def store(
    tmp_path: Path, files: dict[str, bytes], names: list[str | None]
) -> tuple[tuple[str | None, ...], Ledger]:
    root = tmp_path / "root"
    root.mkdir()
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    ledger = Ledger()
    out = tmp_path / "out"
    out.mkdir()
    return store_images(names, [f"i{n}" for n in range(len(names))], root, out, ledger), ledger


@pytest.mark.parametrize(
    ("form", "mode", "ending"),
    [
        ("JPEG", "RGB", "jpg"),
        ("JPEG", "CMYK", "jpg"),
        ("JPEG", "L", "jpg"),
        ("PNG", "RGBA", "png"),
        ("PNG", "P", "png"),
        ("WEBP", "RGB", "webp"),
        ("GIF", "P", "gif"),
    ],
)
def test_good_images_arrive_byte_for_byte(
    tmp_path: Path, form: str, mode: str, ending: str
) -> None:
    data = picture(form, mode=mode)
    (stored,), ledger = store(tmp_path, {"a/b.img": data}, ["a/b.img"])
    assert stored is not None
    assert stored.endswith("." + ending)
    assert (tmp_path / "out" / stored).read_bytes() == data
    assert ledger.dropped("images") == {}


def test_every_kind_of_bad_image_is_counted(tmp_path: Path) -> None:
    good, png = picture(), picture("PNG")
    flipped = bytearray(png)
    flipped[len(png) // 2] ^= 0xFF
    files = {
        "good.jpg": good,
        "half.jpg": good[: len(good) // 2],
        "half.png": png[: len(png) // 2],
        "flipped.png": bytes(flipped),
        "head.jpg": good[:10],
        "text.jpg": b"no picture",
        "empty.jpg": b"",
        "bomb.png": huge_png(20_000, 10_000),
        "large.png": huge_png(8_000, 4_001),
        "page.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    }
    (tmp_path / "secret.jpg").write_bytes(good)
    names: list[str | None] = [*files, "../secret.jpg", str(tmp_path / "secret.jpg")]
    names += ["missing.jpg", ".", "nul\0.jpg", "x" * 5_000, "https://example.org/a.jpg", None]
    stored, ledger = store(tmp_path, files, names)
    assert [name is not None for name in stored] == [True] + [False] * (len(names) - 1)
    assert ledger.dropped("images") == {
        "truncated": 3,
        "damaged": 1,
        "not a JPEG, PNG, WebP, GIF, BMP, AVIF or TIFF image": 2,
        "an empty file": 1,
        "more than 32000000 pixels": 2,
        "outside the image folder": 2,
        "no such file": 1,
        "not a file": 1,
        "cannot be read": 2,
        "a URL, not a file": 1,
        "the item names no image": 1,
    }
    assert ledger.as_json()["samples"]["images"]["an empty file"] == ["item i6: empty.jpg"]
    assert len(list((tmp_path / "out" / "images").iterdir())) == 1


def test_a_link_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(picture())
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (tmp_path / "root" / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "out").mkdir()
    ledger = Ledger()
    stored = store_images(
        ["link.jpg", "loop.jpg"], ["1", "2"], tmp_path / "root", tmp_path / "out", ledger
    )
    assert stored == (None, None)
    assert ledger.dropped("images")["outside the image folder"] == 1
    assert sum(ledger.dropped("images").values()) == 2


@pytest.mark.filterwarnings("error")
def test_a_bomb_makes_no_noise(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    stored, _ = store(tmp_path, {"a.png": huge_png(10_000, 10_000)}, ["a.png"])
    assert stored == (None,)
    assert capfd.readouterr().err == ""


def test_one_picture_of_two_items_is_kept_once(tmp_path: Path) -> None:
    files = {"a.jpg": picture(), "b.jpg": picture(), "c.jpg": picture(seed=1)}
    (a, b, c), _ = store(tmp_path, files, [*files])
    assert a == b != c
    assert len(list((tmp_path / "out" / "images").iterdir())) == 2


def test_images_are_copied_where_links_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    data = picture()
    (stored,), _ = store(tmp_path, {"a.jpg": data}, ["a.jpg"])
    assert stored is not None
    assert (tmp_path / "out" / stored).read_bytes() == data
    assert (tmp_path / "out" / stored).stat().st_nlink == 1
    assert [path.name for path in (tmp_path / "out" / "images").iterdir()] == [Path(stored).name]


def test_the_folder_may_be_named_in_the_path_too(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "images" / "1.jpg").write_bytes(picture())
    (tmp_path / "1.jpg").write_bytes(picture(seed=1))
    for root, name in ((tmp_path / "images", "images/1.jpg"), (tmp_path, "images/1.jpg")):
        (stored,) = store_images([name], ["1"], root, tmp_path / "out", Ledger())
        assert stored is not None
        assert (tmp_path / "out" / stored).read_bytes() == picture()
    ledger = Ledger()
    store_images(["images/../../1.jpg"], ["1"], tmp_path / "images", tmp_path / "out", ledger)
    assert ledger.dropped("images") == {"outside the image folder": 1}


def test_find_images_by_item_id(tmp_path: Path) -> None:
    for name in ("1.jpg", "2.webp", "3.txt"):
        (tmp_path / name).touch()
    assert find_images(["1", "2", "3", "../1"], tmp_path) == ["1.jpg", "2.webp", None, None]
    with pytest.raises(InputError, match="no such folder"):
        find_images(["1"], tmp_path / "nowhere")
