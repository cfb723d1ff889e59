"""SiBraR: one network for every modality of an item, its interactions among them.

Ganhör et al., "A Multimodal Single-Branch Embedding Network for Recommendation in Cold-Start and
Missing Modality Scenarios", RecSys 2024 (arXiv 2409.17864). Item i has the modalities m: image,
text, and its column of R; each goes through a map of its own to one width, then all through the
same branch g:
- e_i^m = g(P_m x_i^m + b_m), g(z) = W₂ ReLU(W₁ dropout(z) + b₁) + b₂;
- e_i = mean of e_i^m over the modalities that i has (a cold item has content alone);
- users e_u = W_u applied to their row of R, or a free row;
- ŷ_ui = e_u·e_i, by BPR. In training every item of a batch has two modalities a and b, drawn anew:
  e_i is the mean of the two, and they contrast, α · ½ (InfoNCE(a, b) + InfoNCE(b, a)) on cosines,
  among the items of a group.

Deviations: one negative a triple where the paper has ten; an item that occurs several times in a
batch is encoded once there, with one draw of modalities; a group is of items of the batch at
random, each once, where the paper's is a positive and its ten negatives. No batch
normalisation after g: `embed` would depend on what the last batches held. Every modality, R's rows
and columns too, is divided by its mean row norm, so that none drowns the others in the branch they
share; a popular item's column stays the longer one. A modality whose row is zero is missing, as is
R's for a cold item. The penalty is `l2` as everywhere here, where the paper has AdamW's decay.
"""

from typing import Literal

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import normalize

from cliper.backbones import BackboneConfig, Batch, ContentBackbone, register_backbone
from cliper.backbones.layers import affine, embedding_table, unit_scale
from cliper.data import Interactions
from cliper.graphs import SparseGraph
from cliper.losses import bpr, dot, squared_norm
from cliper.representation.features import ItemFeatures


class SibrarConfig(BackboneConfig):
    """Settings of SiBraR; widths, dropout and group of the authors' settings for MovieLens."""

    hidden: int = Field(64, ge=1, le=8192, description="width of the branch's hidden layer")
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout on what enters the branch")
    users: Literal["profile", "free"] = Field("profile", description="where e_u comes from")
    contrast_weight: float = Field(1e-3, ge=0, le=10, description="weight α of the contrast")
    temperature: float = Field(0.2, gt=0, le=100, description="of the contrast")
    group: int = Field(11, ge=2, le=4096, description="items that contrast with one another")
    l2: float = Field(1e-4, ge=0, le=10, description="penalty on the batch's e_u and e_i")


