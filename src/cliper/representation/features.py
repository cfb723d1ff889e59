"""`ItemFeatures`: what a backbone sees of the items, whatever made it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, cast

import torch
from torch import Tensor, nn

from cliper import tables
from cliper.data.augmentation import training_hash
from cliper.data.interactions import Interactions
from cliper.data.vocabulary import Vocabulary
from cliper.dense import Linear
from cliper.errors import InputError, MismatchError
from cliper.representation.similarity import CHUNK

Modality = Literal["image", "text"]


def memory_of(table: Tensor) -> memoryview:
    """A table's bytes, for a digest: of one whose rows lie one after another no copy."""
    return table.contiguous().view(torch.uint8).numpy().data


@dataclass(frozen=True, eq=False)
class ItemFeatures:
    """Fixed item representations per modality, and the trainable fusion where there is one.

    Attributes:
        items_hash: hash of the item vocabulary that row i refers to.
        tables: modality → float32 (N, D_m). With the MLP fusion, `text` holds the C views side
            by side, (N, C·D).
        mlp_width: D of the trainable MLP fusion (Eq. 3) that `text` goes through, else None.
        kind: `cliper` or `vanilla`; encoder, views, fusion, temperature, threshold: as in
            `results.json`.
        touched: how many items each rule for missing data touched (method, rule 2).
        lengths: what a backbone divides each modality by to have rows of about length 1; None for
            the mean row length here. Those of the catalogue that a model was trained on.
        weights: view → weight, `image` among them, of the `learned` fusion.
        training: hash of the training pairs that the features were made with; None where they
            were made without (`cliper.data.augmentation.training_hash`).
        encoder_hash: of the encoder's weights and preprocessing; "" where there was none.
    """

    items_hash: str
    tables: Mapping[Modality, Tensor]
    mlp_width: int | None = None
    kind: str = "cliper"
    encoder: str | None = None
    views: tuple[str, ...] = ()
    fusion: str | None = None
    temperature: float | None = None
    touched: Mapping[str, int] | None = None
    threshold: float | None = None
    lengths: Mapping[Modality, Tensor] | None = None
    weights: Mapping[str, float] | None = None
    training: str | None = None
    encoder_hash: str = ""

    @property
    def hash(self) -> str:
        """Hex SHA-256 over the tables."""
        digest = hashlib.sha256()
        for modality in self.modalities:
            table = self.tables[modality]
            digest.update(f"{modality} {tuple(table.shape)};".encode())
            digest.update(memory_of(table))
        return digest.hexdigest()

    def mean_length(self, modality: Modality) -> Tensor:
        """What rows of a modality are divided by: their mean length, or as `lengths` says."""
        if self.lengths is not None:
            return self.lengths[modality]
        length: Tensor = self.tables[modality].norm(dim=1).mean()
        return length

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The modalities at hand, image first."""
        order: tuple[Modality, ...] = ("image", "text")
        return tuple(m for m in order if m in self.tables)

    def check(self, items: Vocabulary) -> None:
        """Refuse to be joined with another catalogue's items.

        Raises:
            MismatchError: the rows belong to other items.
        """
        if items.hash != self.items_hash:
            raise MismatchError("these features belong to another item vocabulary")

    def check_training(self, train: Interactions) -> None:
        """Refuse a training part other than the one that the features were made with.

        Raises:
            InputError: they differ: the features may know what is now tested.
        """
        if self.training is not None and training_hash(train) != self.training:
            raise InputError(
                "the features were learned from another training part",
                where="features",
                remedy="give represent the split that is trained on: split={'kind': …, 'seed': …}",
            )

    def only(self, *modalities: Modality) -> "ItemFeatures":
        """The same features with some modalities alone (for ablations).

        Raises:
            InputError: a modality that is not there.
        """
        missing = [m for m in modalities if m not in self.tables]
        if missing:
            raise InputError(f"no {missing[0]} features", remedy=f"there are: {self.modalities}")
        tables = {m: self.tables[m] for m in self.modalities if m in modalities}
        return replace(self, tables=tables, mlp_width=self.mlp_width if "text" in tables else None)


class FeatureTable(nn.Module):
    """One modality inside a backbone: a table of rows, and the MLP fusion where it is used.

    Args:
        table: (N, D_in), copied when it is to be trained.
        trainable: train the rows themselves (FREEDOM and LATTICE do).
        mlp_width: pass rows through LeakyReLU(Linear(D_in → mlp_width)), Eq. 3's MLP.
        generator: source of the MLP's initial weights.
        length: what rows are divided by. A large table is left where it is, on the disk perhaps,
            and only the rows that are asked for are divided; the numbers are the same.

    Attributes:
        by_rows: a length was given.

    >>> table = FeatureTable(torch.eye(3), trainable=False)
    >>> table(torch.tensor([2])).tolist()
    [[0.0, 0.0, 1.0]]
    """

    table: Tensor
    length: Tensor | None

    def __init__(
        self,
        table: Tensor,
        *,
        trainable: bool = False,
        mlp_width: int | None = None,
        generator: torch.Generator | None = None,
        length: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.by_rows = length is not None
        if length is not None and table.nbytes < tables.LARGE:
            table, length = table / length, None
        self.register_buffer("length", length, persistent=False)
        if trainable:
            self.table = nn.Parameter(table.clone())
        else:
            self.register_buffer("table", table, persistent=False)
        self.mlp: nn.Linear | None = None
        if mlp_width is not None:
            self.mlp = Linear(table.shape[1], mlp_width)
            bound = table.shape[1] ** -0.5
            nn.init.uniform_(self.mlp.weight, -bound, bound, generator=generator)
            nn.init.zeros_(self.mlp.bias)

    @property
    def width(self) -> int:
        """D_m, the width of what `forward` returns."""
        return self.table.shape[1] if self.mlp is None else self.mlp.out_features

    def forward(self, rows: Tensor | None = None) -> Tensor:
        """Features of `rows` (n,), or of all items: (n, width)."""
        if self.mlp is not None and rows is not None and len(rows) >= len(self.table):
            # More rows than items: each item once.
            return cast(Tensor, self()).index_select(0, rows)
        raw = self.table if rows is None else self.table.index_select(0, rows)
        if self.length is not None:
            raw = raw / self.length if rows is None else raw.div_(self.length)
        return raw if self.mlp is None else nn.functional.leaky_relu(self.mlp(raw))

    def through(self, layer: nn.Module) -> Tensor:
        """`layer(self())`, of all items: (N, d); of a table left where it is, some at a time."""
        if self.length is None:
            return cast(Tensor, layer(self()))
        every = torch.arange(len(self.table), device=self.table.device)
        return torch.cat([layer(self(rows)) for rows in torch.split(every, CHUNK)])

    def difference(self, left: Tensor, right: Tensor) -> Tensor:
        """`self(left) - self(right)` for rows (n,) each, in fewer passes over memory: (n, width).

        A trained table is what costs here: the plain expression makes one table-sized gradient for
        each side and adds them; this makes one.
        """
        if self.length is not None and self.mlp is None:
            return cast(Tensor, self(left).sub_(self(right)))
        if self.mlp is None:
            return cast(Tensor, _Difference.apply(self.table, left, right))  # type: ignore[no-untyped-call]
        minuend, subtrahend = self(torch.cat([left, right])).chunk(2)
        return cast(Tensor, minuend - subtrahend)


class _Difference(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, table: Tensor, left: Tensor, right: Tensor
    ) -> Tensor:
        ctx.save_for_backward(left, right)
        ctx.rows = len(table)  # type: ignore[attr-defined]
        # Both rows are read, and their difference written, in one pass.
        pairs = torch.stack([left, right], dim=1)
        signs = table.new_tensor([1.0, -1.0]).repeat(len(left), 1)
        return nn.functional.embedding_bag(pairs, table, mode="sum", per_sample_weights=signs)

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: Tensor
    ) -> tuple[Tensor | None, None, None]:
        if not ctx.needs_input_grad[0]:  # type: ignore[attr-defined]
            return None, None, None
        left, right = ctx.saved_tensors  # type: ignore[attr-defined]
        whole = gradient.new_zeros(ctx.rows, gradient.shape[1])  # type: ignore[attr-defined]
        whole.index_add_(0, left, gradient).index_add_(0, right, -gradient)
        return whole, None, None
