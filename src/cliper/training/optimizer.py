"""Adam; for large tables of which a batch looks up a few rows, at the cost of these rows."""

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn

from cliper.training.config import SizedTraining

BETA, EPSILON = 0.999, 1e-8
FROM = 12
"""A looked-up table is walked by rows if it has so many times more rows than a batch triples."""


class RowAdam(torch.optim.Optimizer):
    """Adam without momentum (β₁ = 0) on tables with sparse gradients, row by row.

    Without momentum a row without a gradient does not move, and its second moment only decays, by
    β₂ a step: that is made up for when the row has a gradient again. So this is Adam(β₁ = 0, β₂)
    of all rows at all steps, at the cost of the rows touched. `torch.optim.SparseAdam`, which
    leaves out both the movement by momentum and the decay, is another method (ADR 0037).

    Args:
        tables: parameters whose first axis are the rows; dense gradients are left alone.
        lr: learning rate.
        beta: β₂, decay of the second moment.
        epsilon: added to its root.

    >>> table = nn.Parameter(torch.zeros(3, 1))
    >>> optimizer = RowAdam([table], lr=0.5)
    >>> nn.functional.embedding(torch.tensor([2]), table, sparse=True).sum().backward()
    >>> optimizer.step()
    >>> table.flatten().tolist()
    [0.0, 0.0, -0.5]
    """

    def __init__(
        self, tables: Iterable[Tensor], lr: float, beta: float = BETA, epsilon: float = EPSILON
    ) -> None:
        super().__init__(tables, {"lr": lr, "beta": beta, "epsilon": epsilon})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # nothing here evaluates a loss again
        """One step of every table that has a sparse gradient."""
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is not None and table.grad.is_sparse:
                    self._walk(table, group["lr"], group["beta"], group["epsilon"])

    def _walk(self, table: Tensor, lr: float, beta: float, epsilon: float) -> None:
        state = self.state[table]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.int64)
            state["last"] = torch.zeros(len(table), dtype=torch.int32, device=table.device)
            state["exp_avg_sq"] = torch.zeros_like(table)
        state["step"] += 1
        step = int(state["step"])
        rows, gradient = _summed_rows(table)
        decay = beta ** (step - state["last"][rows])
        state["last"][rows] = step
        square = state["exp_avg_sq"].index_select(0, rows).mul_(decay[:, None])
        square.addcmul_(gradient, gradient, value=1 - beta)
        state["exp_avg_sq"].index_copy_(0, rows, square)
        root = square.mul_(1 / (1 - beta**step)).sqrt_().add_(epsilon)
        # With `alpha` PyTorch takes a kernel that is half as fast.
        table.index_add_(0, rows, gradient.div_(root).mul_(-lr))


def _summed_rows(table: Tensor) -> tuple[Tensor, Tensor]:
    """The distinct rows (n,) of a sparse gradient, and the sum of each, (n, width)."""
    assert table.grad is not None
    indices, values = table.grad._indices()[0], table.grad._values()
    rows, place = torch.unique(indices, return_inverse=True)
    return rows, values.new_zeros(len(rows), values.shape[1]).index_add_(0, place, values)


class Adam:
    """Fused Adam for every parameter but the large tables that are looked up: these by `RowAdam`.

    A table is looked up if its gradient is sparse, which `cliper.backbones.layers.lookup` makes it.
    It is large if it has `FROM` times as many rows as a batch has triples: where a batch touches
    much of a table, walking all of it is faster. Weight decay moves all rows at all steps, so that
    with it nothing goes by rows.

    Args:
        module: whose parameters are trained; one at least.
        config: batch size, learning rate, weight decay.
    """

    def __init__(self, module: nn.Module, config: SizedTraining) -> None:
        self.module = module
        parameters = list(module.parameters())
        large = [p for p in parameters if p.dim() == 2 and len(p) >= FROM * config.batch_size]
        self.large = set() if config.weight_decay else set(large)
        self.rows = RowAdam(self.large, config.learning_rate) if self.large else None
        self.dense = torch.optim.Adam(
            parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )

    def zero_grad(self) -> None:
        """Forget all gradients."""
        self.dense.zero_grad(set_to_none=True)

    def step(self) -> None:
        """One step of every parameter that has a gradient; sparse ones are gone afterwards."""
        if self.rows is not None:
            self.rows.step()
        for parameter in self.module.parameters():
            gradient = parameter.grad
            if gradient is not None and gradient.is_sparse:
                parameter.grad = None if parameter in self.large else _dense(gradient)
        self.dense.step()

    def tensors(self) -> dict[str, Tensor]:
        """The whole state, by parameter: `optimizer/<parameter>/<key>` and `rows/…`."""
        return {
            f"{prefix}/{name}/{key}": tensor
            for prefix, optimizer in self._optimizers()
            for name, parameter in self.module.named_parameters()
            if parameter in optimizer.state
            for key, tensor in optimizer.state[parameter].items()
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` took; other keys are passed over."""
        names = dict(self.module.named_parameters())
        optimizers = dict(self._optimizers())
        for path, tensor in tensors.items():
            prefix, _, rest = path.partition("/")
            if prefix in optimizers:
                name, _, key = rest.rpartition("/")
                parameter = names[name]
                # Fused Adam counts steps beside the parameter, `RowAdam` in Python.
                counted_here = prefix == "rows" and key == "step"
                device = "cpu" if counted_here else parameter.device
                optimizers[prefix].state[parameter][key] = tensor.to(device)

    def _optimizers(self) -> Iterator[tuple[str, torch.optim.Optimizer]]:
        yield "optimizer", self.dense
        if self.rows is not None:
            yield "rows", self.rows


def _dense(gradient: Tensor) -> Tensor:
    """A sparse gradient as a table; `to_dense` would sort its rows first."""
    indices, values = gradient._indices()[0], gradient._values()
    return values.new_zeros(gradient.shape).index_add_(0, indices, values)
