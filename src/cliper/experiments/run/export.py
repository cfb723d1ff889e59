"""`export`: a run's embeddings and features, for other tools."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
import torch

from cliper.config import nearest
from cliper.data import Dataset, Vocabulary
from cliper.errors import InputError
from cliper.escape import in_csv
from cliper.experiments.drawing.adaptation import with_figure
from cliper.experiments.run.experiment import dataset_of, load_config
from cliper.experiments.run.finished import Run
from cliper.experiments.run.split import experiment_split
from cliper.files import atomic_path, write_json
from cliper.representation.represent import represent_dataset
from cliper.scoring import FactorScorer
from cliper.types import FloatArray, JsonObject

FORMATS = ("parquet", "mmrec")
ABOUT = "export.json"
Files = list[JsonObject]


def export_run(path: Path, out: Path, layout: str = "parquet") -> JsonObject:
    """Write a run's final embeddings, its ids and the features that it was given.

    `parquet`: `users.parquet` and `items.parquet` (id, embedding; items also the number of
    training interactions), `item_features.parquet` (item_id, image, text).
    `mmrec`: `<name>.inter` (tab-separated, integer ids, `x_label` 0/1/2 from the run's split),
    `image_feat.npy` and `text_feat.npy` (row i belongs to itemID i), `u_id_mapping.csv` and
    `i_id_mapping.csv` (`cliper.escape.in_csv` of ids; `parquet` has them as they are), and
    `user_embeddings.npy`, `item_embeddings.npy`.

    Text features are the fused ones (Eq. 3); with the MLP fusion, what the trained MLP makes of
    the views. A run without features gives no feature files.

    Args:
        path: a finished run.
        out: a new or empty directory, or an earlier export.
        layout: `parquet` or `mmrec`.

    Returns:
        What `export.json` says: the run, and each file's name and the shapes of what it holds.

    Raises:
        InputError: no finished run, an unknown layout, a dataset that changed since, or `out`
            holds something else.
    """
    if layout not in FORMATS:
        raise InputError(
            f"no format {layout!r}", where="--format", remedy=nearest(layout, list(FORMATS))
        )
    run = Run.load(path)
    _check_out(out)
    config = load_config(run.directory)
    needs_dataset = layout == "mmrec" or config.features.kind != "none"
    dataset = dataset_of(run, config) if needs_dataset else None
    features = _features(run, dataset) if dataset is not None else {}
    users, items, counts = run.directory.read_vocabulary()
    embeddings = _embeddings(run)
    out.mkdir(parents=True, exist_ok=True)
    (out / ABOUT).unlink(missing_ok=True)
    dropped: dict[str, int] = {}
    if layout == "parquet":
        files = _parquet(out, users, items, counts, embeddings, features)
    else:
        assert dataset is not None
        files, dropped = _mmrec(run, dataset, out, embeddings, features)
    about: JsonObject = {
        "run": str(path),
        "format": layout,
        "dataset": run.results.dataset.name,
        "backbone": run.results.backbone,
        "features": run.results.features.model_dump(),
        "files": files,
        "rows_in_no_part_of_the_split": dropped,
    }
    write_json(out / ABOUT, about)
    return about


def _embeddings(run: Run) -> dict[str, FloatArray]:
    scorer = run.directory.read_scorer()
    if not isinstance(scorer, FactorScorer):
        raise InputError(
            f"{run.results.backbone} scores by more than inner products: it has no embeddings",
            where=str(run.path),
            remedy="export a run of another backbone",
        )
    return {
        "users": np.asarray(scorer.users, np.float32),
        "items": np.asarray(scorer.items, np.float32),
    }


def _check_out(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise InputError("this is a file", where=str(out), remedy="name a directory")
    if out.is_dir() and any(out.iterdir()) and not (out / ABOUT).is_file():
        raise InputError(
            "is not empty and holds no export", where=str(out), remedy="choose another --out"
        )


def _features(run: Run, dataset: Dataset) -> dict[str, FloatArray]:
    """Modality → (N, D); from the encoding store, text through the trained MLP if there is one."""
    features = represent_dataset(
        dataset,
        load_config(run.directory).representation,
        with_figure(),
        weights=run.results.features.weights,
    )
    if features is None:
        return {}
    tables = {str(m): features.tables[m].float() for m in features.modalities}
    if features.mlp_width is not None and "text" in tables:
        tables["text"] = _through_mlp(run, tables["text"], features.mlp_width)
    return {m: np.asarray(t.numpy(), np.float32) for m, t in tables.items()}


def _through_mlp(run: Run, views: torch.Tensor, width: int) -> torch.Tensor:
    """Eq. 3's MLP as it was trained; the rows too, where the backbone trained them."""
    state = run.directory.read_tensors("model.safetensors")
    fitting = [
        name.removesuffix("mlp.weight")
        for name, tensor in state.items()
        if name.endswith("mlp.weight") and tensor.shape == (width, views.shape[1])
    ]
    if len(fitting) != 1:
        raise InputError("the trained MLP fusion is not in the model", where=str(run.path))
    prefix = fitting[0]
    rows = state.get(f"{prefix}table", views)
    weight, bias = state[f"{prefix}mlp.weight"], state[f"{prefix}mlp.bias"]
    return torch.nn.functional.leaky_relu(torch.nn.functional.linear(rows, weight, bias))


def _parquet(
    out: Path,
    users: Vocabulary,
    items: Vocabulary,
    counts: npt.NDArray[np.int64],
    embeddings: dict[str, FloatArray],
    features: dict[str, FloatArray],
) -> Files:
    item_columns = {"item_id": items.array, "train_interactions": counts}
    plan: list[tuple[str, dict[str, Any], dict[str, FloatArray]]] = [
        ("users.parquet", {"user_id": users.array}, {"embedding": embeddings["users"]}),
        ("items.parquet", item_columns, {"embedding": embeddings["items"]}),
    ]
    if features:
        plan.append(("item_features.parquet", {"item_id": items.array}, features))
    files = []
    for name, columns, arrays in plan:
        table = pa.table({**columns, **{n: _vectors(array) for n, array in arrays.items()}})
        with atomic_path(out / name) as temporary:
            pq.write_table(table, temporary)
        files.append(_file(name, **arrays))
    return files


def _mmrec(
    run: Run,
    dataset: Dataset,
    out: Path,
    embeddings: dict[str, FloatArray],
    features: dict[str, FloatArray],
) -> tuple[Files, dict[str, int]]:
    config = load_config(run.directory)
    split = experiment_split(dataset, config)
    parts = (split.train, split.valid, split.test)
    columns: dict[str, npt.NDArray[Any]] = {
        "userID": np.concatenate([p.user_index for p in parts]),
        "itemID": np.concatenate([p.item_index for p in parts]),
    }
    for name in ("rating", "timestamp"):
        values = [getattr(p, name) for p in parts]
        if all(v is not None for v in values):
            columns[name] = np.concatenate(values)
    columns["x_label"] = np.repeat(np.arange(3), [len(p) for p in parts])
    log = f"{_file_name(dataset.name)}.inter"
    _write_log(out / log, columns)
    files = [_file(log, interactions=columns["x_label"])]
    for name, header, ids in (
        ("u_id_mapping.csv", ("user_id", "userID"), dataset.users),
        ("i_id_mapping.csv", ("item_id", "itemID"), dataset.items),
    ):
        _write_mapping(out / name, header, ids)
        files.append(_file(name, ids=np.empty(len(ids))))
    arrays = {f"{m}_feat.npy": (m, table) for m, table in features.items()}
    arrays |= {f"{w[:-1]}_embeddings.npy": ("embedding", a) for w, a in embeddings.items()}
    for name, (holds, array) in arrays.items():
        with atomic_path(out / name) as temporary, temporary.open("wb") as stream:
            np.save(stream, array, allow_pickle=False)
        files.append(_file(name, **{holds: array}))
    return files, {reason: int(n) for reason, n in split.dropped.items()}


def _file(name: str, **arrays: npt.NDArray[Any]) -> JsonObject:
    return {"name": name, "shapes": {holds: list(a.shape) for holds, a in arrays.items()}}


def _write_log(path: Path, columns: dict[str, npt.NDArray[Any]]) -> None:
    """Numbers alone, so nothing needs quotes; Arrow would quote the header."""
    options = arrow_csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(("\t".join(columns) + "\n").encode())
        arrow_csv.write_csv(pa.table(columns), stream, options)


def _write_mapping(path: Path, header: tuple[str, str], ids: Vocabulary) -> None:
    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
        writer.writerow(header)
        writer.writerows((in_csv(name), index) for index, name in enumerate(ids.ids()))


def _vectors(table: FloatArray) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(table.ravel()), table.shape[1])


def _file_name(name: str) -> str:
    """A dataset's name as a file's."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip(".") or "dataset"
