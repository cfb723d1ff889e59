import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cliper.encoders import create_encoder, hub, list_encoders, register_encoder, registry
from cliper.encoders.settings import EncoderSettings
from cliper.errors import InputError

NAMES = [
    *("embedded", "clip-vit-b-32", "clip-vit-l-14", "clip-rn50", "long-clip-l"),
    *("siglip2-b-16", "siglip-b-16", "align", "blip", "chinese-clip-b-16"),
]


@pytest.fixture
def no_hub(monkeypatch):
    """A hub with an empty cache that is out of reach; returns what it was asked for."""
    asked: list[tuple[str, bool]] = []

    def refuse(repository, *_args, local_files_only=False, **_kwargs):
        asked.append((repository, local_files_only))
        raise hub.LocalEntryNotFoundError("cannot reach the hub\nand a second line")

    monkeypatch.setattr(hub, "snapshot_download", refuse)
    monkeypatch.setattr(hub, "hf_hub_download", refuse)
    return asked


def test_names_summaries_and_availability(no_hub):
    listed = list_encoders()
    assert [e["name"] for e in listed][: len(NAMES)] == NAMES
    assert all(set(e) == {"name", "summary", "available"} and e["summary"] for e in listed)
    assert {e["name"]: e["available"] for e in listed}["clip-vit-l-14"] is False
    assert all(local for _, local in no_hub), "listing must not use the network"


@pytest.mark.parametrize(
    ("typed", "near"),
    [("clip-vit-l14", "clip-vit-l-14"), ("longclip-l", "long-clip-l"), ("Embeded", "embedded")],
)
def test_unknown_names_get_the_nearest(typed, near):
    with pytest.raises(InputError, match=f"unknown encoder '{typed}' .did you mean '{near}'"):
        create_encoder(typed)


def test_a_name_like_nothing_gets_the_list():
    with pytest.raises(
        InputError, match=r"one of embedded, clip-vit-b-32.* hf:ORG/NAME, or a path"
    ):
        create_encoder("zzzzzz")


@pytest.mark.parametrize("name", [*NAMES[1:], "hf:org/model", "hf:org/model@main"])
def test_nothing_is_downloaded_unless_asked(no_hub, name):
    with pytest.raises(InputError, match=r"downloading was not asked for .*--encoder PATH"):
        create_encoder(name)
    assert no_hub and all(local for _, local in no_hub)


@pytest.mark.parametrize("name", ["clip-vit-b-32", "long-clip-l", "align", "hf:org/model@v1"])
def test_a_hub_out_of_reach_is_one_clear_line(no_hub, name):
    with pytest.raises(InputError, match=r"https://huggingface.co/.*could not be downloaded") as e:
        create_encoder(name, allow_download=True)
    assert "--encoder PATH" in str(e.value) and "\n" not in str(e.value)
    assert [local for _, local in no_hub] == [True, False], "the cache first, then the network"


def test_a_cached_model_is_used_without_the_network(monkeypatch, clip_folder):
    asked = []

    def cached(repository, *_args, local_files_only=False, **_kwargs):
        asked.append((repository, local_files_only))
        return str(clip_folder)

    monkeypatch.setattr(hub, "snapshot_download", cached)
    encoder = create_encoder("clip-vit-b-32", allow_download=True)
    assert asked == [("openai/clip-vit-base-patch32", True)]
    assert encoder.name == "clip-vit-b-32"


def test_a_download_falls_back_to_the_older_weights_format(monkeypatch, tmp_path):
    rounds = []

    def download(_repository, *, allow_patterns=(), local_files_only=False, revision=None):
        if local_files_only:
            raise hub.LocalEntryNotFoundError("not cached")
        rounds.append(allow_patterns)
        (tmp_path / "config.json").touch()
        if "pytorch_model.bin" in allow_patterns:
            (tmp_path / "pytorch_model.bin").touch()
        return str(tmp_path)

    monkeypatch.setattr(hub, "snapshot_download", download)
    assert hub.fetch_model("org/old", allow_download=True) == tmp_path
    assert len(rounds) == 2 and "model.safetensors" in rounds[0]
    assert not any("pytorch" in pattern for pattern in rounds[0])


def test_a_cached_folder_in_part_is_not_the_model(monkeypatch, tmp_path):
    monkeypatch.setattr(hub, "snapshot_download", lambda *_a, **_k: str(tmp_path))
    parts = ["config.json", "model.safetensors", "tokenizer.json", "preprocessor_config.json"]
    for part in parts:
        assert hub.cached_model("org/part") is None
        (tmp_path / part).touch()
    assert hub.cached_model("org/part") == tmp_path


