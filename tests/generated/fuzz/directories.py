"""What the package writes itself: datasets, encodings, fits, checkpoints, runs, searches."""

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

import cliper
from cliper.data import Catalogue, Dataset, Interactions, Vocabulary
from cliper.data.augmentation import Augmentation, training_hash
from cliper.encoders.adaptation.lora import LowRankAdapters
from cliper.encoders.adaptation.projection import Projection
from cliper.encoders.adaptation.report import AdaptationReport
from cliper.encoders.adaptation.retrieval import Direction, Retrieval, ViewRetrieval
from cliper.encoders.alignment import Alignment, AlignmentScore
from cliper.encoders.assembled import load_assembled, stored
from cliper.encoders.registry import register_encoder
from cliper.encoders.store import RowStore, text_keys
from cliper.experiments.comparisons.comparison import load_comparison
from cliper.experiments.comparisons.settings import CompareSettings
from cliper.experiments.comparisons.write import write_comparison
from cliper.experiments.pipeline.records import StageRecords
from cliper.experiments.reports.find import find_results
from cliper.experiments.reports.search_section import search_section
from cliper.experiments.reports.study_sections import study_sections
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.run.experiment import load_config
from cliper.experiments.run.validate import read_validation
from cliper.experiments.search import SearchSettings
from cliper.experiments.search.outcome import trials_of
from cliper.experiments.search.sampler import NumberedSampler
from cliper.experiments.search.space import parse_space
from cliper.experiments.search.trials import open_trials
from cliper.files import read_json
from cliper.representation.represent import represent
from cliper.runs import RunDirectory
from cliper.serving import Recommender
from cliper.sums import SUMS, read_sums, verify
from cliper.tensor_files import load_tensors
from generated.fuzz.reader import Read, Reader, files_of, reader
from generated.fuzz.settings import request_reader

M, N = 12, 10
SPACE = ["training.learning_rate=1e-3..1e-2"]


def shop() -> Dataset:
    """Twelve users, ten items, two fields, and guesses of a language model."""
    rng = np.random.default_rng(3)
    users, items = (Vocabulary([f"{c}{i}" for i in range(n)]) for c, n in (("u", M), ("i", N)))
    user, item = np.nonzero(rng.random((M, N)) < 0.6)
    rating = rng.random(len(user)).astype(np.float32)
    log = Interactions(users, items, user, item, rating, rng.permutation(len(user)))
    kinds = [["bag", "shoe", "hat"][i % 3] for i in range(N)]
    table = pa.table({"title": [f"thing {i}" for i in range(N)], "kind": kinds})
    guesses = Augmentation(
        training_hash(log),
        {"kind": "random", "seed": 0},
        np.array([[0, 1, 2], [1, 2, 3]]),
        ("likes bags", *(None,) * (M - 1)),
    )
    about = {"augmentation": {"training": guesses.training, "split": dict(guesses.split)}}
    described = Catalogue(items, table, (None,) * N, Path())
    return Dataset("shop", log, described, about=about, augmentation=guesses)


class _Hashed:
    """An encoder whose rows are of the texts' hashes."""

    name, max_tokens, width, hash = "hashed", 77, 4, "0" * 64

    def encode_text(self, texts: Any) -> np.ndarray[Any, Any]:
        return np.array([[len(text), 1, 2, 3] for text in texts], np.float32)

    def encode_image(self, images: Any) -> np.ndarray[Any, Any]:
        return np.ones((len(images), 4), np.float32)


def directory_readers() -> list[Reader]:
    """Of all of them, and of requests to a server of a run."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        register_encoder("hashed", "rows from lengths")(lambda _: _Hashed())
        dataset = shop().save(root / "ds")
        features = represent(dataset, encoder="hashed", fusion="concat")
        run = _run(dataset, root / "run")
        whole = files_of(root / "ds")
        own = {name: data for name, data in whole.items() if "/" not in name}
        return [
            *_pair("dataset", own, lambda path: Dataset.load(path.parent).check()),
            *_pair("run", run, _read_run, share=0.5),
            reader("run-recommend", _bare(run), _recommend, share=0.3),
            reader("sums", own, _sums, fixed=tuple(own.keys() - {SUMS})),
            reader(
                "json", {"any.json": b'{"a": [1, 2.5, null, "x"], "b": {"c": true}}'}, read_json
            ),
            *_encodings(root),
            *_tensors(root),
            reader("stages", {"stages.json": _STAGES}, _stages),
            reader(
                "validation", {"validation.json": _VALIDATION}, lambda p: read_validation(p.parent)
            ),
            _journal(root),
            *_results(dataset, root),
            request_reader(_run(dataset, root / "served", "vbpr", features), whole),
        ]


def _sums(path: Path) -> object:
    return read_sums(path.parent), verify(path.parent)


def _stages(path: Path) -> object:
    return StageRecords.read(path.parent).stages


def _run(
    dataset: Dataset, out: Path, backbone: str = "bpr", features: Any = None
) -> dict[str, bytes]:
    small, short = {"embedding_size": 4}, {"max_epochs": 2}
    cliper.fit(dataset, backbone, features, out=out, options=small, training=short)
    return {n: d for n, d in files_of(out).items() if n not in ("log.txt", ".lock")}


def _bare(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Without digests, as earlier versions wrote it: damage reaches what is behind them."""
    return {name: data for name, data in files.items() if not name.endswith((SUMS, ".sha256"))}


