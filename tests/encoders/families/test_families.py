"""Every family against `transformers` from end to end, on a small random model of it."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from cliper.encoders import DualEncoder, create_encoder
from cliper.errors import InputError

from .small_models import CORPUS, FAMILIES, copy_of

TEXTS = [
    *CORPUS,
    "short",
    "",
    "  White   space,\tand PUNCTUATION: (yes)!  ",
    "a very long description of a product that goes on, and on, " * 20,
    "short",
    "Größe: naïve café, 木制火车 и поезд",
    "a b c d e f",
]


@pytest.fixture(params=FAMILIES)
def model(request, make_small):
    return make_small(request.param)


@pytest.fixture
def encoder(model):
    return create_encoder(str(model.folder), batch_size=3)


def test_it_fulfils_the_protocol(encoder, model):
    assert isinstance(encoder, DualEncoder)
    assert encoder.width == model.text(["a"]).shape[1]
    assert encoder.max_tokens == model.limit


def test_token_ids_equal_transformers(encoder, model):
    """The real tokeniser of the family over every text, special tokens included."""
    before, after = encoder.tokenizer.before, encoder.tokenizer.after
    for text, ids in zip(TEXTS, encoder.tokenizer.encode(TEXTS), strict=True):
        expected = model.tokenizer(text)["input_ids"]
        assert [*before, *ids.tolist(), *after] == expected, text
    assert encoder.tokenizer.pad == model.tokenizer.pad_token_id


def test_text_features_equal_transformers(encoder, model):
    ours, expected = encoder.encode_text(TEXTS), model.text(TEXTS)
    assert ours.dtype == np.float32 and ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, atol=5e-6 * max(1.0, np.abs(expected).max()))
    assert np.abs(expected[0] - expected[1]).max() > 0.05  # texts differ, so equality says much


def test_image_features_equal_transformers(encoder, model, pictures):
    ours, expected = encoder.encode_image(pictures), model.image(pictures)
    np.testing.assert_allclose(ours, expected, atol=5e-6 * max(1.0, np.abs(expected).max()))
    assert np.abs(expected[0] - expected[1]).max() > 0.05 * np.abs(expected).max()


def test_text_beyond_the_limit_is_truncated_and_counted(encoder, model):
    long = TEXTS[8]
    words = long.split()
    assert encoder.text_counts.truncated == 0
    kept = encoder.encode_text([long, " ".join(words[:100])])
    assert encoder.text_counts.truncated == 2
    np.testing.assert_array_equal(kept[0], kept[1])


def test_chunk_mean_is_the_mean_of_the_chunks(model):
    """The chunks are cut by hand from the library's ids, each run through the library alone."""
    encoder = create_encoder(str(model.folder), long_text="chunk-mean", batch_size=4)
    text = TEXTS[8]
    ids = encoder.tokenizer.encode([text])[0]
    before, after = encoder.tokenizer.before, encoder.tokenizer.after
    room = model.limit - len(before) - len(after)
    parts = np.array_split(ids, -(-len(ids) // room))
    assert len(parts) > 2
    rows = []
    for part in parts:
        row = torch.tensor([[*before, *part.tolist(), *after]])
        if encoder.towers.padded_to is not None:
            fill = encoder.towers.padded_to - row.shape[1]
            row = torch.nn.functional.pad(row, (0, fill), value=model.tokenizer.pad_token_id)
        with torch.no_grad():
            if hasattr(model.model, "get_text_features"):
                rows.append(model.model.get_text_features(row).pooler_output[0])
            else:
                hidden = model.model.text_encoder(row).last_hidden_state
                rows.append(model.model.text_proj(hidden[:, 0])[0])
    expected = torch.stack(rows).mean(0).numpy()
    ours = encoder.encode_text([text, "short"])
    np.testing.assert_allclose(ours[0], expected, atol=1e-5)
    np.testing.assert_allclose(ours[1:], model.text(["short"]), atol=1e-5)
    assert encoder.text_counts.chunked == 1 and encoder.text_counts.truncated == 0


@pytest.fixture
def copied(model, tmp_path):
    return copy_of(model, tmp_path / "copy")


def rewrite(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_the_hash_covers_every_used_tensor_and_nothing_else(encoder, copied):
    """One tensor after another is changed; the ones that no embedding depends on do not count."""
    path = copied / "model.safetensors"
    tensors = load_file(path)
    unused = encoder.towers.unused
    floats = [name for name, tensor in tensors.items() if tensor.is_floating_point()]
    for name in (*floats[:: max(1, len(floats) // 4)], *unused):
        for found in [n for n in floats if n.startswith(name)][:1]:
            before = tensors[found].clone()
            tensors[found] = before + 0.01
            save_file(tensors, path, metadata={"format": "pt"})
            same = create_encoder(str(copied)).hash == encoder.hash
            assert same == found.startswith(unused), found
            tensors[found] = before


def test_the_hash_covers_preprocessing_and_settings(encoder, copied):
    path = copied / "preprocessor_config.json"
    original = path.read_text()
    rewrite(path, rescale_factor=1 / 200)
    assert create_encoder(str(copied)).hash != encoder.hash
    path.write_text(original)
    config = json.loads((copied / "config.json").read_text())
    config["text_config"]["layer_norm_eps"] = 0.1
    (copied / "config.json").write_text(json.dumps(config))
    assert create_encoder(str(copied)).hash != encoder.hash


def test_missing_weights_are_refused_and_never_invented(copied):
    tensors = load_file(copied / "model.safetensors")
    del tensors[next(name for name in tensors if name.startswith("text") and "bias" in name)]
    save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="lack 1 of the model's tensors, first text"):
        create_encoder(str(copied))


def test_a_tokeniser_of_a_larger_vocabulary_is_refused(copied):
    config = json.loads((copied / "config.json").read_text())
    words = config["text_config"].get("vocab_size", 30522)
    tensors = load_file(copied / "model.safetensors")
    (table,) = [name for name, t in tensors.items() if t.dim() == 2 and len(t) == words]
    tensors[table] = tensors[table][: words - 5].contiguous()
    config["text_config"]["vocab_size"] = words - 5
    (copied / "config.json").write_text(json.dumps(config))
    save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=f"words, the text tower {words - 5} "):
        create_encoder(str(copied))


def test_pictures_of_another_size_are_refused(model, copied):
    rewrite(copied / "preprocessor_config.json", size={"shortest_edge": 40}, do_center_crop=False)
    with pytest.raises(InputError, match=r"pictures of (None|different shapes)"):
        create_encoder(str(copied))


def test_texts_all_of_one_length_need_no_mask_and_agree_with_masked_ones(encoder, model):
    """The path without a mask and the path with one are the same function."""
    alone = encoder.encode_text(["short"])
    mixed = encoder.encode_text(["short", CORPUS[3]])
    np.testing.assert_allclose(alone[0], mixed[0], atol=5e-6 * np.abs(mixed).max())


def test_a_captioning_blip_has_no_features_apart(make_small, tmp_path):
    folder = copy_of(make_small("blip"), tmp_path / "copy")
    rewrite(folder / "config.json", architectures=["BlipForConditionalGeneration"])
    with pytest.raises(InputError, match=r"no features of text and image apart .*retrieval"):
        create_encoder(str(folder))


def test_a_siglip_without_a_head_is_refused(make_small, tmp_path):
    folder = copy_of(make_small("siglip2"), tmp_path / "copy")
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["vision_use_head"] = False
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="do not end in one space"):
        create_encoder(str(folder))


def test_a_damaged_number_of_layers_is_refused_before_they_are_made(make_small, tmp_path):
    folder = copy_of(make_small("siglip"), tmp_path / "copy")
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["num_hidden_layers"] = 10**7
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"text_config.num_hidden_layers is 10000000"):
        create_encoder(str(folder))


def test_other_models_are_refused_with_the_list_of_families(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "siglip2"}')
    with pytest.raises(InputError, match="'siglip2' is not supported") as caught:
        create_encoder(str(tmp_path))
    assert "clip, siglip, align, blip, chinese_clip" in str(caught.value)
