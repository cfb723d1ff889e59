"""Large features stay on the disk: the same bytes, and the memory of a process does not hold them.

The large ones of these tests are small ones under a lower bound, but for the memory itself.
"""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cliper import tables
from cliper.backbones import create_backbone
from cliper.data import Dataset, Interactions, Vocabulary
from cliper.encoders.base import Encodings
from cliper.encoders.vanilla import VanillaEncodings
from cliper.representation.features import FeatureTable
from cliper.representation.from_encodings import cliper_features, vanilla_features
from cliper.representation.fusion import mean_row
from cliper.representation.represent import represent_dataset
from cliper.representation.settings import RepresentationSettings
from cliper.testing import toy_world
from cliper.training import Trainer, TrainingConfig


@pytest.fixture
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LARGE", 1)


def encodings(folder: Path | None = None) -> Encodings:
    draw = np.random.default_rng(0)
    present = draw.random((3, 50)) < 0.8
    pictured = draw.random(50) < 0.8
    text = draw.standard_normal((3, 50, 8), dtype=np.float32) * present[:, :, None]
    image = draw.standard_normal((50, 8), dtype=np.float32) * pictured[:, None]
    return Encodings("-", "none", "-", ("a", "b", "c"), text, present, image, pictured, folder)


def on_disk(table: torch.Tensor, folder: Path) -> bool:
    """The table's memory is a map of a file in the folder."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, *_, path = line.split(maxsplit=5)
        first, last = (int(end, 16) for end in span.split("-"))
        if first <= table.data_ptr() < last:
            return path.startswith(str(folder))
    return False


needs_maps = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@needs_maps
@pytest.mark.parametrize("fusion", ["attention", "sum", "concat", "mlp", "random", "learned"])
def test_fused_tables_on_disk_are_those_in_memory(
    fusion: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = {"a": 1.5, "b": 0.5, "c": 1.0, "image": 1.0} if fusion == "learned" else None
    plain = cliper_features(encodings(tmp_path), fusion, weights=weights)
    monkeypatch.setattr(tables, "LARGE", 1)
    mapped = cliper_features(encodings(tmp_path), fusion, weights=weights)
    for modality, table in mapped.tables.items():
        assert on_disk(table, tmp_path) and not on_disk(plain.tables[modality], tmp_path)
        assert torch.equal(table, plain.tables[modality])
    assert list(tmp_path.iterdir()) == []  # the files have no name


def test_the_mean_of_some_rows_is_numpys() -> None:
    draw = np.random.default_rng(1)
    rows, present = draw.standard_normal((9000, 3), dtype=np.float32), draw.random(9000) < 0.5
    expected = rows[present].astype(np.float64).mean(0).astype(np.float32)
    found = mean_row(torch.from_numpy(rows), torch.from_numpy(present))
    np.testing.assert_array_equal(found.numpy(), expected)
    assert mean_row(torch.ones(2, 1), torch.zeros(2, dtype=torch.bool)).tolist() == [0.0]


def test_a_folder_that_cannot_be_written_to_leaves_memory(everything_is_large: None) -> None:
    assert type(tables.zeros(2, 3, Path("/proc/no-such-folder"))) is np.ndarray


@pytest.mark.parametrize("mlp_width", [None, 3])
def test_a_large_table_is_divided_where_it_is_read(
    mlp_width: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = torch.randn(5000, 4, generator=torch.Generator().manual_seed(0))
    left, right = torch.randint(5000, (2, 70), generator=torch.Generator().manual_seed(1))

    def made() -> FeatureTable:
        draws = torch.Generator().manual_seed(2)
        length = torch.tensor(1.7)
        return FeatureTable(values, mlp_width=mlp_width, generator=draws, length=length)

    plain = made()
    monkeypatch.setattr(tables, "LARGE", 1)
    large, layer = made(), torch.nn.Linear(mlp_width or 4, 2)
    assert large.table.data_ptr() == values.data_ptr() != plain.table.data_ptr()
    assert torch.equal(plain(left), large(left)) and torch.equal(plain(), large())
    assert torch.equal(plain.difference(left, right), large.difference(left, right))
    torch.testing.assert_close(plain.through(layer), large.through(layer))
    assert torch.equal(values, large.table)  # nothing was written to


@pytest.mark.parametrize("name", ["vbpr", "deepstyle", "clcrec", "gru4rec", "sasrec"])
@pytest.mark.parametrize("is_mlp", [False, True])
def test_lookup_models_of_large_features_are_those_of_small_ones(
    name: str, is_mlp: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = toy_world()
    features = replace(world.features, mlp_width=8 if is_mlp else None)
    outcomes = []
    for bound in (tables.LARGE, 1):
        monkeypatch.setattr(tables, "LARGE", bound)
        model = create_backbone(name, world.train, features, fields=world.fields)
        config = TrainingConfig(batch_size=64, max_epochs=2)
        Trainer(model, world.train, config, lambda _: {"recall@20": 0.0}).fit()
        with torch.inference_mode():
            scores = model.eval().scorer()(torch.arange(world.train.n_users))
        outcomes.append({**model.state_dict(), "scores": scores})
    for key, plain in outcomes[0].items():
        assert torch.equal(plain, outcomes[1][key]), key


@needs_maps
def test_given_and_vanilla_features_on_disk(tmp_path: Path, everything_is_large: None) -> None:
    drawn = np.random.default_rng(0).standard_normal((40, 6), dtype=np.float32)
    whole, holed = drawn[:20].copy(), drawn[20:].copy()
    holed[3] = 0
    dataset = with_features(tmp_path, {"image": whole, "text": holed})
    settings = RepresentationSettings.parse({"features": {"kind": "vanilla"}})
    found = represent_dataset(dataset, settings)
    assert found is not None
    assert torch.equal(found.tables["image"], torch.from_numpy(whole))
    holed[3] = np.delete(holed, 3, axis=0).mean(0, dtype=np.float64)
    assert torch.equal(found.tables["text"], torch.from_numpy(holed))
    assert all(on_disk(t, tmp_path) for t in found.tables.values())
    there = np.arange(20) != 3
    v = VanillaEncodings("-", whole, there, holed, there, folder=tmp_path)
    made = vanilla_features("-", v.image, there, v.text, there, folder=v.folder)
    assert all(on_disk(t, tmp_path) for t in made.tables.values())


def with_features(folder: Path, arrays: dict[str, np.ndarray]) -> Dataset:
    """A dataset that brought its features."""
    n = len(next(iter(arrays.values())))
    keys = np.unique(np.random.default_rng(0).integers(50 * n, size=2000))
    users, items = (Vocabulary([f"{i}" for i in range(count)]) for count in (50, n))
    log = Interactions(users, items, keys // n, keys % n)
    dataset = Dataset("large", log, about={"features": {}}).save(folder / "data")
    assert dataset.path is not None
    (dataset.path / "features").mkdir()
    for name, array in arrays.items():
        np.save(dataset.path / "features" / f"{name}.npy", array)
    return Dataset.load(dataset.path)


CHILD = """
import sys, threading, time
from pathlib import Path
import torch
from cliper import tables
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.run.experiment import run_experiment
from cliper.serving import Recommender

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024

