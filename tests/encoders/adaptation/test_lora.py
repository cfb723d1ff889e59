"""Low-rank adapters: the same function attached or merged, nothing at all when untrained."""

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from torch import nn

from cliper.encoders import create_encoder
from cliper.encoders.adaptation import LoraAdaptation
from cliper.encoders.adaptation.lora import LowRankAdapters, adaptable_layers
from cliper.encoders.adaptation.lora_fit import LoraAdapter, cached_pixels
from cliper.encoders.contrastive import info_nce
from cliper.encoders.two_tower import TwoTowerEncoder
from cliper.errors import InputError

from .world import coloured, tiny_clip

TEXTS = ["red on blue", "a square", "a longer text about nothing in particular"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def encoder(folder: Path) -> TwoTowerEncoder:
    made = create_encoder(str(folder))
    assert isinstance(made, TwoTowerEncoder)
    return made


def drawn(encoder: TwoTowerEncoder, rank: int = 4, seed: int = 0) -> LowRankAdapters:
    """Adapters with a B that is not zero any more."""
    generator = torch.Generator().manual_seed(seed)
    layers = adaptable_layers(encoder.towers)
    adapters = LowRankAdapters.initial(layers, rank, 8.0, generator)
    with torch.no_grad():
        for name, tensor in adapters.tensors.items():
            if name.endswith(".b"):
                tensor.copy_(0.1 * torch.randn(tensor.shape, generator=generator))
    return adapters


def test_the_layers_are_attention_and_mlp_of_both_towers(encoder: TwoTowerEncoder) -> None:
    names = set(adaptable_layers(encoder.towers))
    attention = set(adaptable_layers(encoder.towers, "attention"))
    assert attention | set(adaptable_layers(encoder.towers, "mlp")) == names
    assert len(names) == 2 * 2 * 6 and len(attention) == 2 * 2 * 4
    assert all(".layers." in name for name in names)
    assert {name.rpartition(".")[2] for name in attention} == {
        "q_proj", "k_proj", "v_proj", "out_proj",
    }  # fmt: skip
    with pytest.raises(InputError, match="no such layers"):
        adaptable_layers(nn.Sequential(nn.Conv2d(3, 3, 1)))


def test_one_layer_is_equation_3_written_out() -> None:
    generator = torch.Generator().manual_seed(0)
    towers = nn.Sequential(nn.Linear(5, 3))
    adapters = LowRankAdapters.initial({"0": towers[0]}, 2, 6.0, generator)
    with torch.no_grad():
        adapters.tensors["0.b"].normal_(generator=generator)
    x = torch.randn(4, 5, generator=generator)
    a, b = adapters.tensors["0.a"], adapters.tensors["0.b"]
    expected = [towers[0].weight @ row + towers[0].bias + (6.0 / 2) * (b @ (a @ row)) for row in x]
    with adapters.attached(towers):
        torch.testing.assert_close(towers(x), torch.stack(expected))


def test_merged_equals_attached(encoder: TwoTowerEncoder, tmp_path: Path) -> None:
    dataset, _ = coloured(tmp_path, 8)
    assert dataset.catalogue is not None
    paths = [p for i, p in enumerate(dataset.catalogue.image_paths()) if p and i != 3]
    plain = encoder.encode_text(TEXTS), encoder.encode_image(paths)
    adapters = drawn(encoder)
    with adapters.attached(encoder.towers):
        attached = encoder.encode_text(TEXTS), encoder.encode_image(paths)
    for left, right in zip(
        plain, (encoder.encode_text(TEXTS), encoder.encode_image(paths)), strict=True
    ):
        np.testing.assert_array_equal(left, right)  # detached: as before
    adapters.merge(encoder.towers)
    merged = encoder.encode_text(TEXTS), encoder.encode_image(paths)
    for a, m, p in zip(attached, merged, plain, strict=True):
        np.testing.assert_allclose(m, a, atol=1e-5)
        assert np.abs(m - p).max() > 0.05


def test_the_merged_towers_equal_transformers_with_those_weights(
    folder: Path, encoder: TwoTowerEncoder
) -> None:
    adapters = drawn(encoder)
    theirs = transformers.CLIPModel.from_pretrained(folder)
    state = theirs.state_dict()
    for name in adapters.names:
        a, b = (adapters.tensors[f"{name}.{side}"].detach().double() for side in "ab")
        key = name.removeprefix("model.") + ".weight"
        state[key] = (state[key].double() + 8.0 / 4 * (b @ a)).float()
    theirs.load_state_dict(state)
    adapters.merge(encoder.towers)
    ids = encoder.tokenizer.encode(TEXTS[:1])[0]
    whole = torch.tensor([[*encoder.tokenizer.before, *ids.tolist(), *encoder.tokenizer.after]])
    with torch.no_grad():
        expected = theirs.get_text_features(input_ids=whole).pooler_output.numpy()
    np.testing.assert_allclose(encoder.encode_text(TEXTS[:1]), expected, atol=1e-5)


@pytest.mark.parametrize("rank", [0, 4])
def test_untrained_or_of_rank_zero_changes_no_bit(encoder: TwoTowerEncoder, rank: int) -> None:
    plain = encoder.encode_text(TEXTS)
    layers = adaptable_layers(encoder.towers)
    adapters = LowRankAdapters.initial(layers, rank, 16.0, torch.Generator().manual_seed(0))
    with adapters.attached(encoder.towers):
        np.testing.assert_array_equal(encoder.encode_text(TEXTS), plain)
    adapters.merge(encoder.towers)
    np.testing.assert_array_equal(encoder.encode_text(TEXTS), plain)


def adapter_of(
    encoder: TwoTowerEncoder, folder: Path, **settings: object
) -> tuple[LoraAdapter, list[list[str | None]]]:
    dataset, views = coloured(folder, 12)
    assert dataset.catalogue is not None
    usable = [0, 1, 2, 6, 7, 8, 9]
    paths = dataset.catalogue.image_paths()
    pixels, good = cached_pixels(encoder, [p for i in usable if (p := paths[i])], folder)
    assert good.all()
    texts = [[view[i] for i in usable] for view in views.texts]
    texts[1][0] = None
    config = LoraAdaptation.parse(settings)
    return LoraAdapter(encoder, texts, pixels, config, torch.Generator().manual_seed(0)), texts


def test_embedding_equals_the_encoder(encoder: TwoTowerEncoder, tmp_path: Path) -> None:
    """Tokens, padding, pixels and their order: what is trained on is what is encoded."""
    adapter, texts = adapter_of(encoder, tmp_path)
    rows = torch.tensor([5, 0, 3])
    with torch.no_grad():
        text, image = adapter.embed(rows)
    assert not text[1, 1].any()
    for c, i, row in [(0, 0, 5), (0, 1, 0), (0, 2, 3), (1, 0, 5), (1, 2, 3)]:
        expected = encoder.encode_text([texts[c][row] or ""])[0]
        np.testing.assert_allclose(text[c, i].numpy(), expected, atol=1e-5)
    paths = [tmp_path / "images" / f"{[0, 1, 2, 6, 7, 8, 9][i]}.png" for i in (5, 0, 3)]
    np.testing.assert_allclose(image.numpy(), encoder.encode_image(paths), atol=1e-5)


def test_gradients_reach_every_adapter_and_nothing_else(
    encoder: TwoTowerEncoder, tmp_path: Path
) -> None:
    adapter, _ = adapter_of(encoder, tmp_path)
    with torch.no_grad():
        for tensor in adapter.tensors.values():
            tensor.add_(0.01)  # with B at zero the gradient of A is zero, as it should be
    text, image = adapter.embed(torch.arange(7))
    present = torch.ones(2, 7, dtype=torch.bool)
    present[1, 0] = False
    info_nce(text, image, present, torch.arange(7).expand(2, -1), torch.tensor(2.0)).backward()
    assert all(t.grad is not None and t.grad.any() for t in adapter.tensors.values())
    assert all(p.grad is None for p in encoder.towers.parameters())


def test_bfloat16_is_near(encoder: TwoTowerEncoder, tmp_path: Path) -> None:
    exact, _ = adapter_of(encoder, tmp_path / "a")
    half, _ = adapter_of(encoder, tmp_path / "b", precision="bfloat16")
    with torch.no_grad():
        pairs = zip(exact.embed(torch.arange(7)), half.embed(torch.arange(7)), strict=True)
    for one, other in pairs:
        assert other.dtype == torch.float32
        there = one.abs().sum(-1) > 0
        assert torch.cosine_similarity(one[there], other[there], dim=-1).min() > 0.999
    assert not torch.equal(one, other)


def test_broken_pictures_are_left_out_of_the_cache(
    encoder: TwoTowerEncoder, tmp_path: Path
) -> None:
    dataset, _ = coloured(tmp_path, 8)
    assert dataset.catalogue is not None
    paths = [path for path in dataset.catalogue.image_paths() if path]
    pixels, good = cached_pixels(encoder, paths, tmp_path)
    assert good.tolist() == [True, True, True, False, True, True, True]
    assert pixels.shape == (6, 16, 16, 3) and pixels.dtype == np.uint8
    assert {p.name for p in tmp_path.iterdir()} == {"images"}  # nothing is left behind
    nothing, none = cached_pixels(encoder, [paths[3]], tmp_path)
    assert len(nothing) == 0 and not none.any()


def test_save_and_load(encoder: TwoTowerEncoder, tmp_path: Path) -> None:
    adapters = drawn(encoder)
    adapters.save(tmp_path / "lora.safetensors")
    loaded = LowRankAdapters.load(tmp_path / "lora.safetensors")
    assert (loaded.hash, loaded.scale, loaded.names) == (adapters.hash, 2.0, sorted(adapters.names))
    assert drawn(encoder, seed=1).hash != adapters.hash
    (tmp_path / "lora.safetensors").write_bytes(b"nonsense")
    with pytest.raises(InputError, match="broken file of tensors"):
        LowRankAdapters.load(tmp_path / "lora.safetensors")