@register_backbone("sibrar", SibrarConfig, "one shared branch for content and interactions")
class Sibrar(ContentBackbone):
    """A map per modality, one branch for all, and users by what they took."""

    costs_by_step = True
    items_interact = False

    available: Tensor

    def __init__(
        self,
        config: SibrarConfig,
        interactions: Interactions,
        features: ItemFeatures,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.config, d = config, config.embedding_size
        matrix = interactions.matrix()
        tables = self.add_features(unit_scale(features), generator)
        self.add_maps(d, generator, affine)
        # R's columns times a table (M, d): the table is the map of that modality.
        self.columns = SparseGraph(unit_rows(matrix.T), symmetric=False)
        self.column_map = embedding_table(self.n_users, d, generator)
        self.column_bias = nn.Parameter(torch.zeros(d))
        self.rows = None
        if config.users == "profile":
            self.rows = SparseGraph(unit_rows(matrix), symmetric=False)
        self.user_map = embedding_table(
            self.n_users if self.rows is None else self.n_items, d, generator
        )
        self.inner = affine(d, config.hidden, generator)
        self.outer = affine(config.hidden, d, generator)
        has = [t.table.abs().sum(dim=1) > 0 for t in tables.values()]
        has.append(torch.from_numpy(interactions.item_counts() > 0))
        self.register_buffer("available", torch.stack(has, dim=1), persistent=False)

    def branch(self, z: Tensor) -> Tensor:
        """g of rows (n, d): (n, d)."""
        encoded: Tensor = self.outer(self.inner(z).relu())
        return encoded

    def every_user(self) -> Tensor:
        """e_u of all users (M, d)."""
        return self.user_map if self.rows is None else self.rows(self.user_map)

    def every_column(self) -> Tensor:
        """The items' interactions, mapped to the common width (N, d)."""
        mapped: Tensor = self.columns(self.column_map) + self.column_bias
        return mapped

    def embed(self) -> tuple[Tensor, Tensor]:
        """e_u, and the mean over the modalities that each item has (zero if it has none)."""
        mapped = (*self.mapped().values(), self.every_column())
        encoded = torch.stack([self.branch(z) for z in mapped], dim=1)
        has = self.available.to(encoded)[:, :, None]
        return self.every_user(), (has * encoded).sum(1) / has.sum(1).clamp(min=1)

    def draw(self, items: Tensor) -> Tensor:
        """Two modalities of each of `items` (n,), one twice where it has but one: int (2, n)."""
        has = self.available.index_select(0, items)
        keys = torch.rand(has.shape, generator=self.draws).to(has.device)
        first, second = keys.masked_fill(~has, -1).topk(2, dim=1).indices.T
        return torch.stack([first, torch.where(has.sum(1) > 1, second, first)])

    def pair(self, items: Tensor) -> Tensor:
        """g of two drawn modalities of each of `items` (n,): (2, n, d)."""
        drawn = self.draw(items).ravel()
        twice = items.repeat(2)
        parts, places = [], []
        for index, modality in enumerate((*self.features, None)):
            place = (drawn == index).nonzero()[:, 0]
            mine = twice.index_select(0, place)
            if modality is None:
                parts.append(self.every_column().index_select(0, mine))
            else:
                parts.append(self.content[modality](self.features[modality](mine)))
            places.append(place)
        z = torch.cat(parts).index_select(0, torch.cat(places).argsort())
        if self.training and self.config.dropout > 0:
            kept = torch.empty(z.shape).bernoulli_(1 - self.config.dropout, generator=self.draws)
            z = z * kept.div_(1 - self.config.dropout).to(z.device)
        return self.branch(z).view(2, len(items), -1)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR on the mean of each item's two, their contrast, L2 on what was scored."""
        user = self.every_user().index_select(0, batch.users)
        # An item that occurs often in the batch is encoded once.
        items, place = torch.unique(
            torch.cat([batch.positives, batch.negatives]), return_inverse=True
        )
        left, right = self.pair(items)
        positive, negative = ((left + right) / 2).index_select(0, place).chunk(2)
        # Groups are drawn: neighbours in the catalogue may be alike.
        order = torch.randperm(len(items), generator=self.draws).to(items.device)
        left, right = left.index_select(0, order), right.index_select(0, order)
        size = min(self.config.group, len(items))
        return {
            "bpr": bpr(dot(user, positive), dot(user, negative)),
            "contrast": self.config.contrast_weight
            * grouped_info_nce(left, right, size, self.config.temperature),
            "l2": self.config.l2 * squared_norm(user, positive, negative),
        }


def grouped_info_nce(left: Tensor, right: Tensor, size: int, temperature: float) -> Tensor:
    """Symmetric InfoNCE of cosines within groups of `size` rows in turn; a rest is left out.

    Args:
        left, right: (n, d), row by row two modalities of one item.
        size: rows of a group, at most n.
        temperature: divides the cosines.
    """
    whole = len(left) // size * size
    a, b = (normalize(x[:whole], dim=1).view(-1, size, x.shape[1]) for x in (left, right))
    logits = a @ b.transpose(1, 2) / temperature
    own = logits.diagonal(dim1=1, dim2=2)
    return (logits.logsumexp(2) / 2 + logits.logsumexp(1) / 2 - own).mean()


def unit_rows(matrix: sp.spmatrix) -> sp.csr_matrix:
    """A sparse matrix divided by the mean norm of its rows that are not empty."""
    csr = sp.csr_matrix(matrix, dtype=np.float32)
    norms = np.sqrt(np.asarray(csr.multiply(csr).sum(axis=1)).ravel())
    return csr / max(float(norms[norms > 0].mean()) if csr.nnz else 1.0, 1e-12)