def watch():
    while True:
        peak[0] = max(peak[0], anonymous())
        time.sleep(0.005)

torch.set_num_threads(1)
tables.LARGE = 2**27
tree = {
    "dataset": {"path": sys.argv[1]}, "backbone": {"name": "vbpr"},
    "features": {"kind": "vanilla"}, "training": {"max_epochs": 1, "batch_size": 512},
}
before = anonymous()
peak = [before]
threading.Thread(target=watch, daemon=True).start()
run = run_experiment(ExperimentConfig.build(tree), Path(sys.argv[2]))
Recommender.load(run.path).recommend(["1"], 5)
print(peak[0] - before)
"""


@needs_maps
def test_training_and_recommending_take_less_memory_than_the_features(tmp_path: Path) -> None:
    """205 MB of features, most of whose rows are missing: one copy would break the bound."""
    dataset = with_features(tmp_path, {"image": np.zeros((20_000, 1), np.float32)})
    assert dataset.path is not None
    path = dataset.path / "features" / "image.npy"
    array = np.lib.format.open_memmap(path, "w+", np.float32, (20_000, 2_560))
    array[::10] = np.random.default_rng(0).standard_normal((2000, 2560), dtype=np.float32)
    del array
    command = [sys.executable, "-c", CHILD, str(dataset.path), str(tmp_path / "run")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert float(found.stdout) < 300, found.stdout
