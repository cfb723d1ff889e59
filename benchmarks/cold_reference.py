"""Cold items by the simplest content model there is, on every representation of `embedded`.

    python benchmarks/cold_reference.py MOVIELENS_POSTERS_FOLDER [--seeds 5] [--cache FILE.npz]

Positives are ratings of at least 4, 5-core. A seeded 20 % of the items are the test's, another
10 % are set aside; both lose their interactions. User factors come from a rank-64 SVD of the
remaining matrix, item factors by ridge regression (penalty 1 and 10) from content, whose rows have
unit length; Recall@20 among the test's items, mean and deviation over the seeds. No training, no
hyper-parameter chosen on anything: what differs between rows of the table is the content alone.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import svds

from cliper.encoders.alignment import Alignment, AlignmentConfig
from cliper.encoders.alignment_fit import fit_alignment
from cliper.encoders.efficientnet import EfficientNetLite
from cliper.encoders.minilm import MiniLM

Array = npt.NDArray[np.float64]
TEMPLATES = {
    "title": "The film title is {}",
    "director": "The film is directed by {}",
    "categories": "The film categories are {}",
    "description": "The film description is {}",
    "cast": "The film stars {}",
    "year": "The film was released in {}",
}
FOUR = ("title", "director", "categories", "description")
TEMPERATURES = (0.05, 0.1, 0.2, 0.5, 0.7)


def interactions(folder: Path, ids: list[str]) -> tuple[sp.csr_matrix, npt.NDArray[np.int64]]:
    """The binary 5-core of ratings of at least 4, and which of `ids` its columns are."""
    index = {name: i for i, name in enumerate(ids)}
    with (folder / "interactions.csv").open(newline="") as stream:
        rows = [r for r in csv.DictReader(stream) if float(r["rating"]) >= 4]
    pairs = {(r["user_id"], index[r["item_id"]]) for r in rows if r["item_id"] in index}
    user = np.unique([u for u, _ in sorted(pairs)], return_inverse=True)[1]
    item = np.array([i for _, i in sorted(pairs)])
    while True:
        keep = (np.bincount(user)[user] >= 5) & (np.bincount(item)[item] >= 5)
        if keep.all():
            break
        user, item = user[keep], item[keep]
    _, user = np.unique(user, return_inverse=True)
    columns, item = np.unique(item, return_inverse=True)
    return sp.csr_matrix((np.ones(len(user)), (user, item))), columns


class ColdItems:
    """The closed-form model on some seeded cold-item splits."""

    def __init__(self, matrix: sp.csr_matrix, seeds: int, rank: int = 64) -> None:
        self.parts = []
        n = matrix.shape[1]
        for seed in range(seeds):
            order = np.random.default_rng(seed).permutation(n)
            n_test, n_valid = round(0.2 * n), round(0.1 * n)
            test, warm = np.sort(order[:n_test]), np.sort(order[n_test + n_valid :])
            u, s, vt = svds(matrix[:, warm], k=rank, random_state=0)
            relevant = matrix[:, test].toarray() > 0
            users = relevant.any(1)
            self.parts.append((test, warm, (u * s)[users], vt.T, relevant[users]))

    def recall(self, content: Array, penalty: float, k: int = 20) -> list[float]:
        """Recall@k of each seed for item content (N, W)."""
        content = unit(np.asarray(content, dtype=np.float64))
        out = []
        for test, warm, users, items, relevant in self.parts:
            x = content[warm]
            gram = x @ x.T + penalty * np.eye(len(x))
            factors = content[test] @ (x.T @ np.linalg.solve(gram, items))
            top = np.argsort(-(users @ factors.T), axis=1, kind="stable")[:, :k]
            hits = np.take_along_axis(relevant, top, 1).sum(1)
            out.append(float((hits / relevant.sum(1)).mean()))
        return out


def unit(rows: Array) -> Array:
    norm = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.where(norm > 0, norm, 1)


def encode(folder: Path, cache: Path | None) -> dict[str, npt.NDArray[np.generic]]:
    """Unimodal rows of every view, of both whole texts and of the pictures."""
    if cache is not None and cache.is_file():
        return dict(np.load(cache, allow_pickle=False))
    lines = (folder / "items.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    _, keep = interactions(folder, [row["item_id"] for row in rows])
    rows = [rows[i] for i in keep]

    def value(row: dict[str, object], field: str) -> str:
        got = row.get(field)
        return ", ".join(got) if isinstance(got, list) else str(got or "")

    prompts = {
        f: [t.format(v) if (v := value(row, f)) else "" for row in rows]
        for f, t in TEMPLATES.items()
    }
    prompts["global"] = [" ".join(filter(None, p)) for p in zip(*map(prompts.get, FOUR))]  # noqa: B905
    prompts["whole"] = [" ".join(filter(None, (value(r, f) for f in TEMPLATES))) for r in rows]
    text = MiniLM()
    out: dict[str, npt.NDArray[np.generic]] = {"ids": np.array([r["item_id"] for r in rows])}
    for name, texts in prompts.items():
        there = np.array([bool(t) for t in texts])
        out[f"text:{name}"] = text.encode_text(texts) * there[:, None]
    found = [i for i, row in enumerate(rows) if row["image"]]
    paths = [folder / "images" / Path(rows[i]["image"]).name for i in found]
    features, failures = EfficientNetLite().encode_image(paths)
    assert not failures, failures[0]
    image = np.zeros((len(rows), features.shape[1]), np.float32)
    image[found] = features
    out["image"] = image
    if cache is not None:
        np.savez(cache, **out)
    return out


def attention(text: Array, image: Array, present: npt.NDArray[np.bool_], t: float) -> Array:
    """Equations 2 and 3: views (C, N, D) weighted by their similarity to the image (N, D)."""
    cosine = np.einsum("cnd,nd->cn", unit(text), unit(image))
    logits = np.where(present, cosine / t, -np.inf)
    weights = np.exp(logits - logits.max(0))
    return np.einsum("cn,cnd->nd", weights / weights.sum(0), text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cache", type=Path, help="keeps the encodings for the next run")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    data = encode(args.folder, args.cache)
    matrix, _ = interactions(args.folder, [str(i) for i in data["ids"]])
    cold = ColdItems(matrix, args.seeds)
    image = np.asarray(data["image"], np.float32)
    has_image = image.any(1)

    def show(name: str, content: Array) -> None:
        cells = [cold.recall(content, penalty) for penalty in (1.0, 10.0)]
        print(
            f"| {name} | " + " | ".join(f"{np.mean(c):.3f} ± {np.std(c):.3f}" for c in cells) + " |"
        )

    def views(names: tuple[str, ...]) -> npt.NDArray[np.float32]:
        return np.stack([np.asarray(data[f"text:{n}"], np.float32) for n in names])

    print(f"{matrix.shape[0]} users, {matrix.shape[1]} items, {matrix.nnz} positives\n")
    print("| content | penalty 1 | penalty 10 |\n|---|---|---|")
    show("random", np.random.default_rng(0).normal(size=(len(image), 384)))
    show("image", image)
    show("whole text, the four fields", views(("global",))[0])
    show("whole text, all six fields", views(("whole",))[0])
    for names in (FOUR, (*FOUR, "global"), tuple(TEMPLATES)):
        text = views(names)
        label = f"{len(names)} views" + (" with global" if "global" in names else "")
        show(f"raw {label}, concat", np.concatenate(list(text), 1))
        show(f"raw {label}, sum", text.sum(0))
    fitted: dict[str, AlignmentConfig] = {
        "default": AlignmentConfig(),
        "text frozen": AlignmentConfig(text_learning_rate=0.0),
        "text free": AlignmentConfig(text_learning_rate=3e-3, image_dropout=0.0, weight_decay=0.0),
    }
    for name, config in fitted.items():
        for names in (FOUR, (*FOUR, "global")) if name == "default" else (FOUR,):
            text = views(names)
            present = text.any(2)
            rows = np.flatnonzero(has_image & present.any(0))
            alignment = fit_alignment(text[:, rows], present[:, rows], image[rows], config=config)
            report(alignment, text, present, image, has_image, f"{name}, {len(names)} views", show)


def report(alignment: Alignment, text, present, image, has_image, label, show) -> None:  # type: ignore[no-untyped-def]
    aligned = np.stack([alignment.project_text(view) for view in text]) * present[..., None]
    picture = alignment.project_image(image) * has_image[:, None]
    s = alignment.score
    label = f"{label} (held-out Recall@10 {s.recall_at_10:.3f}, chance {s.chance:.3f})"
    show(f"{label}: concat", np.concatenate(list(aligned), 1))
    show(f"{label}: sum", aligned.sum(0))
    show(f"{label}: normalised, concat", np.concatenate(list(unit(aligned)), 1))
    for t in TEMPERATURES:
        show(f"{label}: attention {t}", attention(aligned, picture, present, t))
    show(f"{label}: normalised, attention 0.1", attention(unit(aligned), picture, present, 0.1))


if __name__ == "__main__":
    main()
