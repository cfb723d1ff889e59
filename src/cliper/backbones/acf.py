"""ACF: a user is the items of their history, weighed by attention that looks at content.

Chen, Zhang, He, Nie, Liu and Chua, "Attentive Collaborative Filtering: Multimedia Recommendation
with Item- and Component-Level Attention", SIGIR 2017:
- x̂_ij = (u_i + Σ_{l ∈ R(i)} α(i,l) p_l) · v_j, with two vectors per item, v_j and p_l (Eq. 5);
- item level (Eq. 6-7): α = softmax over R(i) of
  a(i,l) = w₁ · φ(W₁ᵤ u_i + W₁ᵥ v_l + W₁ₚ p_l + W₁ₓ x̄_l + b₁) + c₁;
- component level (Eq. 8-10): x̄_l = Σ_m β(i,l,m) x_lm, with β = softmax over m of
  b(i,l,m) = w₂ · φ(W₂ᵤ u_i + W₂ₓ x_lm + b₂) + c₂;
- φ is ReLU; BPR + λ (‖U‖² + ‖V‖² + ‖P‖²) (Eq. 4).

Deviations:
- The components of an item are its modalities, x_lm = E_m f_lm: they differ in width, which the
  regions of an image do not. With one modality β is 1, and there is no component level to train.
- c₁ and c₂ cancel in their softmax and are left out.
- A training triple's positive is left out of its own user's history, weights renormalised (as
  FISM does, Kabbur, Ning and Karypis, KDD 2013): in the ranking no candidate is in the history,
  and p_l · v_l would only learn to recognise it. `exclude_positive: false` is the paper.
- v_j says nothing of an item that nobody has taken, so the paper's ACF cannot rank cold items.
  `item_content` adds the mean of the item's x_jm to v_j, which can; false, the default, is the
  paper. v_j of an item without training interactions is zero.
- Each modality is divided by its mean row norm; λ falls on the batch's own rows.
"""

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from cliper.backbones import BackboneConfig, Batch, ContentBackbone, register_backbone
from cliper.backbones.layers import embedding_table, item_table, lookup, projection, unit_scale
from cliper.data import Interactions
from cliper.graphs.edges import segment_softmax
from cliper.losses import bpr, dot, squared_norm
from cliper.representation.features import ItemFeatures

USERS_AT_ONCE = 1024  # bounds memory outside training, where every user attends
ALL_OF_IT = 1e-4  # a history of which the positive leaves less than this is taken as empty


class AcfConfig(BackboneConfig):
    """Settings of ACF."""

    l2: float = Field(1e-2, ge=0, le=10, description="λ, on the batch's rows of U, V and P")
    exclude_positive: bool = Field(True, description="train on the history without the positive")
    item_content: bool = Field(False, description="add content to v_j: needed for cold items")


