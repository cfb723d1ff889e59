"""Top-k with a rule for ties."""

import math

import torch
from torch import Tensor

from cliper.errors import CliperError


def top_k(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best columns of each row, best first; of equal scores the lower column first.

    `torch.topk` alone picks among equal scores as its algorithm happens to. Rows without a tie
    cost nothing more than it.

    Args:
        scores: (B, n); -inf marks a column that must not be taken.
        k: at least 1; may exceed n.

    Returns:
        Values (B, k) and columns (B, k) int64; -inf and -1 in places that nothing fills.

    Raises:
        CliperError: a score is NaN.

    >>> top_k(torch.tensor([[1.0, 2.0, 2.0, -math.inf]]), 5)[1].tolist()
    [[1, 2, 0, -1, -1]]
    """
    n = scores.shape[1]
    kept = min(k, n)
    # one more than is wanted shows whether the last place is tied with what is left out
    values, columns = torch.topk(scores, min(k + 1, n), dim=1)
    if n and torch.isnan(values[:, 0]).any():  # NaN sorts first
        raise CliperError("a score is not a number (NaN): nothing can be ranked by it")
    tied = (values[:, 1:] == values[:, :-1]) & (values[:, 1:] != -math.inf)
    rows = tied.any(1).nonzero().squeeze(1)
    if len(rows):
        columns[rows] = _untie(scores, values, columns, rows, kept)
    values, columns = values[:, :kept], columns[:, :kept]
    columns = columns.masked_fill(values == -math.inf, -1)
    if kept < k:
        values = torch.nn.functional.pad(values, (0, k - kept), value=-math.inf)
        columns = torch.nn.functional.pad(columns, (0, k - kept), value=-1)
    return values, columns


def _untie(scores: Tensor, values: Tensor, columns: Tensor, rows: Tensor, k: int) -> Tensor:
    """Columns of `rows` in order of (value descending, column ascending)."""
    columns, values = columns[rows], values[rows]
    if columns.shape[1] > k:
        cut = (values[:, k] == values[:, k - 1]) & (values[:, k] != -math.inf)
        torn = cut.nonzero().squeeze(1)
        if len(torn):
            columns[torn] = _lowest_at_cut(scores[rows[torn]], values[torn], columns[torn])
    by_column = columns.argsort(dim=1)
    columns, values = columns.gather(1, by_column), values.gather(1, by_column)
    return columns.gather(1, values.argsort(dim=1, descending=True, stable=True))


def _lowest_at_cut(scores: Tensor, values: Tensor, columns: Tensor) -> Tensor:
    """Where the last value is tied beyond the cut, the lowest columns that have it."""
    last = values[:, -1:]
    n, width = scores.shape[1], columns.shape[1]
    preference = torch.arange(n, 0, -1, dtype=torch.int32, device=scores.device)
    lowest = torch.topk(torch.where(scores == last, preference, 0), width, dim=1).indices
    is_last = values == last
    n_above = (~is_last).sum(1, keepdim=True)
    place = (torch.arange(width, device=scores.device) - n_above).clamp_min(0)
    return torch.where(is_last, lowest.gather(1, place), columns)
