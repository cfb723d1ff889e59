"""`cliper.fit` and the names that `import cliper` offers."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

import cliper
from cliper.data import Dataset
from cliper.errors import InputError, MismatchError
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.run.experiment import run_experiment
from cliper.experiments.run.function import _put, describe_features
from cliper.files import locked

sys.path.insert(0, str(Path(__file__).parents[1]))
from given_shop import make_given

QUICK = {"max_epochs": 2, "batch_size": 64}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_given(tmp_path_factory.mktemp("given"))


@pytest.mark.parametrize(
    "made",
    [
        {"fusion": "attention", "temperature": 0.3},
        {"fusion": "concat"},
        {"fusion": "mlp", "views": ["view-2", "view-0"]},
        {"fusion": "learned", "split": {"kind": "random", "seed": 4}},
        {"kind": "vanilla"},
    ],
    ids=str,
)
def test_config_yaml_is_enough_to_run_it_again(dataset, tmp_path, made):
    features = cliper.represent(dataset, **made)
    run = cliper.fit(
        dataset, "vbpr", features, seed=4, out=tmp_path / "a", options={"embedding_size": 8},
        training=QUICK, split="random", mask="train",
    )  # fmt: skip
    tree = yaml.safe_load((tmp_path / "a" / "config.yaml").read_text())
    identity = tree.pop("identity")
    again = run_experiment(ExperimentConfig.build(tree), tmp_path / "b")
    assert again.results.test == run.results.test
    model = "model.safetensors"
    assert (tmp_path / "a" / model).read_bytes() == (tmp_path / "b" / model).read_bytes()
    assert again.directory.read_config()["identity"] == identity
    assert run.results.protocol.mask == "train"
    assert run.results.config["training"]["seed"] == 4


def test_features_learned_from_what_is_tested_are_refused(dataset, tmp_path):
    features = cliper.represent(dataset, fusion="learned", split={"kind": "random", "seed": 1})
    with pytest.raises(InputError, match="learned from another training part"):
        cliper.fit(dataset, "vbpr", features, seed=2, out=tmp_path / "a", training=QUICK)
    with pytest.raises(InputError, match="split: has no effect"):
        cliper.represent(dataset, fusion="concat", split={"seed": 1})


def test_the_limit_of_the_temperature_is_written_as_settings_write_it(dataset):
    features = cliper.represent(dataset, fusion="attention", temperature=float("inf"))
    assert describe_features(features)["fusion"] == {"kind": "attention", "temperature": "inf"}


def test_an_adapted_encoder_is_told_apart_from_its_name(dataset):
    features = replace(
        cliper.represent(dataset, fusion="sum"), kind="cliper", encoder="clip-vit-b-32+lora"
    )
    told = {"name": "clip-vit-b-32", "adapt": {"kind": "lora"}}
    assert describe_features(features)["encoder"] == told
    tree: dict = {"encoder": {"adapt": {"kind": "lora", "rank": 2}}}
    _put(tree, "encoder", told)
    assert tree["encoder"] == {"name": "clip-vit-b-32", "adapt": {"kind": "lora", "rank": 2}}
    with pytest.raises(InputError, match=r"encoder\.adapt\.kind: given twice"):
        _put({"encoder": {"adapt": {"kind": "projection"}}}, "encoder", told)


def test_one_modality_is_told(dataset, tmp_path):
    features = cliper.represent(dataset, fusion="sum").only("image")
    run = cliper.fit(dataset, "vbpr", features, out=tmp_path / "a", training=QUICK)
    assert run.results.config["features"]["modalities"] == ["image"]


def test_a_run_answers(dataset, tmp_path):
    run = cliper.fit(dataset, "bpr", out=str(tmp_path / "a"), training=QUICK)
    assert 0 <= run.results.test["recall@20"] <= 1
    user = dataset.users.ids([0])
    assert len(run.recommend(user, k=5)) == 5
    assert cliper.Run.load(tmp_path / "a").results == run.results
    with pytest.raises(InputError, match="resume"):
        cliper.fit(dataset, "bpr", out=tmp_path / "a", training=QUICK)
    again = cliper.fit(dataset, "bpr", out=tmp_path / "a", training=QUICK, resume=True)
    assert again.results == run.results


def test_what_cannot_be_is_refused_before_anything_is_written(dataset, tmp_path):
    features = cliper.represent(dataset, fusion="sum")
    out = tmp_path / "a"
    with pytest.raises(InputError, match="uses no features"):
        cliper.fit(dataset, "bpr", features, out=out)
    with pytest.raises(InputError, match="needs item features"):
        cliper.fit(dataset, "freedom", out=out)
    with pytest.raises(InputError, match="no directory"):
        cliper.fit(dataset, "bpr")
    with pytest.raises(InputError, match="did you mean 'max_epochs'"):
        cliper.fit(dataset, "bpr", out=out, training={"max_epoch": 1})
    with pytest.raises(InputError, match=r"training\.seed: given twice"):
        cliper.fit(dataset, "bpr", out=out, seed=1, settings={"training": {"seed": 2}})
    other = Dataset("other", dataset.interactions.__class__(
        dataset.users, cliper.Dataset.load(dataset.path).items.__class__(["x"]), [0], [0]
    ))  # fmt: skip
    with pytest.raises(MismatchError):
        cliper.fit(other, "vbpr", features, out=out)
    assert not out.exists()


def test_every_public_name_is_there_and_import_is_light():
    assert all(getattr(cliper, name) is not None for name in cliper.__all__)
    assert set(cliper.__all__) <= set(dir(cliper))
    with pytest.raises(AttributeError):
        cliper.nothing  # noqa: B018
    code = "import sys, cliper; assert not {'torch', 'numpy', 'pydantic'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_two_trainings_do_not_share_a_directory(dataset, tmp_path):
    out = tmp_path / "run"
    with locked(out, "trains"), pytest.raises(InputError, match="another command trains here"):
        cliper.fit(dataset, "bpr", out=out, training=QUICK)
    assert [path.name for path in out.iterdir()] == [".lock"]
    run = cliper.fit(dataset, "bpr", out=out, training=QUICK)
    with locked(out, "trains"):  # a finished run is only read
        assert cliper.fit(dataset, "bpr", out=out, training=QUICK, resume=True).path == run.path