@register_backbone("acf", AcfConfig, "attention over the user's history and its items' modalities")
class Acf(ContentBackbone):
    """U, V and P; attention over whole histories, as ragged segments without padding."""

    adds_up = True
    items_interact = False

    offsets: Tensor
    taken: Tensor

    def __init__(
        self,
        config: AcfConfig,
        interactions: Interactions,
        features: ItemFeatures,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.config, d = config, config.embedding_size
        self.users = embedding_table(self.n_users, d, generator)
        self.items = item_table(interactions, d, generator)
        self.history = item_table(interactions, d, generator)
        self.add_features(unit_scale(features), generator)
        self.add_maps(d, generator)
        self.item_level = Attention(("user", "item", "history", "content"), d, generator)
        self.component_level: Attention | None = None
        if len(self.features) > 1:
            self.component_level = Attention(("user", "content"), d, generator)
        matrix = interactions.matrix()
        matrix.sort_indices()
        offsets = torch.from_numpy(matrix.indptr.astype(np.int64))
        taken = torch.from_numpy(matrix.indices.astype(np.int64))
        self.register_buffer("offsets", offsets, persistent=False)
        self.register_buffer("taken", taken, persistent=False)

    def edges(self, users: Tensor) -> tuple[Tensor, Tensor]:
        """Histories of `users` (n,): which of the n it is, and the item; both (E,), sorted."""
        first, counts = self.offsets[users], self.offsets[users + 1] - self.offsets[users]
        rows = torch.repeat_interleave(torch.arange(len(users), device=users.device), counts)
        skipped = first - (counts.cumsum(0) - counts)
        at = torch.arange(len(rows), device=users.device) + skipped[rows]
        return rows, self.taken[at]

    def attend(
        self, u: Tensor, rows: Tensor, items: Tensor, components: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Item-level weights α (E,), and Σ_l α p_l (n, d), of users u (n, d)."""
        level = self.item_level
        of_item = level.maps["item"](self.items) + level.maps["history"](self.history) + level.bias
        *others, last = [level.maps["content"](x) for x in components]
        hidden = (of_item + last).index_select(0, items)
        if self.component_level is not None:
            beta = self.component_weights(self.component_level, u, rows, items, components)
            # Σ_m β_m x_m = x_last + Σ_m β_m (x_m - x_last): one pass over the edges less.
            for m, other in enumerate(others):
                difference = (other - last).index_select(0, items)
                hidden = torch.addcmul(hidden, beta[:, m : m + 1], difference)
        hidden = hidden + level.maps["user"](u).index_select(0, rows)
        alpha = segment_softmax(level.logit(hidden), rows, len(u))
        weighted = alpha[:, None] * self.history.index_select(0, items)
        return alpha, u.new_zeros(u.shape).index_add(0, rows, weighted)

    def component_weights(
        self, level: "Attention", u: Tensor, rows: Tensor, items: Tensor, components: list[Tensor]
    ) -> Tensor:
        """β of every edge and modality, (E, m)."""
        asking = level.maps["user"](u).index_select(0, rows)
        keys = [level.maps["content"](x) + level.bias for x in components]
        logits = [level.logit(asking + key.index_select(0, items)) for key in keys]
        return torch.stack(logits, dim=1).softmax(dim=1)

    def targets(self, components: list[Tensor]) -> Tensor:
        """v_j, with the item's content where that is on: (N, d)."""
        items: Tensor = self.items
        return items + torch.stack(components).mean(0) if self.config.item_content else items

    def embed(self) -> tuple[Tensor, Tensor]:
        """u_i + Σ_l α p_l over the whole history, and v_j."""
        components, users = list(self.mapped().values()), []
        every = torch.arange(self.n_users, device=self.users.device)
        for chunk in torch.split(every, USERS_AT_ONCE):
            u = self.users.index_select(0, chunk)
            users.append(u + self.attend(u, *self.edges(chunk), components)[1])
        return torch.cat(users), self.targets(components)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR on the triples, L2 on the batch's rows of U, V and P."""
        components = list(self.mapped().values())
        users, which = torch.unique(batch.users, return_inverse=True)
        rows, items = self.edges(users)
        u = lookup(self.users, users)
        alpha, histories = self.attend(u, rows, items, components)
        history, own = histories.index_select(0, which), u.index_select(0, which)
        p = self.history.index_select(0, batch.positives)
        if self.config.exclude_positive:
            share = self.share_of(which, batch.positives, rows, items, alpha)
            history = without(history, share, p)
        targets = self.targets(components)
        positive = targets.index_select(0, batch.positives)
        negative = targets.index_select(0, batch.negatives)
        pairs = torch.cat([batch.positives, batch.negatives])
        free = self.items.index_select(0, pairs).chunk(2)
        user = own + history
        return {
            "bpr": bpr(dot(user, positive), dot(user, negative)),
            "l2": self.config.l2 * squared_norm(own, *free, p),
        }

    def share_of(
        self, which: Tensor, positives: Tensor, rows: Tensor, items: Tensor, alpha: Tensor
    ) -> Tensor:
        """α of each triple's positive in its user's history, 0 where it is not in it: (B,)."""
        keys, wanted = rows * self.n_items + items, which * self.n_items + positives
        at = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
        return torch.where(keys[at] == wanted, alpha[at], alpha.new_zeros(()))


class Attention(nn.Module):
    """w · φ(Σ_s W_s s + b), with one map per source s; the maps are the caller's to apply."""

    def __init__(self, sources: tuple[str, ...], width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.maps = nn.ModuleDict({s: projection(width, width, generator) for s in sources})
        self.bias = nn.Parameter(torch.zeros(width))
        self.out = projection(width, 1, generator)

    def logit(self, hidden: Tensor) -> Tensor:
        """Of hidden (E, d) before φ: (E,)."""
        result: Tensor = self.out(hidden.relu())[:, 0]
        return result


def without(history: Tensor, share: Tensor, p: Tensor) -> Tensor:
    """Weighted means (B, d) after the rows p (B, d) with weights `share` (B,) have left them."""
    rest = 1 - share
    some = rest > ALL_OF_IT
    # The division stays clear of 0 on the branch that is not taken, or its gradient is NaN.
    left = (history - share[:, None] * p) / torch.where(some, rest, 1.0)[:, None]
    return torch.where(some[:, None], left, 0.0)
