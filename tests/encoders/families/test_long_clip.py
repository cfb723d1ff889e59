"""Against a from-scratch forward pass in OpenAI's layout (`reference`)."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from cliper.encoders import create_encoder
from cliper.encoders.families.long_clip import merge_positions
from cliper.encoders.families.openai_layout import converted
from cliper.errors import InputError

from .reference import LONG, Reference, openai_ids

TEXTS = [
    "The product title is Wooden Train Set.",
    "",
    "one two three four five six seven eight nine ten " * 3,
    "a description that is longer than even Long-CLIP reads " * 40,
]


def reference(long: bool) -> Reference:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        return Reference(long).eval()


@pytest.fixture(scope="module")
def long_reference() -> Reference:
    return reference(long=True)


@pytest.fixture(scope="module")
def long_folder(long_reference, hf_tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("long")
    torch.save(long_reference.state_dict(), folder / "longclip-tiny.pt")
    hf_tokenizer.save_pretrained(folder)
    return folder


def test_long_clip_text_equals_the_masked_sum_of_both_tables(
    long_folder, long_reference, hf_tokenizer
):
    encoder = create_encoder("long-clip-l", weights=long_folder / "longclip-tiny.pt")
    assert (encoder.name, encoder.max_tokens, encoder.width) == ("long-clip-l", LONG, 16)
    with torch.no_grad():
        expected = long_reference.encode_text(openai_ids(hf_tokenizer, TEXTS, LONG)).numpy()
    ours = encoder.encode_text(TEXTS)
    np.testing.assert_allclose(ours, expected, atol=1e-5)
    assert encoder.text_counts.truncated == 1


def test_image_tower_equals_the_reference(long_folder, long_reference, pictures, image_processor):
    encoder = create_encoder(str(long_folder))
    images = [Image.open(path) for path in pictures]
    pixels = image_processor(images, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        expected = long_reference.visual(pixels).numpy()
    np.testing.assert_allclose(encoder.encode_image(pictures), expected, atol=1e-5)


def test_plain_clip_with_one_table(hf_tokenizer, tmp_path):
    plain = reference(long=False)
    torch.save({k: v.half() for k, v in plain.state_dict().items()}, tmp_path / "clip.pt")
    hf_tokenizer.save_pretrained(tmp_path)
    encoder = create_encoder(str(tmp_path / "clip.pt"))
    assert encoder.max_tokens == 77
    rounded = plain.half().float()
    with torch.no_grad():
        expected = rounded.encode_text(openai_ids(hf_tokenizer, TEXTS, 77)).numpy()
    np.testing.assert_allclose(encoder.encode_text(TEXTS), expected, atol=1e-5)


def test_both_layouts_are_one_encoder(
    long_folder, make_clip_model, hf_tokenizer, tmp_path, pictures
):
    """Written by hand out of a CLIPModel's modules, read back from both layouts: the same hash."""
    heads = {"hidden_size": 64, "num_attention_heads": 1}
    model = make_clip_model(seed=2, positions=LONG, **heads)
    # The tiny towers' heads are not 64 wide, as OpenAI's layout takes for granted.
    model = _with_heads_of_64(model)
    folder = tmp_path / "transformers"
    model.save_pretrained(folder)
    hf_tokenizer.save_pretrained(folder)
    original = tmp_path / "original"
    original.mkdir()
    hf_tokenizer.save_pretrained(original)
    torch.save(_openai_layout(model), original / "longclip.pt")
    image = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    _write_preprocessing(folder, image)
    ours, theirs = create_encoder(str(original)), create_encoder(str(folder))
    assert theirs.max_tokens == LONG
    np.testing.assert_array_equal(ours.encode_text(TEXTS), theirs.encode_text(TEXTS))
    np.testing.assert_array_equal(ours.encode_image(pictures), theirs.encode_image(pictures))
    assert ours.hash == theirs.hash


def _with_heads_of_64(model):
    import transformers

    config = model.config
    config.vision_config.hidden_size = 64
    config.vision_config.num_attention_heads = 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return transformers.CLIPModel(config).eval()


def _write_preprocessing(folder, chosen):
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    CLIPImageProcessorPil(**chosen).save_pretrained(folder)


