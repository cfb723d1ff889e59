"""DeepStyle: what an item looks like, less what things of its category look like.

Liu, Wu and Wang, "DeepStyle: Learning User Preferences for Visual Recommendation", SIGIR 2017:
- style of an item s_i = E f_i - l_c, with l_c the embedding of its category;
- x̂_ui = p_u · (s_i + q_i), with the user's factors p_u and the item's free ones q_i;
- BPR + λ ‖Θ‖².

Deviations: f_i is the image and the text, each with its own E, as with `vbpr`. An item of several
categories has the mean of their embeddings, one of none has zero. q_i of an item without training
interactions is zero, as is l_c of a category without a warm item: nothing would ever train it.
The penalty has a weight of its own for E, and falls on the batch's own rows elsewhere. Each
modality is divided by its mean row norm, so that one penalty suits whatever encoder made it.
"""

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from torch import Tensor

from cliper.backbones import BackboneConfig, Batch, ContentBackbone, register_backbone
from cliper.backbones.layers import embedding_table, item_table, lookup
from cliper.data import Interactions, ItemFields
from cliper.errors import InputError
from cliper.graphs import SparseGraph
from cliper.losses import bpr, dot, shared_norm, squared_norm
from cliper.representation.features import ItemFeatures


class DeepStyleConfig(BackboneConfig):
    """Settings of DeepStyle; the paper gives no values of λ, so they are those of `vbpr`."""

    l2: float = Field(1e-2, ge=0, le=10, description="λ, on the batch's p_u, q_i and l_c")
    content_l2: float = Field(0.0, ge=0, le=10, description="λ, on the maps E")
    category_field: str = Field("categories", min_length=1, description="field that holds c")


@register_backbone("deepstyle", DeepStyleConfig, "content factors less those of the category")
class DeepStyle(ContentBackbone):
    """Users, free item factors, a map per modality, and a row per category."""

    adds_up = True
    items_interact = False

    extra_inputs = ("fields",)

    def __init__(
        self,
        config: DeepStyleConfig,
        interactions: Interactions,
        features: ItemFeatures,
        generator: torch.Generator,
        *,
        fields: ItemFields,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.config, d = config, config.embedding_size
        self.users = embedding_table(self.n_users, d, generator)
        self.items = item_table(interactions, d, generator)
        mean = category_mean(fields, config.category_field)
        warm = interactions.item_counts() > 0
        unseen = torch.from_numpy(np.flatnonzero(mean.T @ warm == 0))
        self.categories = embedding_table(mean.shape[1], d, generator, zero=unseen)
        self.category_mean = SparseGraph(mean, symmetric=False)
        self.add_features(features, generator, by_rows=True)
        self.add_maps(d, generator)

    def appearance(self, rows: Tensor | None = None) -> Tensor:
        """Σ_m E_m f_i of all items or of `rows` (n,): (n, d)."""
        if rows is not None and len(rows) >= self.n_items:
            return self.appearance().index_select(0, rows)
        return torch.stack(list(self.mapped(rows).values())).sum(0)

    def embed(self) -> tuple[Tensor, Tensor]:
        """p_u and s_i + q_i."""
        style = self.appearance() - self.category_mean(self.categories)
        return self.users, style + self.items

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR on the triples; L2 on the rows in the batch and on the content maps."""
        rows = torch.cat([batch.positives, batch.negatives])
        user = lookup(self.users, batch.users)
        category = self.category_mean(self.categories).index_select(0, rows)
        free = lookup(self.items, rows)
        positive, negative = (self.appearance(rows) - category + free).chunk(2)
        return {
            "bpr": bpr(dot(user, positive), dot(user, negative)),
            "l2": self.config.l2 * squared_norm(user, *free.chunk(2), *category.chunk(2)),
            "content_l2": self.config.content_l2 * shared_norm(*self.content.parameters()),
        }


def category_mean(fields: ItemFields, field: str) -> sp.csr_matrix:
    """Items × the field's tokens (N, T), each item's entries one over how many it has."""
    columns = fields.columns(field)
    if not len(columns):
        raise InputError(
            f"no item has a token of the field {field!r}",
            where="backbone.category_field",
            remedy=f"there are: {', '.join(fields.names)}",
        )
    chosen = sp.csr_matrix(fields.matrix, dtype=np.float32)[:, columns]
    counts = np.maximum(np.asarray(chosen.sum(axis=1)).ravel(), 1)
    return sp.csr_matrix(sp.diags(1 / counts) @ chosen, dtype=np.float32)
