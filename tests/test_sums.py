"""Digests against `sha256sum`, and every kind of directory against single flipped bits."""

import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cliper.data import Dataset, Interactions, Vocabulary
from cliper.encoders.assembled import load_assembled
from cliper.encoders.store import RowStore, text_keys
from cliper.errors import InputError
from cliper.experiments.run.experiment import evaluate_run
from cliper.experiments.run.finished import Run
from cliper.experiments.run.function import fit
from cliper.representation.from_encodings import cliper_features
from cliper.serving import Recommender
from cliper.sums import SUMS, check_sums, verify, write_sums
from cliper.tensor_files import load_tensors, save_tensors


def toy(path: Path, shift: int = 0) -> Dataset:
    user, item = (a.ravel() for a in np.indices((12, 10)))
    keep = (user + item + shift) % 3 > 0
    ids = [Vocabulary([f"{kind}{i}" for i in range(n)]) for kind, n in (("u", 12), ("i", 10))]
    return Dataset("toy", Interactions(*ids, user[keep], item[keep])).save(path)


def flip(path: Path, generator: random.Random) -> bytes:
    """Flip one bit; returns what was there."""
    good = path.read_bytes()
    bad = bytearray(good)
    bad[generator.randrange(len(bad))] ^= 1 << generator.randrange(8)
    path.write_bytes(bad)
    return good


def every_flip_is_noticed(files: list[Path], read: Callable[[], object], each: int = 40) -> None:
    generator = random.Random(0)
    read()
    for path in files:
        for _ in range(each):
            good = flip(path, generator)
            with pytest.raises(InputError) as caught:
                read()
            assert "\n" not in str(caught.value)
            path.write_bytes(good)
    read()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    for shift, name in ((0, "run"), (1, "other")):
        data = toy(folder / f"data-{name}", shift)
        fit(data, "popularity", out=folder / name)
    return folder


def test_sha256sum_agrees(tmp_path: Path) -> None:
    for name, content in (("a", b""), ("b b.txt", b"x" * 100_000)):
        (tmp_path / name).write_bytes(content)
    write_sums(tmp_path, ["a"], {"b b.txt": b"x" * 100_000})
    subprocess.run(["sha256sum", "--strict", "-c", SUMS], cwd=tmp_path, check=True)
    (tmp_path / "a").write_bytes(b"y")
    check_sums(tmp_path, "b b.txt", remedy="-")
    with pytest.raises(InputError, match="a: damaged or replaced"):
        check_sums(tmp_path, "b b.txt", "a", remedy="-")
    assert verify(tmp_path).damaged == [tmp_path / "a"]


def test_a_bit_of_a_dataset(tmp_path: Path) -> None:
    toy(tmp_path)
    every_flip_is_noticed(sorted(tmp_path.iterdir()), lambda: Dataset.load(tmp_path))


def test_a_bit_of_a_run(trained: Path) -> None:
    run = trained / "run"
    unread = {"log.txt", ".lock", "metrics.jsonl", "model.safetensors", "test_per_user.parquet"}
    unread |= {"embeddings.train.safetensors", "config.yaml", SUMS}
    read = [path for path in sorted(run.iterdir()) if path.name not in unread]
    assert len(read) >= 4

    def everything() -> None:
        Run.load(run)
        Recommender.load(run)

    every_flip_is_noticed(read, everything, each=15)
    config = run / "config.yaml"
    text = config.read_text()
    config.write_text(text.replace("path: ", "path: /moved"))
    everything()
    config.write_text(text.replace("seed: 0", "seed: 1"))
    with pytest.raises(InputError, match="not the settings that the run was trained with"):
        everything()
    config.write_text(text)
    for name in unread - {"log.txt", ".lock", "metrics.jsonl", "config.yaml", SUMS}:
        good = flip(run / name, random.Random(1))
        assert run / name in verify(run).damaged
        (run / name).write_bytes(good)


def test_another_runs_embeddings(trained: Path) -> None:
    own = (trained / "run" / "embeddings.safetensors").read_bytes()
    shutil.copy(trained / "other" / "embeddings.safetensors", trained / "run")
    with pytest.raises(InputError, match=r"embeddings\.safetensors: damaged or replaced"):
        evaluate_run(trained / "run")
    (trained / "run" / "embeddings.safetensors").write_bytes(own)
    evaluate_run(trained / "run")


