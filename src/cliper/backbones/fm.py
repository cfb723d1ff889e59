"""FM: a factorisation machine over the user, the item, and the item's tokens.

Rendle, "Factorization Machines", ICDM 2010: over a row x of one-hot user, one-hot item and the
tokens of the item's fields,

    ŷ(x) = w₀ + Σ_a w_a x_a + Σ_{a<b} ⟨v_a, v_b⟩ x_a x_b        (Eq. 1)
    Σ_{a<b} ⟨v_a, v_b⟩ x_a x_b = ½ (‖Σ_a x_a v_a‖² - Σ_a x_a² ‖v_a‖²)  (Lemma 3.1)

Split by what the user has a part in, with s_i = v_i + Σ_t x_t v_t over the item's tokens, this is
w₀ + w_u + ⟨v_u, s_i⟩ + b_i: an inner product of (v_u, 1) and (s_i, b_i), where

    b_i = w_i + Σ_t x_t w_t + ½ (‖s_i‖² - ‖v_i‖² - Σ_t x_t² ‖v_t‖²).

The tokens of one field share a weight of one, x_t = 1/n for n of them, as the paper's example of a
set of films does. The loss is BPR, the paper's third task (ranking, Section 3.2), so w₀ and w_u
cancel.

Deviations: w₀ and w_u are left out, as they never train nor change a ranking. v_i of an item
without training interactions is zero, and so are the tokens that no warm item has: such an item
scores by its known tokens alone. Initial factors are Xavier-uniform as everywhere here.
"""

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from torch import Tensor, nn

from cliper.backbones import Backbone, BackboneConfig, Batch, register_backbone
from cliper.backbones.layers import embedding_table, item_table, lookup
from cliper.data import Interactions, ItemFields
from cliper.graphs import SparseGraph
from cliper.losses import bpr, dot, shared_norm, squared_norm
from cliper.representation.features import ItemFeatures


class FmConfig(BackboneConfig):
    """Settings of FM; the paper leaves λ to the task."""

    l2: float = Field(1e-2, ge=0, le=10, description="penalty on the batch's v_u, v_i and w_i")
    token_l2: float = Field(1e-4, ge=0, le=10, description="penalty on all v_t and w_t")


@register_backbone("fm", FmConfig, "factorisation machine over user, item and the item's tokens")
class Fm(Backbone):
    """Factors and a linear weight for every user, item and token (none for users)."""

    adds_up = True
    items_interact = False

    extra_inputs = ("fields",)

    def __init__(
        self,
        config: FmConfig,
        interactions: Interactions,
        features: ItemFeatures | None,
        generator: torch.Generator,
        *,
        fields: ItemFields,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.config, d = config, config.embedding_size
        self.users = embedding_table(self.n_users, d, generator)
        self.items = item_table(interactions, d, generator)
        self.item_weights = nn.Parameter(torch.zeros(self.n_items))
        x = field_shares(fields)
        unseen = np.flatnonzero(x.T @ (interactions.item_counts() > 0) == 0)
        self.tokens = embedding_table(x.shape[1], d, generator, zero=torch.from_numpy(unseen))
        self.token_weights = nn.Parameter(torch.zeros(x.shape[1], 1))
        self.x = SparseGraph(x, symmetric=False)
        self.x_squared = SparseGraph(x.multiply(x), symmetric=False)

    def describe(self) -> tuple[Tensor, Tensor]:
        """s_i (N, d) and b_i (N,) of every item."""
        sums = self.x(torch.cat([self.tokens, self.token_weights], dim=1))
        s = self.items + sums[:, :-1]
        own = self.x_squared(self.tokens.pow(2).sum(dim=1, keepdim=True))[:, 0]
        pairs = 0.5 * (s.pow(2).sum(dim=1) - self.items.pow(2).sum(dim=1) - own)
        return s, self.item_weights + sums[:, -1] + pairs

    def embed(self) -> tuple[Tensor, Tensor]:
        """Users (v_u, 1) and items (s_i, b_i), each of width d + 1."""
        s, bias = self.describe()
        users = torch.cat([self.users, self.users.new_ones(self.n_users, 1)], dim=1)
        return users, torch.cat([s, bias[:, None]], dim=1)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR on the triples; L2 on the batch's own rows, and on the tokens."""
        rows = torch.cat([batch.positives, batch.negatives])
        user = lookup(self.users, batch.users)
        s, bias = self.describe()
        positive, negative = s.index_select(0, rows).chunk(2)
        more, less = bias.index_select(0, rows).chunk(2)
        free = self.items.index_select(0, rows).chunk(2)
        weights = self.item_weights.index_select(0, rows).chunk(2)
        return {
            "bpr": bpr(dot(user, positive) + more, dot(user, negative) + less),
            "l2": self.config.l2 * squared_norm(user, *free, *weights),
            "token_l2": self.config.token_l2 * shared_norm(self.tokens, self.token_weights),
        }


def field_shares(fields: ItemFields) -> sp.csr_matrix:
    """x of the tokens (N, T): one over how many tokens the item has in the token's field."""
    matrix = sp.coo_matrix(fields.matrix, dtype=np.float32)
    _, field = np.unique([name for name, _ in fields.tokens], return_inverse=True)
    group = matrix.row.astype(np.int64) * (field.max(initial=0) + 1) + field[matrix.col]
    _, member, counts = np.unique(group, return_inverse=True, return_counts=True)
    shares = (1 / counts[member]).astype(np.float32)
    return sp.csr_matrix((shares, (matrix.row, matrix.col)), shape=matrix.shape)
