"""Inner products of which each has the same bits, whatever else is computed with it.

A library for dense products takes another kernel, and with it another order of summation, for one
row than for many, and for the last columns where their number is no multiple of a register's width.
Equal items then differ in the last bit, by who is asked with whom and among which candidates, and a
rule for ties is of no use. Here every call of the library has the same shape: so many rows and
columns, filled up with zeros.
"""

import torch
from torch import Tensor

ROWS = 32
COLUMNS = 1024


class Columns:
    """Vectors that others are multiplied with.

    Args:
        vectors: (n, d).

    >>> Columns(torch.tensor([[3.0, 4.0], [1.0, 0.0]])).products(torch.eye(2)).tolist()
    [[3.0, 1.0], [4.0, 0.0]]
    """

    def __init__(self, vectors: Tensor) -> None:
        self.n = len(vectors)
        blocks = list(torch.split(vectors.detach(), COLUMNS)) if self.n else []
        if self.n % COLUMNS:
            blocks[-1] = _filled(blocks[-1], COLUMNS)
        self._blocks = [block.T for block in blocks]

    def numbers(self, rows: int) -> int:
        """Numbers that a buffer needs for so many rows."""
        return _up(rows, ROWS) * _up(self.n, COLUMNS)

    @torch.no_grad()
    def products(self, rows: Tensor, buffer: Tensor | None = None) -> Tensor:
        """Rows (B, d) times the vectors: (B, n), whose rows may lie further apart than n.

        Args:
            rows: what to multiply.
            buffer: memory for the result, flat, with `numbers(B)` at least; new if None.
        """
        count = len(rows)
        if buffer is None:
            buffer = rows.new_empty(self.numbers(count))
        table = buffer[: self.numbers(count)].view(_up(count, ROWS), _up(self.n, COLUMNS))
        for top, part in enumerate(torch.split(rows, ROWS) if count else ()):
            left = part if len(part) == ROWS else _filled(part, ROWS)
            for at, block in enumerate(self._blocks):
                out = table[top * ROWS : (top + 1) * ROWS, at * COLUMNS : (at + 1) * COLUMNS]
                torch.mm(left, block, out=out)
        return table[:count, : self.n]


def _up(count: int, step: int) -> int:
    return -(-count // step) * step


def _filled(part: Tensor, rows: int) -> Tensor:
    table = part.new_zeros(rows, part.shape[1])
    table[: len(part)] = part
    return table
