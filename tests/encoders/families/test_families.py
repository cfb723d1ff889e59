"""Every family against `transformers` from end to end, on a small random model of it."""

import numpy as np
import pytest
import torch

from cliper.encoders import DualEncoder, create_encoder

from .small_models import CORPUS, FAMILIES

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