def _pair(name: str, files: Mapping[str, bytes], read: Read, **options: Any) -> list[Reader]:
    kept = {n: d for n, d in files.items() if not n.endswith(".lock")}
    return [
        reader(name, kept, read, **options),
        reader(f"{name}-bare", _bare(kept), read, **options),
    ]


def _read_run(path: Path) -> object:
    run = RunDirectory(path.parent)
    load_config(run)
    return (
        run.read_results(),
        run.read_metrics(),
        run.read_vocabulary(),
        run.read_seen(),
        run.read_per_user(),
        run.read_items(),
        run.read_scorer("train"),
        run.read_latest_scorer(),
        run.read_tensors("model.safetensors"),
    )


def _recommend(path: Path) -> object:
    found = Recommender.load(path.parent)
    users = found.users.ids()[:2]
    return found.recommend(users, 3), found.recommend(history=["i1"], k=2, where={"kind": "bag"})


def _encodings(root: Path) -> list[Reader]:
    folder = next(p.parent for p in (root / "ds" / "encodings").glob("hashed-*/*/about.json"))
    keys = text_keys(["a", "b", "c"])
    store = RowStore(root / "rows", width=2)
    store.append(keys[:2], np.eye(2, dtype=np.float32))
    store.append(keys[2:], np.ones((1, 2), np.float32))

    def rows(path: Path) -> object:
        opened = RowStore(path.parent, width=2)
        return opened.read(keys[opened.holds(keys)])

    def assembled(path: Path) -> object:
        found = load_assembled(path.parent)
        return np.array(found.text).tobytes(), found.image_present.sum(), stored(path.parent, "x")

    return [
        *_pair("encodings", files_of(folder), assembled),
        *_pair("rows", files_of(root / "rows"), rows),
    ]


