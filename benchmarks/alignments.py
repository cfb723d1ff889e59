"""Ways of bringing two unimodal networks together, judged by retrieval and by what fusion gains.

    python benchmarks/alignments.py MOVIELENS_POSTERS_FOLDER [--seeds 5] [--cache FILE.npz]

Each alignment is fitted on 80 % of the films that can be ranked (`--all-films`: and on those that
cannot), tunes itself on 10 %, and is judged on the last 10 %: mean reciprocal rank over the four
field views and both directions. Beside it, as content of cold films in the closed-form model of
`cold_reference.py` (same splits, penalty 10): the views' sum, and their similarity-weighted sum
with each film's own weights, with the average film's weights, and with another film's;
"standardised" are own weights from cosines in deviations from their view's mean, at temperature 1.
Only the first comparison may choose an alignment.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cold_reference import FOUR, TEMPLATES, ColdItems, interactions, unit
from torch import Tensor
from torch.nn.functional import normalize

from cliper.encoders.adaptation.retrieval import score_retrieval
from cliper.encoders.alignment import AlignmentConfig
from cliper.encoders.alignment_fit import fit_alignment
from cliper.encoders.contrastive import info_nce
from cliper.encoders.efficientnet import EfficientNetLite
from cliper.encoders.minilm import MiniLM
from cliper.encoders.pairs import PairTable, split_pairs

Maps = tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]


@dataclass(frozen=True)
class Films:
    """Unimodal rows: text (C, n, 384) with `global` last, image (n, 1280), and who equals whom."""

    text: Tensor
    image: Tensor
    pairs: PairTable

    def take(self, rows: Tensor, views: slice = slice(None)) -> "Films":
        pairs = self.pairs.take(rows)
        pairs = PairTable(pairs.present[views], pairs.text_group[views], pairs.image_group)
        return Films(self.text[views][:, rows], self.image[rows], pairs)


def encode(folder: Path, cache: Path | None) -> tuple[list[str], Films]:
    """Every film of the folder through both networks."""
    lines = (folder / "items.jsonl").read_text(encoding="utf-8").splitlines()
    films = [json.loads(line) for line in lines]
    if cache is None or not cache.is_file():
        text, image = MiniLM(), EfficientNetLite()
        prompts = [[_prompt(film, field) for film in films] for field in FOUR]
        prompts.append([" ".join(filter(None, parts)) for parts in zip(*prompts, strict=True)])
        rows = np.stack([text.encode_text(view) for view in prompts])
        found = [i for i, film in enumerate(films) if film["image"]]
        paths = [folder / "images" / Path(films[i]["image"]).name for i in found]
        pictures = np.zeros((len(films), 1280), np.float32)
        pictures[found] = image.encode_image(paths)[0]
        kept = {
            "text": rows,
            "present": np.array([[bool(t) for t in view] for view in prompts]),
            "group": np.array([np.unique(view, return_inverse=True)[1] for view in prompts]),
            "image": pictures,
        }
        if cache is not None:
            np.savez(cache, **kept)
    else:
        kept = dict(np.load(cache))
    pairs = PairTable(
        torch.from_numpy(kept["present"]),
        torch.from_numpy(kept["group"]),
        torch.from_numpy(np.unique(kept["image"], axis=0, return_inverse=True)[1]),
    )
    films_ = Films(torch.from_numpy(kept["text"]), torch.from_numpy(kept["image"]), pairs)
    return [film["item_id"] for film in films], films_


def _prompt(film: dict[str, Any], field: str) -> str:
    value = film.get(field)
    text = ", ".join(value) if isinstance(value, list) else str(value or "")
    return TEMPLATES[field].format(text) if text else ""


# --- alignments: (train, valid, seed) → how to map text and image rows ---


def packaged(train: Films, valid: Films, seed: int, **settings: Any) -> Maps:
    """The one of `embedded`, which holds out its own tenth."""
    both = _joined(train, valid)
    fitted = fit_alignment(
        both.text.numpy(), both.pairs.present.numpy(), both.image.numpy(),
        groups=both.pairs.text_group.numpy(), seed=seed, config=AlignmentConfig(**settings),
    )  # fmt: skip
    text = torch.from_numpy(fitted.text)
    return (
        lambda rows: rows @ text,
        lambda rows: torch.from_numpy(fitted.project_image(rows.numpy())),
    )


def ensemble(train: Films, valid: Films, seed: int, size: int = 5) -> Maps:
    """Several fits of `packaged`, their unit vectors side by side: cosines are averaged."""
    maps = [packaged(train, valid, 100 * seed + i) for i in range(size)]
    return (
        lambda rows: torch.cat([normalize(text(rows), dim=-1) for text, _ in maps], -1),
        lambda rows: torch.cat([normalize(image(rows), dim=-1) for _, image in maps], -1),
    )


def ridge(train: Films, valid: Films, seed: int) -> Maps:
    """Standardised image features to the mean text; the penalty by validation."""
    mean, deviation = _moments(train.image)
    x, y = (train.image - mean) / deviation, _mean_text(train)

    def fit(penalty: float) -> Maps:
        gram = x.T @ x / len(x) + penalty * torch.eye(x.shape[1])
        weight = torch.linalg.solve(gram, x.T @ y / len(x))
        return lambda rows: rows, lambda rows: (rows - mean) / deviation @ weight

    return _best(fit, (0.3, 1.0, 3.0, 10.0, 30.0), valid)


def cca(train: Films, valid: Films, seed: int, power: float = 1.0) -> Maps:
    """Regularised canonical correlation of image and every view; penalty and rank by validation.

    Hotelling (1936) with ridge terms; coordinates are scaled by their correlation to `power`.
    """
    there = train.pairs.present
    views, items = there.nonzero(as_tuple=True)
    t_mean = train.text[views, items].mean(0)
    v_mean, v_deviation = _moments(train.image)
    t = train.text[views, items] - t_mean
    v = ((train.image - v_mean) / v_deviation)[items]
    c_tt, c_vv, c_tv = t.T @ t / len(t), v.T @ v / len(v), t.T @ v / len(t)

    def fit(setting: tuple[float, int]) -> Maps:
        penalty, rank = setting
        w_t, w_v = _whiten(c_tt, penalty), _whiten(c_vv, penalty)
        left, correlation, right = torch.linalg.svd(w_t @ c_tv @ w_v, full_matrices=False)
        scale = correlation[:rank] ** power
        a, b = w_t @ left[:, :rank] * scale, w_v @ right[:rank].T * scale
        return (
            lambda rows: (rows - t_mean) @ a,
            lambda rows: (rows - v_mean) / v_deviation @ b,
        )

    settings = [(p, r) for p in (0.03, 0.1, 0.3, 1.0) for r in (16, 64, 256)]
    return _best(fit, settings, valid)


def procrustes(train: Films, valid: Films, seed: int) -> Maps:
    """Both sides whitened to their leading directions, then one rotation (Schönemann 1966)."""
    t_mean = _mean_text(train).mean(0)
    v_mean, v_deviation = _moments(train.image)
    y = _mean_text(train) - t_mean
    x = (train.image - v_mean) / v_deviation

    def fit(rank: int) -> Maps:
        t_axes = torch.linalg.svd(y, full_matrices=False)
        v_axes = torch.linalg.svd(x, full_matrices=False)
        a = t_axes[2][:rank].T / t_axes[1][:rank] * len(y) ** 0.5
        b = v_axes[2][:rank].T / v_axes[1][:rank] * len(x) ** 0.5
        u, _, v = torch.linalg.svd((x @ b).T @ (y @ a))
        turn = u @ v
        return (
            lambda rows: (rows - t_mean) @ a,
            lambda rows: (rows - v_mean) / v_deviation @ b @ turn,
        )

    return _best(fit, (8, 16, 32, 64, 128), valid)


def contrastive(
    train: Films,
    valid: Films,
    seed: int,
    *,
    target: str = "views",
    hidden: int = 0,
    hardness: float = 0.0,
    temperature: float | None = None,
    rate: float = 3e-5,
    text_rate: float = 3e-5,
    patience: int = 10,
    sigmoid: bool = False,
) -> Maps:
    """InfoNCE with one thing changed; stops on validation MRR.

    Args:
        target: `views` (each on its own), `mean` (an item's mean text), `global` alone.
        hidden: width of a hidden layer of the image's projection, 0 for a linear one.
        hardness: β of Robinson et al. (arXiv 2010.04592), negatives weighted by exp(β·cosine).
        temperature: fixed there; None learns it.
        rate, text_rate: learning rates of the image's and of the text's correction.
        patience: epochs.
        sigmoid: SigLIP's loss of every pair by itself (arXiv 2303.15343) in place of InfoNCE.
    """
    generator = torch.Generator().manual_seed(seed)
    _, start = ridge(train, valid, seed)
    mean, deviation = _moments(train.image)
    width = train.text.shape[2]
    shift = torch.zeros(width, width, requires_grad=True)
    if hidden:
        first = torch.randn(1280, hidden, generator=generator) / 1280**0.5
        second = torch.zeros(hidden, width)
        layers = [first.requires_grad_(True), second.requires_grad_(True)]
    else:
        layers = [torch.zeros(1280, width, requires_grad=True)]
    scale = torch.tensor(-np.log(temperature or 0.07), dtype=torch.float32, requires_grad=True)

    def image_map(rows: Tensor, drop: bool = False) -> Tensor:
        x = (rows - mean) / deviation
        if drop:
            x = x * (torch.rand(x.shape, generator=generator) >= 0.6) / 0.4
        base = start(mean + deviation * x)
        if hidden:
            return base + torch.relu(x @ layers[0]) @ layers[1]
        return base + x @ layers[0]

    def text_map(rows: Tensor) -> Tensor:
        return rows + rows @ shift

    offset = torch.tensor(-5.0, requires_grad=True)
    groups: list[dict[str, Any]] = [
        {"params": [offset], "lr": 1e-2, "weight_decay": 0.0},
        {"params": [shift], "lr": text_rate},
        {"params": layers, "lr": rate},
        {"params": [scale], "lr": 1e-3 if temperature is None else 0.0, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.1)
    everything = train
    if target == "global":
        train = train.take(torch.arange(len(train.image)), slice(-1, None))
    best, best_epoch, kept = -1.0, 0, [p.detach().clone() for p in (shift, *layers)]
    for epoch in range(150):
        with torch.no_grad():
            now = _mrr((text_map, image_map), valid)
        if now > best:
            best, best_epoch = now, epoch
            kept = [p.detach().clone() for p in (shift, *layers)]
        elif epoch - best_epoch >= patience:
            break
        for rows in torch.split(torch.randperm(len(everything.image), generator=generator), 256):
            part = train.take(rows)
            text, pairs = text_map(part.text), part.pairs
            if target == "mean":
                text = (text * pairs.present[..., None]).sum(0, keepdim=True)
                own = torch.arange(len(rows))[None]
                pairs = PairTable(pairs.present.any(0, keepdim=True), own, pairs.image_group)
            image = image_map(part.image, drop=True)
            if sigmoid:
                loss = _sigmoid(text, image, pairs, scale, offset)
            elif hardness:
                loss = _hard(text, image, pairs, scale, hardness)
            else:
                loss = info_nce(
                    text, image, pairs.present, pairs.text_group, scale, pairs.image_group
                )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    with torch.no_grad():
        for parameter, value in zip((shift, *layers), kept, strict=True):
            parameter.copy_(value)
    return (
        lambda rows: text_map(rows).detach(),
        lambda rows: image_map(rows).detach(),
    )


def _hard(text: Tensor, image: Tensor, pairs: PairTable, scale: Tensor, beta: float) -> Tensor:
    cosine = torch.einsum("cbd,nd->cbn", normalize(text, dim=-1), normalize(image, dim=-1))
    own = torch.eye(len(image), dtype=torch.bool)
    same = pairs.text_group[:, :, None] == pairs.text_group[:, None]
    same = same | (pairs.image_group[:, None] == pairs.image_group)
    usable = ~same & pairs.present[:, :, None] & pairs.present[:, None]
    logits = (cosine * scale.exp()).masked_fill(~usable, -torch.inf)
    weight = (beta * cosine.detach()).masked_fill(~usable, -torch.inf)
    positive = (cosine * scale.exp()).diagonal(dim1=1, dim2=2)
    total = torch.zeros_like(positive)
    for axis in (1, 2):
        count = usable.sum(axis, keepdim=True).clamp(min=1).log()
        hard = logits + torch.log_softmax(weight, axis).nan_to_num(-torch.inf) + count
        negatives = torch.logsumexp(hard, axis)
        total = total + torch.logaddexp(positive, negatives) - positive
    assert own.any()
    return total[pairs.present].mean() / 2


def _sigmoid(
    text: Tensor, image: Tensor, pairs: PairTable, scale: Tensor, offset: Tensor
) -> Tensor:
    """-log σ(±(scale·cosine + offset)) over all pairs, + for a film's own, a row's mean."""
    cosine = torch.einsum("cbd,nd->cbn", normalize(text, dim=-1), normalize(image, dim=-1))
    own = torch.eye(len(image), dtype=torch.bool)
    same = pairs.text_group[:, :, None] == pairs.text_group[:, None]
    same = same | (pairs.image_group[:, None] == pairs.image_group)
    sign = torch.where(own, 1.0, -1.0)
    losses = -torch.nn.functional.logsigmoid(sign * (cosine * scale.exp() + offset))
    counted = (own | ~same) & pairs.present[:, :, None]
    return (losses * counted).sum() / pairs.present.sum()


def _whiten(covariance: Tensor, penalty: float) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    values = values.clamp(min=0) + penalty * covariance.diagonal().mean()
    return vectors * values.rsqrt() @ vectors.T


def _moments(image: Tensor) -> tuple[Tensor, Tensor]:
    deviation = image.std(0, correction=0)
    return image.mean(0), torch.where(deviation < 1e-6, 1.0, deviation)


def _mean_text(films: Films) -> Tensor:
    present = films.pairs.present[:4, :, None].float()
    return (films.text[:4] * present).sum(0) / present.sum(0).clamp(min=1)


def _joined(one: Films, other: Films) -> Films:
    pairs = PairTable(
        torch.cat([one.pairs.present, other.pairs.present], 1),
        torch.cat([one.pairs.text_group, other.pairs.text_group], 1),
        torch.cat([one.pairs.image_group, other.pairs.image_group]),
    )
    text, image = torch.cat([one.text, other.text], 1), torch.cat([one.image, other.image])
    return Films(text, image, pairs)


def _mrr(maps: Maps, films: Films) -> float:
    four = PairTable(films.pairs.present[:4], films.pairs.text_group[:4], films.pairs.image_group)
    got = score_retrieval(maps[0](films.text[:4]), maps[1](films.image), four, FOUR)
    return got.overall.mrr


def _best(fit: Callable[[Any], Maps], settings: Any, valid: Films) -> Maps:
    return max((fit(setting) for setting in settings), key=lambda maps: _mrr(maps, valid))


# --- what an alignment is worth ---


def attention(text: Tensor, image: Tensor, present: Tensor, t: float) -> Tensor:
    """Weights (C, n) of Eq. 2."""
    cosine = (normalize(text, dim=-1) * normalize(image, dim=-1)).sum(-1)
    return torch.softmax((cosine / t).masked_fill(~present, -torch.inf), 0)


def cold(maps: Maps, films: Films, world: ColdItems, split: int, seed: int) -> dict[str, float]:
    """Recall@20 on one split by the views' sum and by three kinds of weights."""
    present, has_image = films.pairs.present[:4], films.image.any(1)
    text = normalize(maps[0](films.text[:4]), dim=-1) * present[..., None]
    image = maps[1](films.image)
    content = {"sum": text.sum(0)}
    for t in (0.1, 0.5):
        weight = attention(text, image, present, t)
        weight[:, ~has_image] = (present / present.sum(0).clamp(min=1))[:, ~has_image]
        mean = (weight * has_image).sum(1, keepdim=True) / has_image.sum() * present
        order = torch.randperm(weight.shape[1], generator=torch.Generator().manual_seed(seed))
        other = weight[:, order] * present
        for name, w in (("own", weight), ("average", mean), ("another's", other)):
            w = w / w.sum(0).clamp(min=1e-9)
            content[f"{t} {name}"] = (w[..., None] * text).sum(0)
    cosine = (text * normalize(image, dim=-1)).sum(-1)
    there = present & has_image
    z = torch.stack([(c - c[p].mean()) / c[p].std() for c, p in zip(cosine, there, strict=True)])
    weight = torch.softmax((z * has_image).masked_fill(~present, -torch.inf), 0).nan_to_num(0.0)
    content["standardised"] = (weight[..., None] * text).sum(0)
    return {name: one(world, rows.numpy(), split) for name, rows in content.items()}


def one(world: ColdItems, content: Any, split: int, penalty: float = 10.0) -> float:
    """`ColdItems.recall` on a single split."""
    alone = object.__new__(ColdItems)
    alone.parts = [world.parts[split]]
    return alone.recall(unit(content.astype(np.float64)), penalty)[0]


ALIGNMENTS: dict[str, tuple[Callable[..., Maps], dict[str, Any], dict[str, Any]]] = {
    # name: function, its settings, which films and views it sees
    "as packaged": (packaged, {}, {}),
    "as packaged, with global": (packaged, {}, {"views": 5}),
    "as packaged, all films": (packaged, {}, {"all_films": True}),
    "as packaged, five fits averaged": (ensemble, {}, {}),
    "as packaged, five fits averaged, all films": (ensemble, {}, {"all_films": True}),
    "as packaged, long (patience 40, dropout 0.8)": (
        packaged, {"patience": 40, "max_epochs": 300, "image_dropout": 0.8}, {},
    ),
    "ridge regression": (ridge, {}, {}),
    "ridge regression, all films": (ridge, {}, {"all_films": True}),
    "whitening and a rotation": (procrustes, {}, {}),
    "CCA": (cca, {}, {}),
    "CCA, all films": (cca, {}, {"all_films": True}),
    "InfoNCE, per view": (contrastive, {}, {}),
    "InfoNCE, per view, all films": (contrastive, {}, {"all_films": True}),
    "InfoNCE, the views' mean": (contrastive, {"target": "mean"}, {}),
    "InfoNCE, global alone": (contrastive, {"target": "global"}, {"views": 5}),
    "InfoNCE, temperature 0.03": (contrastive, {"temperature": 0.03}, {}),
    "InfoNCE, temperature 0.2": (contrastive, {"temperature": 0.2}, {}),
    "InfoNCE, hard negatives β = 5": (contrastive, {"hardness": 5.0}, {}),
    "SigLIP's sigmoid loss": (contrastive, {"sigmoid": True}, {}),
    "SigLIP's sigmoid loss, rate 1e-3": (
        contrastive, {"sigmoid": True, "rate": 1e-3, "text_rate": 1e-3}, {},
    ),
    "SigLIP's sigmoid loss, rate 3e-4": (
        contrastive, {"sigmoid": True, "rate": 3e-4, "text_rate": 3e-4}, {},
    ),
    "InfoNCE, hidden layer": (contrastive, {"hidden": 256}, {}),
    "InfoNCE, text free": (contrastive, {"text_rate": 1e-3}, {}),
}  # fmt: skip
COLUMNS = ("sum", "0.1 own", "0.1 average", "0.1 another's", "0.5 own", "0.5 average",
           "0.5 another's", "standardised")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cache", type=Path, help="keeps the encodings for the next run")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", help="alignments whose name contains this")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    ids, films = encode(args.folder, args.cache)
    matrix, core = interactions(args.folder, ids)
    world = ColdItems(matrix, args.seeds)
    has_image = films.image.any(1)
    ranked = torch.zeros(len(ids), dtype=torch.bool)
    ranked[torch.from_numpy(core)] = True
    usable, extra = (ranked & has_image).nonzero()[:, 0], (~ranked & has_image).nonzero()[:, 0]
    here = films.take(torch.from_numpy(core))
    print(f"{len(usable)} films with a picture that are ranked, {len(extra)} that are not\n")
    print(f"| alignment | MRR | R@10 | {' | '.join(COLUMNS)} |")
    print("|---" * (3 + len(COLUMNS)) + "|", flush=True)
    for name, (fit, settings, sees) in ALIGNMENTS.items():
        if args.only and args.only not in name:
            continue
        mrr, hits, recalls = [], [], []
        for seed in range(args.seeds):
            generator = torch.Generator().manual_seed(seed)
            parts = split_pairs(films.pairs.image_group[usable], 0.1, generator)
            train = usable[parts.train]
            if sees.get("all_films"):
                train = torch.cat([train, extra])
            views = slice(0, sees.get("views", 4))
            held = films.take(usable[parts.report])
            maps = fit(
                films.take(train, views), films.take(usable[parts.valid], views), seed, **settings
            )
            four = PairTable(
                held.pairs.present[:4], held.pairs.text_group[:4], held.pairs.image_group
            )
            got = score_retrieval(maps[0](held.text[:4]), maps[1](held.image), four, FOUR)
            both = got.overall
            mrr.append(both.mrr)
            hits.append((both.text_to_image.recall_at_10 + both.image_to_text.recall_at_10) / 2)
            recalls.append(cold(maps, here, world, seed, seed))
        cells = [_cell(mrr), _cell(hits), *(_cell([r[c] for r in recalls]) for c in COLUMNS)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _cell(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ± {np.std(values):.3f}"


if __name__ == "__main__":
    main()
