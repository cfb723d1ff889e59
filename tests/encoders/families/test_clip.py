import json
import shutil

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file

from cliper.encoders import DualEncoder, create_encoder
from cliper.errors import InputError

TEXTS = [
    "The product title is Wooden Train Set.",
    "short",
    "",
    "a very long description of a product that goes on, and on, " * 20,
    "short",
    "Brand: Ubbi, categories: Baby, Nursery, Diapering",
    "x " * 75,
    "x " * 76,
]


def theirs_text(model, tokenizer, texts, length=77) -> np.ndarray:
    """transformers from end to end, every text padded to the limit."""
    inputs = tokenizer(
        texts, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
    )
    with torch.no_grad():
        return model.get_text_features(**inputs).pooler_output.numpy()


def theirs_image(model, processor, paths) -> np.ndarray:
    inputs = processor([Image.open(p) for p in paths], return_tensors="pt")
    with torch.no_grad():
        return model.get_image_features(**inputs).pooler_output.numpy()


@pytest.fixture(scope="module")
def encoder(clip_folder):
    return create_encoder(str(clip_folder), batch_size=2)


def test_it_fulfils_the_protocol(encoder):
    assert isinstance(encoder, DualEncoder)
    assert (encoder.width, encoder.max_tokens) == (24, 77)


def test_text_features_equal_transformers(encoder, clip_model, hf_tokenizer):
    ours = encoder.encode_text(TEXTS)
    assert ours.dtype == np.float32 and ours.shape == (len(TEXTS), 24)
    expected = theirs_text(clip_model, hf_tokenizer, TEXTS)
    np.testing.assert_allclose(ours, expected, atol=2e-6 * np.abs(expected).max() + 1e-6)
    assert np.abs(expected[0] - expected[5]).max() > 0.05  # texts differ, so equality says much


def test_legacy_end_id_pools_at_the_same_place(make_clip_model, save_clip, hf_tokenizer):
    model = make_clip_model(seed=5, eos_token_id=2)
    ours = create_encoder(str(save_clip(model))).encode_text(TEXTS)
    np.testing.assert_allclose(ours, theirs_text(model, hf_tokenizer, TEXTS), atol=5e-6)


def test_features_are_not_normalised(encoder):
    norms = np.linalg.norm(encoder.encode_text(TEXTS), axis=1)
    assert norms.std() > 1e-3


def test_image_features_equal_transformers(encoder, clip_model, image_processor, pictures):
    ours = encoder.encode_image(pictures)
    expected = theirs_image(clip_model, image_processor, pictures)
    np.testing.assert_allclose(ours, expected, atol=5e-6)
    assert encoder.image_failures == ()