def _without_digest(data: bytes) -> bytes:
    """Of a file of tensors: as earlier versions wrote it."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"].pop("sha256")
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def _tensors(root: Path) -> list[Reader]:
    rows = np.eye(3, dtype=np.float32)
    score = AlignmentScore(10, 2, 0.5, 0.1, 3, 0.07)
    Alignment(rows, rows[0], rows[1], rows, score).save(root / "alignment")
    LowRankAdapters({"x.a": torch.ones(1, 2), "x.b": torch.ones(2, 1)}, 0.5).save(root / "lora")
    Projection(rows, None).save(root / "projection")
    files = {name: (root / name).read_bytes() for name in ("alignment", "lora", "projection")}
    fits = files | {f"{name}-bare": _without_digest(data) for name, data in files.items()}
    kinds: dict[str, Callable[[Path], object]] = {
        "alignment": Alignment.load,
        "lora": LowRankAdapters.load,
        "projection": Projection.load,
    }

    def fit(path: Path) -> object:
        return kinds[path.name.partition("-")[0]](path)

    whole = _checkpoint(root)
    bare = _without_digest(whole)
    return [
        reader("fits", fits, fit),
        reader("tensors", {"whole": whole, "bare": bare}, load_tensors),
        Reader("checkpoint", {"whole": whole, "bare": bare}, _resume, share=0.3),
        reader("adaptation-report", {"report.json": _report(root)}, _read_report),
    ]


def _read_report(path: Path) -> object:
    return AdaptationReport.load(path.parent)


def _report(root: Path) -> bytes:
    side = Direction(2, 2, 0.5, 0.5, 1.0, 0.7, 1.5, 0.75)
    view = ViewRetrieval(side, side, 0.5, 0.1, 0.05)
    both = Retrieval(view, {"title": view})
    numbers = (8, 1, 1, 0, 2, 1, 0.07, (0.1, 0.2), 1.5)
    AdaptationReport("x+lora", {"kind": "lora"}, *numbers, both, both).write(root)
    return (root / "report.json").read_bytes()


def _training(folder: Path) -> Any:
    """A training that has not begun; its checkpoint is in the folder."""
    from cliper.experiments.run.build import build_training

    config = ExperimentConfig.build(
        {
            "dataset": {"path": "x"},
            "backbone": {"name": "bpr", "embedding_size": 4},
            "features": {"kind": "none"},
            "training": {"max_epochs": 1, "checkpoint_seconds": 0},
        }
    )
    return build_training(shop(), config, None, RunDirectory(folder), "identity")


def _checkpoint(root: Path) -> bytes:
    folder = root / "training"
    folder.mkdir()
    training = _training(folder)
    training.train(resume=False)
    training.trainer._save()
    return (folder / "checkpoint.safetensors").read_bytes()


def _resume(folder: Path) -> Read:
    training = _training(folder)

    def read(path: Path) -> object:
        if training.trainer.optimizer is None:
            training.train(resume=False)
        return training.trainer._restore(path)

    return read


def _journal(root: Path) -> Reader:
    space = parse_space(SPACE, "bpr")
    sampler = NumberedSampler(space, "random", 0)
    with open_trials(root / "search", space, 2, sampler) as trials:
        for number, _ in trials:
            trials.study.tell(number, 0.5)
    journal = (root / "search" / "study.journal").read_bytes()

    def read(path: Path) -> object:
        with open_trials(path.parent, space, 3, NumberedSampler(space, "random", 0)) as opened:
            return opened.left, [number for number, _ in zip_one(opened)], trials_of(opened.study)

    return reader("search-journal", {"study.journal": journal}, read, writes=True, share=0.3)


def zip_one(trials: Any) -> list[Any]:
    """The next trial alone."""
    return [one for one, _ in zip(trials, (0,), strict=False)]


def _results(dataset: Dataset, root: Path) -> list[Reader]:
    """A comparison, a study and a search, as a report reads them again."""
    base = {"training": {"max_epochs": 1}}
    plan = CompareSettings.parse({"backbones": ["bpr", "popularity"], "seeds": 2}, where="compare")
    write_comparison(plan.run(dataset, base, root / "cmp", processes=1), root / "cmp")
    tree = {
        "dataset": {"path": str(dataset.path)},
        "backbone": {"name": "bpr"},
        "features": {"kind": "none"},
        **base,
    }
    space = {"training.learning_rate": "1e-3..1e-2"}
    search = SearchSettings.parse({"space": space, "trials": 2}, where="search")
    search.run(dataset, tree, root / "found", processes=1)
    compared = files_of(root / "cmp") | {"command.txt": b"cliper compare x\n"}
    found = {n: (root / "found" / n).read_bytes() for n in ("search.json", "history.svg")}
    study = {"fusion.json": _STUDY, "a.svg": b"<svg><style>x</style></svg>"}
    held = tuple(n for n in compared if n.startswith("runs/"))
    return [
        reader("comparison", compared, _read_comparison, fixed=held, share=0.2),
        reader("search-results", found, lambda path: search_section(path.parent)),
        reader("study-results", study, _read_study),
    ]


def _read_comparison(path: Path) -> object:
    return load_comparison(path.parent), find_results(path.parent)


def _read_study(path: Path) -> object:
    return study_sections(path.parent), find_results(path.parent)


_STAGES = (
    b'{"schema": 1, "cliper_version": "0", "stages": {"train": {"state": "done", "key": "k", '
    b'"work": "w", "outputs": ["run/*"], "finished": "2020-01-01T00:00:00", "seconds": 1.5, '
    b'"facts": {"hash": "x"}}}}'
)
_VALIDATION = (
    b'{"valid": {"recall@20": 0.5}, "best_epoch": 1, "epochs_run": 2, "pruned": false, '
    b'"train_seconds": 1.5}'
)
_STUDY = (
    b'{"study": "fusion", "question": "q?", "metric": "recall@20", "protocol": "p", "skipped": '
    b'[{"arm": "x", "reason": "r"}], "findings": [{"text": "f"}], "figures": ["a.svg"], "arms": ['
    b'{"arm": "sum", "mean": {"recall@20": 0.5}, "std": {"recall@20": 0.1}, "seeds": [0, 1], '
    b'"against": "attention", "difference": 0.1, "low": 0.0, "high": 0.2, "evidence": "sure", '
    b'"p_users": 0.01, "p_seeds": null}]}'
)
