"""Dense products, by whichever of PyTorch's two CPU libraries is the faster one.

The one place where operators of PyTorch without a public name are called.

PyTorch multiplies float32 matrices by MKL, which keeps its AVX-512 kernels for Intel's processors:
on an AMD EPYC that has AVX-512 as well, the products of this project take twice as long as by
oneDNN, which PyTorch carries too but uses for convolutions and lower precisions only
(`benchmarks/dense_products.py`, ADR 0026). Numbers agree but for the order of summation.
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

# oneDNN's product, where there is one and the usual one is MKL's; else None.
_BOTH = torch.backends.mkldnn.is_available() and torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]
_ONEDNN = getattr(torch.ops.mkldnn, "_linear_pointwise", None) if _BOTH else None
# Below so many multiplications the choice of a kernel costs more than the product.
_SMALL = 2**23
# Numbers in the product of a transposed matrix.
_SMALL_OUTPUT = 64 * 64
# Rows are filled up to a multiple of so many where no gradient is wanted (`fill_rows`), but not
# tables of items, whose copy would be large.
_rows = 1
_FILLED = 4096
# Columns of a transposed matrix that are copied at once.
_PART = 4096


def _by_onednn(a: Tensor, b: Tensor) -> bool:
    return (
        _ONEDNN is not None
        and a.device.type == b.device.type == "cpu"
        and a.dtype == b.dtype == torch.float32
        and a.dim() == b.dim() == 2
        and a.shape[0] * a.shape[1] * b.shape[1] >= _SMALL
    )


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """a @ b of matrices (n, k) and (k, m), without a gradient: (n, m).

    >>> matmul(torch.ones(2, 3), torch.ones(3, 1)).tolist()
    [[3.0], [3.0]]
    """
    if not _by_onednn(a, b):
        return a @ b
    if a.is_contiguous():
        return _onednn(a, b)
    # oneDNN reads its left side row by row, so that a transposed one is copied: the smaller one,
    # and in parts that the cache holds. For a small product the copy costs more than it saves.
    if a.shape[0] * b.shape[1] <= _SMALL_OUTPUT:
        return a @ b
    if a.shape[0] > b.shape[1]:
        return matmul(b.T, a.T).T.contiguous()
    parts = zip(torch.split(a, _PART, dim=1), torch.split(b, _PART), strict=True)
    total = _onednn(*next(parts))
    for part in parts:
        total += _onednn(*part)
    return total


def _onednn(a: Tensor, b: Tensor) -> Tensor:
    assert _ONEDNN is not None
    # A part of a wider table would be read element by element.
    dense = b if b.is_contiguous() or b.T.is_contiguous() else b.contiguous()
    return cast(Tensor, _ONEDNN(a, dense.T, None, "none", [], ""))


def fill_rows(multiple: int) -> None:
    """From now on in this process, fill rows up to a multiple of so many before a linear layer.

    oneDNN keeps half a MiB for every number of rows that it has met, hundreds of MiB where texts
    of all lengths come one by one. Numbers stay; a product of few rows takes up to half as long
    again.
    """
    global _rows
    _rows = multiple


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x Wᵀ + b for x (…, k), W (m, k) and b (m,), with its gradients: (…, m)."""
    rows = x.flatten(0, -2) if x.dim() > 2 else x
    if not _by_onednn(rows, weight.T):
        return functional.linear(x, weight, bias)
    if torch.is_grad_enabled():
        y = cast(Tensor, _Linear.apply(rows, weight, bias))  # type: ignore[no-untyped-call]
    else:
        assert _ONEDNN is not None
        more = -len(rows) % _rows if len(rows) < _FILLED else 0
        filled = functional.pad(rows, (0, 0, 0, more)) if more else rows
        y = cast(Tensor, _ONEDNN(filled, weight, bias, "none", [], ""))[: len(rows)]
    return y.view(*x.shape[:-1], len(weight))


class Linear(nn.Linear):
    """`torch.nn.Linear` whose products, forward and backward, are those of this module."""

    def forward(self, input: Tensor) -> Tensor:
        """X Wᵀ + b for rows x (n, k): (n, m)."""
        return linear(input, self.weight, self.bias)


class faster_linears(TorchFunctionMode):
    """Inside the block, the linear layers of any network have the products of this module.

    For inference: where gradients are recorded, everything stays as it is.

    >>> with torch.no_grad(), faster_linears():
    ...     nn.Linear(3, 2)(torch.zeros(4, 5, 3)).shape
    torch.Size([4, 5, 2])
    """

    def __torch_function__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Take `torch.nn.functional.linear`'s place."""
        if func is functional.linear and len(args) > 1 and not torch.is_grad_enabled():
            func = linear
        return func(*args, **(kwargs or {}))


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, x: Tensor, weight: Tensor, bias: Tensor | None
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        y = matmul(x, weight.T)
        return y if bias is None else y.add_(bias)

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: Tensor
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors  # type: ignore[attr-defined]
        by_x, by_weight, by_bias = ctx.needs_input_grad  # type: ignore[attr-defined]
        return (
            matmul(gradient, weight) if by_x else None,
            matmul(gradient.T, x) if by_weight else None,
            gradient.sum(dim=0) if by_bias else None,
        )
