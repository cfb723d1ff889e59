"""Towers through ONNX Runtime against the same towers through torch."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cliper.encoders import create_encoder
from cliper.encoders.runtime.onnx_graphs import GRAPH, open_graph, stored_graph
from cliper.errors import InputError

pytest.importorskip("onnxruntime", reason="onnxruntime is an extra")
pytest.importorskip("onnxscript", reason="onnxscript is an extra")

TEXTS = ["short", "", "a longer description of a product " * 4, "x " * 90, "Brand: Ubbi"]


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return (one * other).sum(1) / lengths


@pytest.fixture(scope="module")
def graphs(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("graphs")


def test_a_causal_text_tower_and_a_transformer_of_patches(clip_folder, graphs, pictures) -> None:
    plain = create_encoder(str(clip_folder))
    encoder = create_encoder(str(clip_folder), runtime="onnx", graphs=graphs, batch_size=2)
    assert encoder.hash != plain.hash
    np.testing.assert_allclose(encoder.encode_text(TEXTS), plain.encode_text(TEXTS), atol=1e-5)
    np.testing.assert_allclose(
        encoder.encode_image(pictures), plain.encode_image(pictures), atol=1e-5
    )
    kept = sorted(path.relative_to(graphs) for path in graphs.rglob(GRAPH))
    assert [str(path.parent) for path in kept] == [
        f"{encoder.hash[:16]}/{tower}" for tower in ("image", "text")
    ]


def test_kept_graphs_are_not_made_again(clip_folder, graphs, pictures, monkeypatch) -> None:
    first = create_encoder(str(clip_folder), runtime="onnx", graphs=graphs).encode_text(TEXTS)
    monkeypatch.setattr(torch.onnx, "export", lambda *_, **__: pytest.fail("exported again"))
    again = create_encoder(str(clip_folder), runtime="onnx", graphs=graphs)
    np.testing.assert_array_equal(again.encode_text(TEXTS), first)


def test_a_masked_text_tower(make_small, graphs) -> None:
    folder = make_small("chinese_clip").folder
    plain = create_encoder(str(folder), batch_size=8)
    encoder = create_encoder(str(folder), runtime="onnx", graphs=graphs)
    texts = ["one two three", "a", "Brand: Ubbi, categories: Baby, Nursery", "one two three four"]
    np.testing.assert_allclose(encoder.encode_text(texts), plain.encode_text(texts), atol=1e-5)


def test_int8_is_near_and_of_its_own_key(clip_folder, graphs, pictures) -> None:
    plain = create_encoder(str(clip_folder))
    encoder = create_encoder(str(clip_folder), runtime="onnx", dtype="int8", graphs=graphs)
    exact = create_encoder(str(clip_folder), runtime="onnx")
    assert len({plain.hash, encoder.hash, exact.hash}) == 3
    text, image = encoder.encode_text(TEXTS), encoder.encode_image(pictures)
    assert cosines(text, plain.encode_text(TEXTS)).min() > 0.995
    assert cosines(image, plain.encode_image(pictures)).min() > 0.995
    assert np.abs(text - plain.encode_text(TEXTS)).max() > 1e-4  # it is quantised indeed


def test_nothing_is_printed_and_logging_is_as_before(tmp_path, capfd) -> None:
    before = logging.getLogger().level, logging.getLogger("torch.onnx").level
    layer = nn.Linear(6, 4)
    example = {"x": torch.randn(2, 6)}
    path = stored_graph(tmp_path / "g", layer, example, {"x": {0: "rows"}}, int8=True)
    assert capfd.readouterr() == ("", "")
    assert before == (logging.getLogger().level, logging.getLogger("torch.onnx").level)
    x = torch.randn(5, 6)
    (got,) = open_graph(path).run(None, {"x": x.numpy()})
    np.testing.assert_allclose(got, layer(x).detach().numpy(), atol=0.05)
    assert [p.name for p in tmp_path.iterdir()] == ["g"]


def pair_products(x: np.ndarray, weight: np.ndarray, *, saturate: bool) -> np.ndarray:
    """Bytes x (n, k) times weight (k, m) as AVX2's instruction for bytes adds them: two products
    in 16 bits, the pairs in 32. Without `saturate`, as every processor should.
    """
    pairs = x.astype(np.int32)[:, :, None] * weight.astype(np.int32)[None]
    pairs = pairs.reshape(len(x), -1, 2, weight.shape[1]).sum(2)
    return (pairs.clip(-(2**15), 2**15 - 1) if saturate else pairs).sum(1)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_int8_cannot_saturate_where_products_are_added_in_16_bits(tmp_path, sign) -> None:
    import onnx
    from onnx import numpy_helper

    # Every weight at the end of its channel's range and every activation at the end of its own:
    # nothing puts more into a pair.
    layer = nn.Linear(64, 3, bias=False)
    with torch.no_grad():
        layer.weight.copy_(sign * torch.tensor([[0.5], [1.0], [2.0]]).expand(3, 64))
    example = {"x": torch.ones(2, 64)}
    path = stored_graph(tmp_path / "g", layer, example, {"x": {0: "rows"}}, int8=True)
    tables = [numpy_helper.to_array(table) for table in onnx.load(path).graph.initializer]
    (weight,) = [table for table in tables if table.dtype == np.int8 and table.ndim == 2]
    full = np.full((2, 64), 255, dtype=np.uint8)
    exact = pair_products(full, weight, saturate=False)
    np.testing.assert_array_equal(pair_products(full, weight, saturate=True), exact)
    too_wide = np.full_like(weight, 127)
    wrong = pair_products(full, too_wide, saturate=True)
    assert (wrong < pair_products(full, too_wide, saturate=False)).all()  # the emulation can fail
    x = np.full((2, 64), 3.0, dtype=np.float32)
    (got,) = open_graph(path).run(None, {"x": x})
    np.testing.assert_allclose(got, x @ layer.weight.detach().numpy().T, rtol=1e-5)


def test_what_cannot_be_exported_leaves_nothing_behind(tmp_path) -> None:
    class Unruly(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if float(x.sum()) > 0 else -x

    with pytest.raises(InputError, match="cannot be exported to ONNX"):
        stored_graph(tmp_path / "g", Unruly(), {"x": torch.ones(2, 2)}, {"x": {}}, int8=False)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_graph_says_what_to_do(tmp_path) -> None:
    (tmp_path / GRAPH).write_bytes(b"nonsense")
    with pytest.raises(InputError, match=r"not a graph that can be run.*delete its folder"):
        open_graph(tmp_path / GRAPH)