def test_runs_of_earlier_versions_must_fit_together(trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained / "run", run)
    (run / SUMS).unlink()
    Recommender.load(run)
    import pyarrow.parquet as pq

    table = pq.read_table(run / "vocabulary.parquet")
    pq.write_table(table.slice(0, len(table) - 3), run / "vocabulary.parquet")
    with pytest.raises(InputError, match="different users or items"):
        Recommender.load(run)


def test_datasets_of_earlier_versions_are_compared_by_content(tmp_path: Path) -> None:
    toy(tmp_path / "a")
    toy(tmp_path / "b", shift=1)
    (tmp_path / "a" / SUMS).unlink()
    fit(Dataset.load(tmp_path / "a"), "popularity", out=tmp_path / "run")
    shutil.copy(tmp_path / "b" / "interactions.parquet", tmp_path / "a")
    with pytest.raises(InputError, match=r"not what dataset\.json speaks of"):
        fit(Dataset.load(tmp_path / "a"), "popularity", out=tmp_path / "run-2")


def test_a_bit_of_stored_rows(tmp_path: Path) -> None:
    keys = text_keys(["a", "b", "c"])
    RowStore(tmp_path, 4).append(keys, np.arange(12, dtype=np.float32).reshape(3, 4))
    every_flip_is_noticed(list(tmp_path.iterdir()), lambda: RowStore(tmp_path, 4).read(keys))


def test_a_bit_of_assembled_encodings(tmp_path: Path) -> None:
    (tmp_path / "about.json").write_text(
        '{"items_hash": "h", "encoder": "e", "key": "k", "views": ["title"]}'
    )
    text = np.random.default_rng(0).normal(size=(1, 5, 4)).astype(np.float32)
    np.save(tmp_path / "text.npy", text)
    np.save(tmp_path / "image.npy", text[0])
    np.save(tmp_path / "text_present.npy", np.ones((1, 5), np.bool_))
    np.save(tmp_path / "image_present.npy", np.ones(5, np.bool_))
    write_sums(tmp_path, [path.name for path in tmp_path.iterdir()])
    files = sorted(tmp_path.iterdir())
    every_flip_is_noticed(files, lambda: cliper_features(load_assembled(tmp_path)))


def test_opening_large_encodings_does_not_read_them(tmp_path, monkeypatch) -> None:
    test_a_bit_of_assembled_encodings(tmp_path)
    monkeypatch.setattr("cliper.encoders.assembled.SMALL", 100)
    flip(tmp_path / "text.npy", random.Random(5))
    encodings = load_assembled(tmp_path)
    with pytest.raises(InputError, match=r"text\.npy: damaged"):
        cliper_features(encodings)


def test_a_bit_of_a_checkpoint(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(7), "c": torch.zeros(0)}
    save_tensors(tmp_path / "x", tensors, {"epoch": 3, "z": [1.5]})
    back, facts = load_tensors(tmp_path / "x")
    assert facts == {"epoch": 3, "z": [1.5]} and all(torch.equal(back[k], tensors[k]) for k in back)
    content = (tmp_path / "x").read_bytes()
    for at in range(len(content)):
        bad = bytearray(content)
        bad[at] ^= 1
        (tmp_path / "x").write_bytes(bad)
        try:
            again, told = load_tensors(tmp_path / "x")
        except InputError:
            continue  # else it is the digest's own name that was hit: nothing else differs
        assert told == facts and all(torch.equal(again[k], tensors[k]) for k in tensors)


KILLED = """
import os, sys
from pathlib import Path
from cliper.files import atomic_path, temporary_folder
with atomic_path(Path(sys.argv[1]) / "a.bin") as part, temporary_folder(Path(sys.argv[1]) / "d"):
    part.write_bytes(b"half")
    print("ready", flush=True)
    input()
"""


def test_what_a_kill_leaves_is_swept_and_nothing_else(tmp_path: Path) -> None:
    from cliper.files import atomic_path, sweep

    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    sweep(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2  # its writer lives
    process.kill()
    process.wait()
    with atomic_path(tmp_path / "b") as part:
        sweep(tmp_path)
        assert [entry.name for entry in tmp_path.iterdir()] == [part.name]
        part.write_text("whole")
    assert [entry.name for entry in tmp_path.iterdir()] == ["b"]
