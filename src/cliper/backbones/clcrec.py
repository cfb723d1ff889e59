"""CLCRec: cold items by content that is made to predict their collaborative embedding.

Wei et al., "Contrastive Learning for Cold-Start Recommendation", ACM MM 2021 (arXiv 2107.05315).
Free embeddings z_u, z_i and a content encoder f_i = W₂ LeakyReLU(W₁ x_i + b₁) + b₂, with x_i the
item's modalities side by side; J are K negative items, τ the temperature:
- R-E: of an item's embedding, its own content against that of others,
  L_RE = -log exp(cos(z_i, f_i)/τ) / Σ_{j ∈ i, J} exp(cos(z_i, f_j)/τ);
- U-I: of a user, an item of theirs against others, on hybrids h_j that are f_j with probability ρ
  and z_j else, L_UI = -log exp(z_u·h_i/τ) / Σ_{j ∈ i, J} exp(z_u·h_j/τ);
- loss λ L_RE + (1 - λ) L_UI + L2; ŷ_ui = z_u·z_i for warm items and z_u·f_i for cold ones.

Deviations: the triples of a batch share their K negatives, which are those of its first K triples:
one product instead of K rows a triple. One that is another user's own item is not taken out, which
happens as often as that user took a random item. Each modality is divided by its mean row norm, not
every row by its own, so that an item without features stays at zero as elsewhere here. The penalty
is half the squares (`cliper.losses`); the authors' program has norms that are not squared. z_i of a
cold item is zero and unused. The hidden layer is 64 wide and not 256, for the time of an epoch.
"""

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import leaky_relu, normalize, softplus

from cliper.backbones import BackboneConfig, Batch, ContentBackbone, register_backbone
from cliper.backbones.layers import affine, cold_items, embedding_table, lookup
from cliper.data import Interactions
from cliper.losses import dot, squared_norm
from cliper.representation.features import ItemFeatures

COLD_AT_ONCE = 2**14


class ClcRecConfig(BackboneConfig):
    """Settings of CLCRec; the authors' for MovieLens, but for `hidden` (256 there) and `l2`."""

    hidden: int = Field(64, ge=1, le=8192, description="width of the encoder's hidden layer")
    n_negatives: int = Field(128, ge=1, le=65_536, description="negatives K, at most a batch's")
    temperature: float = Field(2.0, gt=0, le=100, description="τ of both contrasts")
    content_share: float = Field(0.5, ge=0, lt=1, description="probability ρ of content in U-I")
    contrast_weight: float = Field(0.5, ge=0, lt=1, description="weight λ of R-E; U-I has 1 - λ")
    l2: float = Field(1e-3, ge=0, le=10, description="penalty on the batch's free embeddings")


@register_backbone("clcrec", ClcRecConfig, "content contrasted with collaborative embeddings")
class ClcRec(ContentBackbone):
    """Free users and items, and an encoder that stands in for a cold item."""

    items_interact = False

    def __init__(
        self,
        config: ClcRecConfig,
        interactions: Interactions,
        features: ItemFeatures,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.config, d = config, config.embedding_size
        self.cold = cold_items(interactions)
        self.users = embedding_table(self.n_users, d, generator)
        self.items = embedding_table(self.n_items, d, generator, zero=self.cold)
        tables = self.add_features(features, generator, by_rows=True)
        self.inner = affine(sum(t.width for t in tables.values()), config.hidden, generator)
        self.outer = affine(config.hidden, d, generator)

    def encode(self, rows: Tensor | None = None) -> Tensor:
        """Content f of all items or of `rows` (n,): (n, d)."""
        x = torch.cat([table(rows) for table in self.features.values()], dim=1)
        encoded: Tensor = self.outer(leaky_relu(self.inner(x)))
        return encoded

    def embed(self) -> tuple[Tensor, Tensor]:
        """z_u, and z_i of the warm items with f_i of the cold ones."""
        if not len(self.cold):
            return self.users, self.items
        cold = self.cold.to(self.items.device)
        some = torch.split(cold, COLD_AT_ONCE)
        content = torch.cat([self.encode(rows) for rows in some])
        return self.users, self.items.index_copy(0, cold, content)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Both contrasts on the triples, L2 on their free rows."""
        config, negatives = self.config, batch.negatives[: self.config.n_negatives]
        # An item that occurs often is encoded once.
        rows, place = torch.unique(torch.cat([batch.positives, negatives]), return_inverse=True)
        own, other = place[: len(batch)], place[len(batch) :]
        content, free = self.encode(rows), lookup(self.items, rows)
        user = lookup(self.users, batch.users)
        positive, negative = free.index_select(0, own), free.index_select(0, other)
        drawn = torch.rand(len(place), 1, generator=self.draws) < config.content_share
        hybrid = torch.where(
            drawn.to(free.device), content.index_select(0, place), torch.cat([positive, negative])
        )
        own_hybrid, other_hybrid = hybrid[: len(own)], hybrid[len(own) :]
        by_id, by_content = normalize(free, dim=1), normalize(content, dim=1)
        anchor = by_id.index_select(0, own)
        item = contrast(
            anchor, by_content.index_select(0, own), by_content.index_select(0, other),
            config.temperature,
        )  # fmt: skip
        taste = contrast(user, own_hybrid, other_hybrid, config.temperature)
        return {
            "item": config.contrast_weight * item,
            "user": (1 - config.contrast_weight) * taste,
            "l2": config.l2 * squared_norm(user, positive, negative),
        }


def contrast(anchor: Tensor, positive: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """-mean log of the softmax of a·p/τ among it and a·n/τ: (B, d), (B, d), (K, d) to a scalar."""
    anchor = anchor / temperature
    own, others = dot(anchor, positive), anchor @ negatives.T
    # -log(e^own / (e^own + Σ e^others)) = log(1 + e^(log Σ e^others - own))
    return softplus(others.logsumexp(dim=1) - own).mean()
