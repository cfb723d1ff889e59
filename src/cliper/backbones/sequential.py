"""What sequential models share: items fused at the input, states before each pair, last states."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from cliper.backbones import BackboneConfig, Batch, ContentBackbone
from cliper.backbones.layers import item_table, lookup
from cliper.backbones.sequences import Sequences, ragged
from cliper.config import StrictConfig
from cliper.data import Interactions, Vocabulary
from cliper.errors import InputError
from cliper.losses import dot
from cliper.representation.features import ItemFeatures
from cliper.scoring import FactorScorer, FoldIn, Scorer
from cliper.types import IndexArray

USERS_AT_ONCE = 2048
SHORTEST = 8


class SequentialConfig(BackboneConfig):
    """Settings that every sequential model has."""

    max_length: int = Field(50, ge=1, le=10_000, description="last items of a user that are read")
    item_ids: bool = Field(True, description="items have free embeddings, beside their content")
    dropout: float = Field(0.5, ge=0, lt=1, description="share of the input and states dropped")


class Sequential(ContentBackbone):
    """A network over sequences of items; a score is state · item.

    An item is its ID embedding plus a projection of each modality, the same table for what is read
    and for what is scored. The state before a pair has seen all that the user did earlier. A user
    without history has a zero state, and with it equal scores.

    A subclass says `network`, which turns embedded sequences into states, and `pair_loss`.
    """

    items_interact = False

    features_optional = True
    extra_inputs = ("timestamps",)
    by_sequence = True

    def __init__(
        self,
        config: SequentialConfig,
        interactions: Interactions,
        features: ItemFeatures | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.max_length, self.dropout = config.max_length, config.dropout
        self.sequences = Sequences(interactions)
        d = config.embedding_size
        known = features if features is not None and features.modalities else None
        if known is None and not config.item_ids:
            raise InputError(
                "without features and without ids nothing is known of an item",
                where="backbone.item_ids",
                remedy="leave it on, or train with features",
            )
        self.ids: nn.Parameter | None = None
        if config.item_ids:
            self.ids = item_table(interactions, d, generator)
        if known is not None:
            self.add_features(known, generator, by_rows=True)
        self.add_maps(d, generator)

    def network(self, x: Tensor, lengths: Tensor) -> Tensor:
        """States (B, L, d) of embedded sequences (B, L, d), of which the first `lengths` count.

        A state may depend on its own place and those before it alone: what follows is padding.
        """
        raise NotImplementedError

    def pair_loss(self, positive: Tensor, negative: Tensor) -> dict[str, Tensor]:
        """Terms of the loss, summed over the pairs, of scores (n,) each."""
        raise NotImplementedError

    def drop(self, x: Tensor) -> Tensor:
        """Dropout by the model's own generator; the identity in evaluation."""
        if not self.training or self.dropout == 0:
            return x
        drawn = torch.rand(x.shape, generator=self.draws).to(x.device)
        return x * (drawn >= self.dropout) / (1 - self.dropout)

    def describe(self, rows: Tensor | None = None) -> Tensor:
        """Fused items `rows` (n,), or all: (n, d)."""
        parts = list(self.mapped(rows).values())
        if self.ids is not None:
            parts.append(self.ids if rows is None else lookup(self.ids, rows))
        return torch.stack(parts).sum(0) if len(parts) > 1 else parts[0]

    def states(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The network's states of sequences that lie one after another: (T, d) to (T, d).

        Sequences of about the same length are read together, padded to the longest of them: most
        users are short, and padding all to the longest of all would be most of the work.

        Args:
            x: embedded items, T = Σ lengths.
            lengths: of each sequence, (B,).
        """
        if not len(x):
            return x
        first = lengths.cumsum(0) - lengths
        places, found = [], []
        low, high = 0, SHORTEST
        while low < int(lengths.max()):
            rows = ((lengths > low) & (lengths <= high)).nonzero().squeeze(1)
            low, high = high, 2 * high
            if not len(rows):
                continue
            length = lengths[rows]
            steps = torch.arange(int(length.max()), device=x.device)
            place = first[rows, None] + steps
            block = x.index_select(0, place.clamp(max=len(x) - 1).flatten())
            states = self.network(block.view(*place.shape, -1), length).flatten(0, 1)
            real = (steps < length[:, None]).flatten().nonzero().squeeze(1)
            places.append(place.flatten()[real])
            found.append(states.index_select(0, real))
        back = torch.argsort(torch.cat(places))
        return torch.cat(found).index_select(0, back)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Each pair scored by the state before it, against its negative; mean over such pairs.

        A user's first item has nothing before it, and one that the window no longer holds has no
        state: both are left out.
        """
        users, row = torch.unique(batch.users, return_inverse=True)
        begin, end = self.sequences.windows(users, self.max_length, leave=1)
        before = self.sequences.find(batch.users, batch.positives) - 1
        pairs = ((before >= begin[row]) & (before < end[row])).nonzero().squeeze(1)
        read = self.sequences.items[ragged(begin, end)]
        scored = torch.cat([batch.positives[pairs], batch.negatives[pairs]])
        rows, inverse = torch.unique(torch.cat([read, scored]), return_inverse=True)
        items = self.describe(rows).index_select(0, inverse)
        lengths = end - begin
        states = self.states(items[: len(read)], lengths)
        place = (lengths.cumsum(0) - lengths - begin)[row] + before
        state = states.index_select(0, place[pairs])
        positive, negative = items[len(read) :].chunk(2)
        terms = self.pair_loss(dot(state, positive), dot(state, negative))
        return {name: term / max(1, len(pairs)) for name, term in terms.items()}

    def last_states(self, sequences: Sequences, items: Tensor) -> Tensor:
        """The state after all that each user did, (M, d), some users at a time."""
        found = []
        for users in torch.split(torch.arange(self.n_users, device=items.device), USERS_AT_ONCE):
            begin, end = sequences.windows(users, self.max_length)
            lengths = end - begin
            read = sequences.items[ragged(begin, end)]
            states = self.states(items.index_select(0, read), lengths)
            last = items.new_zeros(len(users), items.shape[1])
            there = lengths.nonzero().squeeze(1)
            found.append(last.index_copy(0, there, states[lengths.cumsum(0)[there] - 1]))
        return torch.cat(found)

    @classmethod
    def fold_in(
        cls,
        config: StrictConfig,
        scorer: Scorer,
        counts: IndexArray,
        state: Mapping[str, Tensor],
    ) -> FoldIn | None:
        """The network itself reads the history, over the items as the scorer has them."""
        assert isinstance(config, SequentialConfig) and isinstance(scorer, FactorScorer)
        one = np.zeros(1, dtype=np.int64)
        nobody = Interactions(Vocabulary(["-"]), Vocabulary(["-"]), one, one, timestamp=one)
        bare = config.model_copy(update={"item_ids": True})
        network = cls(bare, nobody, None, torch.Generator())
        network.load_state_dict(
            {name: state[name] for name in network.network_parameters()}, strict=False
        )
        return ReadHistory(scorer, network.eval())

    def network_parameters(self) -> list[str]:
        """Names of the parameters that turn items into states."""
        of_items = ("ids", "content.", "features.")
        return [name for name in self.state_dict() if not name.startswith(of_items)]

    def embed(self) -> tuple[Tensor, Tensor]:
        """States after the training history (M, d), and the fused items (N, d)."""
        items = self.describe()
        return self.last_states(self.sequences, items), items

    def scorer(self, history: Interactions | None = None) -> FactorScorer:
        """The states after `history`, which the network goes on from, and the fused items."""
        with torch.no_grad():
            items = self.describe()
            read = self.sequences if history is None else Sequences(history).to(items.device)
            return FactorScorer(self.last_states(read, items), items)


@dataclass(frozen=True, eq=False)
class ReadHistory(FoldIn):
    """A trained network goes through the last items of a history; a score is no sum.

    Attributes:
        known: the scorer of the trained users, for its items.
        network: in evaluation mode.
    """

    is_sum: ClassVar[bool] = False
    known: FactorScorer
    network: Sequential

    @torch.inference_mode()
    def scorer(self, histories: Sequence[IndexArray]) -> FactorScorer:
        """The state after each history; zero after an empty one."""
        read = [history[-self.network.max_length :] for history in histories]
        lengths = torch.tensor([len(one) for one in read], dtype=torch.int64)
        rows = torch.from_numpy(np.concatenate([np.empty(0, np.int64), *read]))
        states = self.network.states(self.known.items.index_select(0, rows), lengths)
        users = self.known.items.new_zeros(len(read), self.known.items.shape[1])
        there = lengths.nonzero().squeeze(1)
        users[there] = states[lengths.cumsum(0)[there] - 1]
        return self.known.of(users)

    def extended(self, scorer: Scorer) -> Self:
        """Over more items."""
        assert isinstance(scorer, FactorScorer)
        return replace(self, known=scorer)
