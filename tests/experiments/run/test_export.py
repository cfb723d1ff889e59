"""Exports against the run's own tensors, the dataset, and a computation by hand."""

import csv
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from cliper.data import Dataset, make_split, prepare_mmrec
from cliper.errors import InputError
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.run.experiment import run_experiment
from cliper.experiments.run.export import export_run
from cliper.experiments.run.finished import Run

sys.path.insert(0, str(Path(__file__).parents[1]))
from given_shop import C, D, M, N, make_given


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_given(tmp_path_factory.mktemp("given"))


def train(dataset: Dataset, out: Path, backbone: dict[str, object], **sections: object) -> Run:
    tree = {
        "dataset": {"path": str(dataset.path)},
        "backbone": {"embedding_size": 4, **backbone},
        "training": {"max_epochs": 2, "batch_size": 64, "learning_rate": 0.05},
        **sections,
    }
    return run_experiment(ExperimentConfig.build(tree), out)


@pytest.fixture(scope="module")
def plain(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "bpr"
    return train(dataset, out, {"name": "bpr"}, features={"kind": "none"})


def test_parquet_holds_embeddings_by_id(plain: Run, dataset: Dataset, tmp_path: Path) -> None:
    about = export_run(plain.path, tmp_path / "e")
    vectors = load_file(plain.path / "embeddings.safetensors")
    users = pq.read_table(tmp_path / "e" / "users.parquet")
    items = pq.read_table(tmp_path / "e" / "items.parquet")
    assert users["user_id"].to_pylist() == dataset.users.ids()
    assert np.array_equal(np.array(users["embedding"].to_pylist(), np.float32), vectors["users"])
    assert np.array_equal(np.array(items["embedding"].to_pylist(), np.float32), vectors["items"])
    counts = make_split(dataset, "given").train.item_counts()
    assert items["train_interactions"].to_pylist() == counts.tolist()
    assert [f["shapes"] for f in about["files"]] == [{"embedding": [M, 4]}, {"embedding": [N, 4]}]
    assert not (tmp_path / "e" / "item_features.parquet").exists()


def test_embeddings_alone_need_no_dataset(plain: Run, tmp_path: Path) -> None:
    config = plain.path / "config.yaml"
    text = config.read_text()
    try:
        config.write_text(text.replace("path: ", "path: /nowhere"))
        export_run(plain.path, tmp_path / "e")
        with pytest.raises(InputError, match="not a dataset"):
            export_run(plain.path, tmp_path / "m", "mmrec")
    finally:
        config.write_text(text)


@pytest.mark.parametrize("trained_rows", [True, False])
def test_mlp_features_are_what_the_trained_mlp_makes(
    dataset: Dataset, tmp_path: Path, trained_rows: bool
) -> None:
    backbone = {"name": "freedom", "trainable_features": trained_rows, "neighbours": 3}
    run = train(dataset, tmp_path / "run", backbone, fusion={"kind": "mlp"})
    export_run(run.path, tmp_path / "e")
    table = pq.read_table(tmp_path / "e" / "item_features.parquet")
    text = np.array(table["text"].to_pylist(), np.float32)
    assert text.shape == (N, D)
    state = load_file(run.path / "model.safetensors")
    weight = next(v for k, v in state.items() if k.endswith("text.mlp.weight"))
    bias = next(v for k, v in state.items() if k.endswith("text.mlp.bias"))
    if trained_rows:
        rows = next(v for k, v in state.items() if k.endswith("text.table"))
    else:
        assert dataset.path is not None
        views = np.load(dataset.path / "features" / "text.npy")
        views = views / np.linalg.norm(views, axis=2, keepdims=True)
        rows = views.transpose(1, 0, 2).reshape(N, C * D)
    made = rows @ weight.T + bias
    assert np.allclose(text, np.where(made > 0, made, 0.01 * made), atol=1e-5)


def test_mmrec_layout_gives_the_same_dataset_back(dataset: Dataset, tmp_path: Path) -> None:
    run = train(dataset, tmp_path / "run", {"name": "vbpr"}, fusion={"kind": "concat"})
    about = export_run(run.path, tmp_path / "mmrec", "mmrec")
    assert {f["name"] for f in about["files"]} == {
        "tiny.inter", "u_id_mapping.csv", "i_id_mapping.csv", "image_feat.npy", "text_feat.npy",
        "user_embeddings.npy", "item_embeddings.npy",
    }  # fmt: skip
    again = prepare_mmrec(tmp_path / "mmrec", tmp_path / "again")
    for part in ("train", "valid", "test"):
        ours, theirs = (getattr(make_split(d, "given"), part) for d in (dataset, again))
        for column in ("user_index", "item_index", "rating", "timestamp"):
            assert np.array_equal(getattr(ours, column), getattr(theirs, column))
    assert np.load(tmp_path / "mmrec" / "text_feat.npy").shape == (N, C * D)
    vectors = load_file(run.path / "embeddings.safetensors")
    for side in ("user", "item"):
        assert np.array_equal(
            np.load(tmp_path / f"mmrec/{side}_embeddings.npy"), vectors[f"{side}s"]
        )


def test_mappings_keep_awkward_ids(dataset: Dataset, tmp_path: Path) -> None:
    from cliper.data import Vocabulary
    from cliper.experiments.run.export import _write_mapping

    ids = ["a\tb", 'q"q', "plain", "ü", "=1+1", "-5"]
    _write_mapping(tmp_path / "m.csv", ("user_id", "userID"), Vocabulary(ids))
    told = ["a\\tb", 'q"q', "plain", "ü", "'=1+1", "-5"]
    with (tmp_path / "m.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream, delimiter="\t"))
    assert rows == [["user_id", "userID"], *([name, str(i)] for i, name in enumerate(told))]


def test_a_changed_dataset_and_a_used_directory_are_refused(plain: Run, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note").write_text("mine")
    with pytest.raises(InputError, match="holds no export"):
        export_run(plain.path, tmp_path / "full")
    with pytest.raises(InputError, match="did you mean 'parquet'"):
        export_run(plain.path, tmp_path / "new", "parket")
    export_run(plain.path, tmp_path / "new")
    export_run(plain.path, tmp_path / "new")  # an earlier export is written again
    other = make_given(tmp_path / "other", views=False)
    config = plain.path / "config.yaml"
    text = config.read_text()
    try:
        start = text.index("path: ")
        end = text.index("\n", start)
        config.write_text(f"{text[:start]}path: {other.path}{text[end:]}")
        with pytest.raises(InputError, match="changed since"):
            export_run(plain.path, tmp_path / "new", "mmrec")
    finally:
        config.write_text(text)