def _openai_layout(model) -> dict[str, torch.Tensor]:
    text, vision = model.text_model, model.vision_model
    positions = text.embeddings.position_embedding.weight
    out = {
        "positional_embedding": torch.cat([positions[:20], torch.full_like(positions[20:], 9.0)]),
        "positional_embedding_res": torch.cat(
            [torch.full_like(positions[:20], 9.0), positions[20:]]
        ),
        "token_embedding.weight": text.embeddings.token_embedding.weight,
        "text_projection": model.text_projection.weight.T,
        "logit_scale": model.logit_scale,
        "visual.proj": model.visual_projection.weight.T,
        "visual.class_embedding": vision.embeddings.class_embedding,
        "visual.conv1.weight": vision.embeddings.patch_embedding.weight,
        "visual.positional_embedding": vision.embeddings.position_embedding.weight,
    }
    norms = {
        "ln_final": text.final_layer_norm,
        "visual.ln_pre": vision.pre_layrnorm,
        "visual.ln_post": vision.post_layernorm,
    }
    for prefix, tower in (("", text), ("visual.", vision)):
        for index, layer in enumerate(tower.encoder.layers):
            block = f"{prefix}transformer.resblocks.{index}"
            attention = layer.self_attn
            fused = (attention.q_proj, attention.k_proj, attention.v_proj)
            out[f"{block}.attn.in_proj_weight"] = torch.cat([p.weight for p in fused])
            out[f"{block}.attn.in_proj_bias"] = torch.cat([p.bias for p in fused])
            norms |= {
                f"{block}.attn.out_proj": attention.out_proj,
                f"{block}.ln_1": layer.layer_norm1,
                f"{block}.ln_2": layer.layer_norm2,
                f"{block}.mlp.c_fc": layer.mlp.fc1,
                f"{block}.mlp.c_proj": layer.mlp.fc2,
            }
    for name, module in norms.items():
        out[f"{name}.weight"], out[f"{name}.bias"] = module.weight, module.bias
    return {name: tensor.detach().clone() for name, tensor in out.items()}


def test_positions_are_taken_from_the_first_table_up_to_twenty(long_reference):
    weights = long_reference.state_dict()
    merged = merge_positions(weights)
    assert torch.equal(merged[:20], weights["positional_embedding"][:20])
    assert torch.equal(merged[20:], weights["positional_embedding_res"][20:])


def test_every_tensor_is_used(long_reference):
    weights = long_reference.state_dict()
    used = converted(weights)
    counted = sum(t.numel() for t in weights.values())
    unused = weights["positional_embedding"].numel()  # half of either table is masked away
    assert sum(t.numel() for t in used.values()) == counted - unused


def test_a_short_tower_is_no_long_clip(hf_tokenizer, tmp_path):
    torch.save(reference(long=False).state_dict(), tmp_path / "clip.pt")
    hf_tokenizer.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="has 77 positions, Long-CLIP has 248"):
        create_encoder("long-clip-l", weights=tmp_path)


def test_no_tokeniser_beside_the_weights(long_folder, tmp_path, monkeypatch):
    from cliper.encoders import hub

    def unreachable(*_args, **_kwargs):
        raise OSError("offline")

    monkeypatch.setattr(hub, "hf_hub_download", unreachable)
    monkeypatch.setattr(hub, "snapshot_download", unreachable)
    shutil.copy(long_folder / "longclip-tiny.pt", tmp_path)
    for allow in (False, True):
        with pytest.raises(InputError, match=r"no tokeniser here .*beside the weights"):
            create_encoder(str(tmp_path / "longclip-tiny.pt"), allow_download=allow)


def _without(weights, name):
    return {k: v for k, v in weights.items() if k != name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: _without(w, "text_projection"), "text_projection"),
        (lambda w: _without(w, "visual.ln_pre.bias"), r"1 tensors are missing, first vision_model"),
        (
            lambda w: {**w, "extra.weight": w["logit_scale"]},
            "unknown, first extra.weight",
        ),
        (lambda w: {**w, "positional_embedding_res": torch.zeros(77, 128)}, "differ"),
        (lambda w: {**w, "ln_final.bias": torch.zeros(3)}, "not OpenAI's CLIP layout"),
        (lambda w: {"weights": 3}, "not a state dict of tensors"),
        (lambda w: {"visual.attnpool.c_proj.weight": torch.zeros(1)}, "no tensor visual.layer1"),
    ],
)
def test_wrong_files_are_one_clear_line(long_reference, tmp_path, change, message):
    torch.save(change(long_reference.state_dict()), tmp_path / "x.pt")
    with pytest.raises(InputError, match=message) as caught:
        create_encoder(str(tmp_path / "x.pt"))
    assert "\n" not in str(caught.value)


class Evil:
    def __reduce__(self):
        return (print, ("code ran",))


def test_code_in_a_file_is_not_run(tmp_path, capsys):
    torch.save({"a": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(InputError, match="cannot be loaded as plain tensors"):
        create_encoder(str(tmp_path / "evil.pt"))
    assert "code ran" not in capsys.readouterr().out
    (tmp_path / "garbage.pt").write_bytes(b"not a zip")
    with pytest.raises(InputError, match="cannot be loaded as plain tensors"):
        create_encoder(str(tmp_path / "garbage.pt"))