def test_weights_stand_in_for_the_hub_under_the_name(no_hub, clip_folder):
    encoder = create_encoder("clip-vit-l-14", weights=clip_folder, allow_download=True)
    assert encoder.name == "clip-vit-l-14" and no_hub == []


def test_a_local_path_never_asks_the_hub(no_hub, clip_folder, tmp_path):
    assert create_encoder(str(clip_folder), allow_download=True).name == clip_folder.name
    for path in (tmp_path / "absent", tmp_path / "absent.pt"):
        with pytest.raises(InputError, match=r"absent.*: no such file or folder"):
            create_encoder(str(path), allow_download=True)
    with pytest.raises(InputError, match=r"no config.json, and no .safetensors or .pt"):
        create_encoder(str(tmp_path), allow_download=True)
    assert no_hub == []


def test_a_repository_name_must_be_one(no_hub):
    for name in ("hf:model", "hf:a/b/c", "hf:/b", "hf:", "hf:a/b@", "hf:a/../b"):
        with pytest.raises(InputError, match="write hf:ORG/NAME"):
            create_encoder(name, allow_download=True)
    assert no_hub == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "float64"}, r"encoder.dtype: .*'float32'.*got 'float64'"),
        ({"long_text": "sum"}, r"encoder.long_text: .*'truncate' or 'chunk-mean', got 'sum'"),
        ({"device": "gpu"}, r"encoder.device: .*auto\|cpu\|cuda.*got 'gpu'"),
        ({"device": "meta"}, r"encoder.device: .*got 'meta'"),
        ({"batch_size": 0}, r"encoder.batch_size.*greater than or equal to 1, got 0"),
    ],
)
def test_options_out_of_range_are_refused(clip_folder, options, message):
    with pytest.raises(InputError, match=message):
        create_encoder(str(clip_folder), **options)


def test_fields_beside_whole_settings_are_refused() -> None:
    with pytest.raises(InputError, match=r"encoder.device: stands beside settings"):
        create_encoder(EncoderSettings(), device="cpu")


def test_registering_a_new_encoder(monkeypatch, clip_folder):
    list_encoders()  # the named ones register once a process, so before the copy
    monkeypatch.setattr(registry.ENCODERS, "entries", dict(registry.ENCODERS.entries))

    @register_encoder("mine", "a test's own")
    def make(options):
        assert options.dtype == "bfloat16"
        return create_encoder(str(clip_folder))

    assert create_encoder("mine", dtype="bfloat16").width == 24
    assert list_encoders()[-1] == {"name": "mine", "summary": "a test's own", "available": True}
    with pytest.raises(ValueError, match="two encoders are named"):
        register_encoder("mine", "again")(make)


def test_importing_the_room_loads_no_model_library():
    code = (
        "import sys, cliper.encoders as e; e.list_encoders; "
        "print([m for m in ('transformers', 'huggingface_hub', 'tokenizers') if m in sys.modules])"
    )
    source = str(Path(registry.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": source},
    )
    assert done.stdout.strip() == "[]"


MINE = """
from cliper.encoders import create_encoder, register_encoder

@register_encoder("mine", "a stranger's")
def make(options):
    return create_encoder(FOLDER, dtype=options.dtype)
"""
LIST = """
import json
from cliper.encoders import create_encoder, list_encoders
rows = {row["name"]: row for row in list_encoders()}
print(json.dumps([rows["mine"], create_encoder("mine").width, "embedded" in rows]))
"""


def test_encoders_of_installed_packages(clip_folder, tmp_path):
    """A package that registers one is listed; one that cannot be imported is warned about."""
    (tmp_path / "mine_encoders.py").write_text(MINE.replace("FOLDER", repr(str(clip_folder))))
    for name, module in (("mine", "mine_encoders"), ("broken", "no_such_module")):
        info = tmp_path / f"{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[cliper.encoders]\n{name} = {module}\n")
    path = os.pathsep.join([str(tmp_path), str(Path(registry.__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, "-c", LIST],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    listed = {"name": "mine", "summary": "a stranger's", "available": True}
    assert json.loads(done.stdout) == [listed, 24, True]
    assert "the encoder package 'no_such_module' cannot be loaded" in done.stderr
