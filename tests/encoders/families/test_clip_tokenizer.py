import gzip
import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from cliper.encoders.families.tokenizer_files import (
    OPENAI_MERGES,
    load_clip_tokenizer,
    vocabulary_of,
)
from cliper.errors import InputError

TEXTS = [
    "a photo of a cat",
    "The product title is Baby's First Blocks, 24-piece set!!",
    "  MIXED   case\tand\n\nnew lines ",
    "they're 3.5in x 12cm — 50% off… (naïve café, Москва, 東京, 🙂👍🏽)",
    "",
    "x",
    "don't we'll I'd it's I'm you've",
    "supercalifragilisticexpialidocious" * 3,
    "http://example.org/?q=1&lang=en#top",
    "<br/>bold</b> &amp; 100%",
]


def openai_folder(folder, merges):
    """A merges file as OpenAI publishes it."""
    lines = ['"bpe_simple_vocab_16e6.txt#version: 0.2', *(" ".join(pair) for pair in merges)]
    (folder / OPENAI_MERGES).write_bytes(gzip.compress("\n".join(lines).encode()))
    return folder


@pytest.fixture(scope="module")
def ours(clip_merges, tmp_path_factory):
    published = [*clip_merges, ("never", "used"), ("at", "all")]  # longer than what CLIP uses
    return load_clip_tokenizer(openai_folder(tmp_path_factory.mktemp("openai"), published))


@pytest.fixture(scope="module")
def instant():
    package = pytest.importorskip(
        "instant_clip_tokenizer", reason="CLIP's real vocabulary comes with instant-clip-tokenizer"
    )
    return package.Tokenizer()


def test_the_vocabulary_is_clips_id_by_id(clip_vocabulary, instant):
    assert len(clip_vocabulary) == 49408
    assert clip_vocabulary["<|startoftext|>"] == instant.start_of_text() == 49406
    assert clip_vocabulary["<|endoftext|>"] == instant.end_of_text() == 49407
    words = sorted(clip_vocabulary, key=clip_vocabulary.get)
    compared = 0
    for index, word in enumerate(words[:49406]):
        theirs = instant.decode([index])
        if word.isascii() and "�" not in theirs:
            assert theirs == word.replace("</w>", " ")
            compared += 1
    assert compared > 40_000  # the others are pieces of characters outside ASCII


def test_tokens_equal_the_package_with_the_real_vocabulary(ours, instant):
    for text, ids in zip(TEXTS, ours.encode(TEXTS), strict=True):
        assert ids.tolist() == instant.encode(text), text


@given(st.text(st.characters(max_codepoint=0x7E, min_codepoint=0x20), max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_ascii_text_equals_the_package(ours, instant, text):
    assert ours.encode([text])[0].tolist() == instant.encode(text)


def test_a_quoted_special_token_is_plain_text(ours, clip_folder):
    for tokenizer in (ours, load_clip_tokenizer(clip_folder)):
        (ids,) = tokenizer.encode(["a <|endoftext|> b <|startoftext|>"])
        assert not {*tokenizer.before, *tokenizer.after} & {*ids.tolist()}
        assert ids[0] == 320 and len(ids) > 5


def test_half_a_surrogate_pair_is_no_error(ours):
    (ids,) = ours.encode(["cat \ud83d dog"])
    assert ids[0] == ours.encode(["cat"])[0][0] and ids[-1] == ours.encode(["dog"])[0][0]


@given(st.lists(st.sampled_from(["a", "Straße", "é", "e\u0301", "🙂", "x" * 30, "I’m", "가각"])))
@settings(max_examples=60, deadline=None)
def test_cutting_megabytes_early_changes_no_kept_token(ours, words):
    text = " \n ".join([*words, "the end is near "] * 40)
    keep = 7
    (whole,), (cut,) = ours.encode([text]), ours.encode([text], keep=keep)
    assert cut[:keep].tolist() == whole[:keep].tolist()
    assert (len(cut) > keep) == (len(whole) > keep)


def test_early_cut_leaves_little_to_do(ours):
    (cut,) = ours.encode(["many words " * 100_000], keep=75)
    assert 75 < len(cut) < 10_000


def test_all_published_layouts_give_one_tokeniser(
    ours, clip_merges, clip_vocabulary, hf_tokenizer, tmp_path
):
    merges = [" ".join(pair) for pair in clip_merges]
    pair = tmp_path / "pair"
    pair.mkdir()
    (pair / "vocab.json").write_text(json.dumps(clip_vocabulary), encoding="utf-8")
    (pair / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
    saved = tmp_path / "saved"
    hf_tokenizer.save_pretrained(saved)
    expected = [ids.tolist() for ids in ours.encode(TEXTS)]
    for folder in (pair, saved):
        loaded = load_clip_tokenizer(folder)
        assert [ids.tolist() for ids in loaded.encode(TEXTS)] == expected
        assert (loaded.before, loaded.after, loaded.pad) == ((49406,), (49407,), 49407)
        assert loaded.hash == ours.hash


def test_hash_follows_the_merges(ours, tmp_path):
    merges = [("t", "h"), ("th", "e</w>")]
    few = load_clip_tokenizer(openai_folder(tmp_path, merges))
    assert few.size == len(vocabulary_of(merges))
    assert few.hash != ours.hash


def test_missing_and_broken_files_are_one_clear_line(tmp_path, hf_tokenizer):
    with pytest.raises(InputError, match=r"no tokeniser here .*openai/clip-vit-large-patch14"):
        load_clip_tokenizer(tmp_path)
    for broken in (
        b"not gzip",
        gzip.compress(b"#version\na b\nc d e\n"),
        gzip.compress(b"#\nqqq b"),
    ):
        (tmp_path / OPENAI_MERGES).write_bytes(broken)
        with pytest.raises(InputError, match=r"16e6\.txt\.gz: not a tokeniser"):
            load_clip_tokenizer(tmp_path)
    shutil.copy(__file__, tmp_path / "tokenizer.json")
    with pytest.raises(InputError, match="not a tokeniser"):
        load_clip_tokenizer(tmp_path)


def test_another_kind_of_tokeniser_is_refused(tmp_path):
    Tokenizer(WordLevel({"a": 0, "b": 1}, unk_token="a")).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(InputError, match=r"tokenizer\.json: WordLevel is not CLIP's kind"):
        load_clip_tokenizer(tmp_path)


def test_ids_are_int64(ours):
    assert all(ids.dtype == np.int64 for ids in ours.encode(["", "one two"]))
