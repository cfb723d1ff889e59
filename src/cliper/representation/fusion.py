"""Eq. 3: C view vectors of an item into one. Pure functions on tensors, masked, chunked."""

from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from cliper.config import nearest
from cliper.errors import InputError
from cliper.representation.similarity import CHUNK, unit
from cliper.tables import zeros

FusionKind = Literal["attention", "sum", "concat", "mlp", "learned", "random"]

_SUMMARIES: dict[FusionKind, str] = {
    "attention": "sum of the views weighted by their similarity to the image (SA, the default)",
    "sum": "sum of the views, all alike",
    "concat": "the views side by side, C·D wide",
    "mlp": "the views side by side through a linear layer and LeakyReLU, trained with the backbone",
    "learned": "the views side by side, each as long as the training interactions say it matters",
    "random": "sum of the views by weights drawn for each item, the control of the attention",
}


def list_fusions() -> list[dict[str, str]]:
    """The fusions, each with `name` and `summary`."""
    return [{"name": name, "summary": summary} for name, summary in _SUMMARIES.items()]


def check_fusion(name: str) -> FusionKind:
    """The fusion of this name.

    Raises:
        InputError: there is none; the nearest is named.
    """
    for known in get_args(FusionKind):
        if name == known:
            return known  # type: ignore[no-any-return]
    raise InputError(
        f"no fusion {name!r}", where="fusion.kind", remedy=nearest(name, list(_SUMMARIES))
    )


def attention_fusion(
    text: Tensor,
    weights: Tensor,
    *,
    normalize: bool = False,
    chunk: int = CHUNK,
    folder: Path | None = None,
) -> Tensor:
    """SA of Eq. 3: Σ_j s_i^j · e^t_{i,j}.

    Args:
        text: (C, N, D).
        weights: (N, C), zero for absent views.
        normalize: scale each view to length 1 first.
        chunk: items at a time.
        folder: where a large result lies, in a file without a name (`cliper.tables`).

    Returns:
        (N, D) float32.

    >>> attention_fusion(torch.tensor([[[2.0]], [[4.0]]]), torch.tensor([[0.5, 0.5]])).tolist()
    [[3.0]]
    """
    _, n_items, width = text.shape
    result = torch.from_numpy(zeros(n_items, width, folder))
    for start in range(0, n_items, chunk):
        rows = slice(start, start + chunk)
        views = _views(text[:, rows], normalize)
        # an absent view weighs zero, and 0 · NaN must not leak whatever fills its place
        share = weights[rows].T.unsqueeze(2)
        result[rows] = torch.where(share == 0, 0.0, views * share).sum(0)
    return result


def random_weights(present: Tensor, seed: int = 0) -> Tensor:
    """Weights drawn evenly from all that sum to 1 over an item's present views; (C, N) to (N, C).

    >>> random_weights(torch.tensor([[True, True], [False, True]])).sum(dim=1).tolist()
    [1.0, 1.0]
    """
    drawn = torch.empty(present.T.shape)
    drawn.exponential_(generator=torch.Generator().manual_seed(seed))
    drawn = drawn * present.T
    return drawn / drawn.sum(dim=1, keepdim=True).clamp_min(1e-30)


def sum_fusion(
    text: Tensor,
    present: Tensor,
    *,
    normalize: bool = False,
    chunk: int = CHUNK,
    folder: Path | None = None,
) -> Tensor:
    """SUM of Eq. 3: Σ_j e^t_{i,j} over the present views; text (C, N, D), present (C, N).

    The other arguments are those of `attention_fusion`.

    Returns:
        (N, D) float32, zero for an item without text.
    """
    weights = present.T.float()
    return attention_fusion(text, weights, normalize=normalize, chunk=chunk, folder=folder)


def concat_fusion(
    text: Tensor,
    present: Tensor,
    *,
    normalize: bool = False,
    lengths: Tensor | None = None,
    chunk: int = CHUNK,
    folder: Path | None = None,
) -> Tensor:
    """Concat of Eq. 3, and the input of its MLP: the views side by side, absent ones zero.

    Args:
        text: (C, N, D).
        present: bool (C, N).
        normalize: scale each view to length 1 first.
        lengths: (C,), that each view is multiplied by; 1 by default.
        chunk: items at a time.
        folder: where a large result lies, in a file without a name (`cliper.tables`).

    Returns:
        (N, C·D) float32, view by view.
    """
    n_views, n_items, width = text.shape
    result = torch.from_numpy(zeros(n_items, n_views * width, folder))
    for start in range(0, n_items, chunk):
        rows = slice(start, start + chunk)
        views = _views(text[:, rows], normalize)
        views = torch.where(present[:, rows].unsqueeze(2), views, 0.0)
        if lengths is not None:
            views = views * lengths.float()[:, None, None]
        result[rows] = views.transpose(0, 1).reshape(-1, n_views * width)
    return result


def fill_missing(table: Tensor, present: Tensor, folder: Path | None = None) -> tuple[Tensor, int]:
    """Give rows that are not present the mean of those that are (method, rule 2).

    Args:
        table: (N, D); not changed.
        present: bool (N,).
        folder: where a large result lies, in a file without a name (`cliper.tables`).

    Returns:
        The filled table (N, D) and how many rows were filled. When no row is present all are
        zero: there is nothing to take a mean of.
    """
    n_missing = int((~present).sum())
    if n_missing == 0:
        return table, 0
    filled = torch.from_numpy(zeros(len(table), table.shape[1], folder)).copy_(table)
    filled[~present] = mean_row(table, present)
    return filled, n_missing


def mean_row(table: Tensor, present: Tensor) -> Tensor:
    """The mean (D,) of the rows of a table (N, D) that are present (N,); zero if none is.

    >>> mean_row(torch.tensor([[1.0], [3.0], [9.0]]), torch.tensor([True, True, False])).tolist()
    [2.0]
    """
    total = table.new_zeros(table.shape[1], dtype=torch.float64)
    for rows, there in zip(torch.split(table, CHUNK), torch.split(present, CHUNK), strict=True):
        total += rows[there].double().sum(0)
    return (total / present.sum().clamp(min=1)).float()


def _views(text: Tensor, normalize: bool) -> Tensor:
    views = text.float()
    return unit(views) if normalize else views
