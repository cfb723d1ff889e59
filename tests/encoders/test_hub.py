"""The hub's cache as its own client lays it out, built by hand; the network is never there."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import constants

from cliper.encoders import create_encoder, hub, list_encoders
from cliper.encoders.encode import encode_dataset
from cliper.errors import InputError

from .encode_world import choose, dataset_of, views_of

OLD, NEW = "1" * 40, "2" * 40


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache, and a network that nobody may use."""
    folder = tmp_path / "hub"
    folder.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return folder


def put(cache: Path, name: str, files: Path, commit: str, refs: tuple[str, ...] = ()) -> Path:
    """One commit of a repository, and the names that stand for it."""
    repository = cache / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / commit
    shutil.copytree(files, snapshot)
    (repository / "refs").mkdir(exist_ok=True)
    for ref in refs:
        (repository / "refs" / ref).write_text(commit)
    return snapshot


def changed(folder: Path, to: Path) -> Path:
    """A copy of a model with other picture settings."""
    shutil.copytree(folder, to)
    path = to / "preprocessor_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "image_mean": [0.1, 0.2, 0.3]}))
    return to


@pytest.mark.parametrize("family", ["siglip", "siglip2", "align", "blip", "chinese_clip"])
def test_every_family_is_found_in_the_cache(cache, make_small, family):
    folder = make_small(family).folder
    put(cache, "org/model", folder, NEW, refs=("main",))
    encoder = create_encoder("hf:org/model")
    local = create_encoder(str(folder))
    assert encoder.name == "hf:org/model" and encoder.hash == local.hash
    np.testing.assert_array_equal(encoder.encode_text(["a film"]), local.encode_text(["a film"]))
    assert encoder.source == {"repository": "org/model", "revision": None, "commit": NEW}
    assert local.source == {"path": str(folder)}


def test_named_encoders_are_their_repositories(cache, make_small):
    names = {"align": "kakaobrain/align-base", "siglip2-b-16": "google/siglip2-base-patch16-224"}
    for name, family in (("align", "align"), ("siglip2-b-16", "siglip2")):
        assert not {e["name"]: e for e in list_encoders()}[name]["available"]
        put(cache, names[name], make_small(family).folder, NEW, refs=("main",))
        assert {e["name"]: e for e in list_encoders()}[name]["available"]
        encoder = create_encoder(name)
        assert (encoder.name, encoder.source["repository"]) == (name, names[name])


def test_a_revision_is_a_branch_a_tag_or_a_commit(cache, make_small, tmp_path):
    new = make_small("siglip2").folder
    put(cache, "org/model", new, NEW, refs=("main",))
    put(cache, "org/model", changed(new, tmp_path / "old"), OLD, refs=("v1",))
    main = create_encoder("hf:org/model")
    for revision, commit in (("main", NEW), (NEW, NEW), ("v1", OLD), (OLD, OLD)):
        encoder = create_encoder(f"hf:org/model@{revision}")
        assert encoder.source == {
            "repository": "org/model",
            "revision": revision,
            "commit": commit,
        }
        assert (encoder.hash == main.hash) == (commit == NEW)


def test_a_revision_that_is_not_there_is_named(cache, make_small):
    put(cache, "org/model", make_small("siglip2").folder, NEW, refs=("main",))
    with pytest.raises(InputError, match=r"huggingface.co/org/model/tree/v9: the model is not in"):
        create_encoder("hf:org/model@v9")


def test_the_commit_is_recorded_beside_the_encodings(cache, make_small, tmp_path):
    put(cache, "org/model", make_small("siglip2").folder, NEW, refs=("main",))
    dataset, views = dataset_of(tmp_path / "data", 6), views_of(6)
    encode_dataset(dataset, views, choose("hf:org/model@main"))
    (path,) = (tmp_path / "data" / "encodings").glob("hf-org-model-main-*/*/about.json")
    about = json.loads(path.read_text())
    assert about["source"] == {"repository": "org/model", "revision": "main", "commit": NEW}
    assert about["encoder_hash"] == create_encoder("hf:org/model").hash
    assert path.parent.parent.name.endswith(about["encoder_hash"][:16])


def test_weights_stand_in_for_the_hub_and_share_its_rows(cache, make_small, tmp_path):
    folder = make_small("siglip2").folder
    dataset, views = dataset_of(tmp_path / "data", 6), views_of(6)
    reports = []
    first = encode_dataset(
        dataset, views, choose("siglip2-b-16", weights=folder), on_report=reports.append
    )
    put(cache, "google/siglip2-base-patch16-224", folder, NEW, refs=("main",))
    second = encode_dataset(dataset, views, choose("siglip2-b-16"), on_report=reports.append)
    assert first.key == second.key and reports[1].encoded_texts == 0
    with pytest.raises(InputError, match="'embedded' brings its own weights"):
        encode_dataset(dataset, views, choose(weights=folder))
    with pytest.raises(InputError, match="is a path itself, other weights would have no effect"):
        create_encoder(str(folder), weights=folder)


def test_open_clips_layout_is_found_in_the_cache(cache, tmp_path):
    for name in ("open_clip_model.safetensors", "tokenizer.json"):
        (tmp_path / "rn").mkdir(exist_ok=True)
        (tmp_path / "rn" / name).touch()
    put(cache, "timm/resnet50_clip.openai", tmp_path / "rn", NEW, refs=("main",))
    assert {e["name"]: e["available"] for e in list_encoders()}["clip-rn50"]
    with pytest.raises(InputError, match=r"open_clip_model\.safetensors: not safetensors"):
        create_encoder("clip-rn50")


@pytest.mark.parametrize("allow", [False, True])
def test_the_message_says_what_to_fetch_and_where_to_put_it(cache, allow):
    with pytest.raises(InputError) as caught:
        create_encoder("blip", allow_download=allow)
    said = str(caught.value)
    assert "\n" not in said
    for part in (
        "https://huggingface.co/Salesforce/blip-itm-base-coco",
        "config.json, preprocessor_config.json, model.safetensors",
        "tokenizer.json",
        "--weights FOLDER",
        "encoder.weights",
        "--encoder PATH",
        "HF_HUB_CACHE",
    ):
        assert part in said, part
    assert (str(cache) in said and "--download" in said) == (not allow)


def test_open_clips_files_are_named_for_its_repositories(cache):
    with pytest.raises(InputError, match=r"fetch open_clip_model\.safetensors, open_clip_config"):
        create_encoder("clip-rn50")


def test_commits_are_read_off_the_caches_layout():
    assert hub.commit_of(Path("/hub/models--a--b/snapshots/abc")) == "abc"
    assert hub.commit_of(Path("/home/me/weights")) is None
    assert hub.commit_of(Path("/home/me/snapshots")) is None