def test_an_unreadable_picture_is_reported_and_its_row_is_nan(encoder, pictures, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    paths = [pictures[0], tmp_path / "broken.jpg", tmp_path / "absent.png", pictures[1]]
    rows = encoder.encode_image(paths)
    assert np.isnan(rows).all(axis=1).tolist() == [False, True, True, False]
    assert [failure.index for failure in encoder.image_failures] == [1, 2]
    np.testing.assert_allclose(rows[[0, 3]], encoder.encode_image(pictures[:2]), atol=1e-6)
    assert encoder.image_failures == ()


def test_truncated_texts_are_counted(clip_folder):
    encoder = create_encoder(str(clip_folder))
    encoder.encode_text(TEXTS)
    encoder.encode_text([TEXTS[3], TEXTS[3]])
    counts = encoder.text_counts
    assert (counts.texts, counts.truncated, counts.chunked) == (10, 4, 0)


def test_chunk_mean_is_the_mean_of_transformers_over_the_chunks(
    clip_folder, clip_model, hf_tokenizer
):
    encoder = create_encoder(str(clip_folder), long_text="chunk-mean")
    ours = encoder.encode_text(TEXTS)
    counts = encoder.text_counts
    assert (counts.truncated, counts.chunked) == (0, 2)
    short = [0, 1, 2, 4, 5, 6]
    expected = theirs_text(clip_model, hf_tokenizer, TEXTS)
    np.testing.assert_allclose(ours[short], expected[short], atol=5e-6)
    ids = hf_tokenizer(TEXTS[7], add_special_tokens=False)["input_ids"]
    halves = [[49406, *ids[:38], 49407], [49406, *ids[38:], 49407]]
    with torch.no_grad():
        parts = [
            clip_model.get_text_features(torch.tensor([half])).pooler_output[0] for half in halves
        ]
    np.testing.assert_allclose(ours[7], torch.stack(parts).mean(0).numpy(), atol=5e-6)


def test_equal_input_gives_equal_bytes_and_order_does_not_matter(encoder, pictures):
    first, again = encoder.encode_text(TEXTS), encoder.encode_text(TEXTS)
    assert first.tobytes() == again.tobytes()
    assert first[1].tobytes() == first[4].tobytes()
    np.testing.assert_allclose(encoder.encode_text(TEXTS[::-1])[::-1], first, atol=2e-6)
    assert encoder.encode_image(pictures).tobytes() == encoder.encode_image(pictures).tobytes()


def test_empty_input(encoder):
    assert encoder.encode_text([]).shape == (0, 24)
    assert encoder.encode_image([]).shape == (0, 24)


def test_global_random_state_is_left_alone(clip_folder):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    create_encoder(str(clip_folder)).encode_text(["a"])
    assert torch.equal(torch.rand(3), expected)


def test_lower_precision_computes_in_it_and_returns_float32(clip_folder, encoder):
    half = create_encoder(str(clip_folder), dtype="bfloat16")
    ours, exact = half.encode_text(TEXTS), encoder.encode_text(TEXTS)
    assert ours.dtype == np.float32 and half.hash != encoder.hash
    difference = np.abs(ours - exact).max()
    assert 0 < difference < 0.1 * np.abs(exact).max()


@pytest.fixture
def copied(clip_folder, tmp_path):
    return shutil.copytree(clip_folder, tmp_path / "copy")


def test_hash_is_equal_on_reload_and_ignores_where_it_lies(encoder, copied):
    assert create_encoder(str(copied)).hash == encoder.hash


def test_hash_changes_with_one_weight(encoder, copied):
    tensors = load_file(copied / "model.safetensors")
    tensors["vision_model.post_layernorm.bias"][0] += 1e-6
    save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
    assert create_encoder(str(copied)).hash != encoder.hash


def test_hash_changes_with_the_tokeniser(encoder, copied):
    state = json.loads((copied / "tokenizer.json").read_text(encoding="utf-8"))
    merges = state["model"]["merges"]
    merges[100], merges[101] = merges[101], merges[100]
    (copied / "tokenizer.json").write_text(json.dumps(state), encoding="utf-8")
    assert create_encoder(str(copied)).hash != encoder.hash


def test_hash_changes_with_the_preprocessing_and_the_rule_for_long_texts(encoder, copied):
    assert create_encoder(str(copied), long_text="chunk-mean").hash != encoder.hash
    path = copied / "preprocessor_config.json"
    state = json.loads(path.read_text())
    state["image_mean"] = [0.5, 0.5, 0.5]
    path.write_text(json.dumps(state))
    assert create_encoder(str(copied)).hash != encoder.hash


def test_old_weights_format_gives_the_same_encoder(encoder, copied):
    tensors = load_file(copied / "model.safetensors")
    (copied / "model.safetensors").unlink()
    torch.save(tensors, copied / "pytorch_model.bin")
    old = create_encoder(str(copied))
    assert old.hash == encoder.hash


def test_missing_weights_are_refused_and_never_invented(copied):
    tensors = load_file(copied / "model.safetensors")
    del tensors["text_projection.weight"]
    save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lack 1 of the model's tensors, first text_projection"):
        create_encoder(str(copied))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("model.safetensors", b"garbage", "weights cannot be loaded"),
        (
            "config.json",
            b'{"model_type": "bert"}',
            "'bert' is not supported .*of these types",
        ),
        ("config.json", b"[", "not valid JSON"),
        (
            "preprocessor_config.json",
            b'{"image_processor_type": "ViTImageProcessor"}',
            "not a known preprocessing",
        ),
        ("preprocessor_config.json", b"{}", r"pictures of \(224, 224\), the image tower expects"),
        ("tokenizer_config.json", b"[]", "not an object"),
        ("preprocessor_config.json", b'{"size": "large"}', "cannot be read as preprocessing"),
    ],
)
def test_broken_files_are_one_clear_line(copied, file, content, message):
    (copied / file).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        create_encoder(str(copied))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", ["model.safetensors", "preprocessor_config.json"])
def test_missing_files_are_named(copied, file):
    (copied / file).unlink()
    with pytest.raises(InputError, match=file):
        create_encoder(str(copied))


def test_a_tokeniser_of_another_model_is_refused(make_clip_model, save_clip):
    folder = save_clip(make_clip_model(vocab_size=50000, eos_token_id=49999))
    with pytest.raises(InputError, match="the text tower expects id 49999"):
        create_encoder(str(folder))


def test_causal_tower_trimmed_equals_padded_with_any_padding(clip_model):
    """The claim that trimming rests on, on transformers alone."""
    ids = torch.tensor([[49406, 320, 1125, 49407]])
    with torch.no_grad():
        trimmed = clip_model.get_text_features(ids).pooler_output
        for pad in (0, 7, 49407):
            full = torch.cat([ids, torch.full((1, 73), pad)], dim=1)
            padded = clip_model.get_text_features(full).pooler_output
            np.testing.assert_allclose(trimmed, padded, atol=2e-6)


def test_transformers_is_quiet_again_afterwards(clip_folder):
    before = transformers.logging.get_verbosity()
    create_encoder(str(clip_folder))
    assert transformers.logging.get_verbosity() == before
