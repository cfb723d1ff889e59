"""BPR-MF: matrix factorisation under the pairwise ranking loss.

Rendle, Freudenthaler, Gantner, Schmidt-Thieme, "BPR: Bayesian Personalized Ranking from Implicit
Feedback", UAI 2009: x̂_ui = ⟨w_u, h_i⟩ (Section 5.3.1), BPR-Opt with L2 (Eq. 4.1).

Deviation: none of substance; the optimiser is the trainer's (Adam), not plain SGD.
"""

import torch
from pydantic import Field
from torch import Tensor

from cliper.backbones import Backbone, BackboneConfig, Batch, register_backbone
from cliper.backbones.layers import embedding_table, lookup
from cliper.data import Interactions
from cliper.losses import bpr, dot, squared_norm
from cliper.representation.features import ItemFeatures


class BprConfig(BackboneConfig):
    """Settings of BPR-MF."""

    l2: float = Field(1e-2, ge=0, le=10, description="penalty on the batch's own rows")


@register_backbone("bpr", BprConfig, "matrix factorisation with the BPR loss; ids only")
class Bpr(Backbone):
    """Users and items are free vectors."""

    adds_up = True

    def __init__(
        self,
        config: BprConfig,
        interactions: Interactions,
        features: ItemFeatures | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.config = config
        self.users = embedding_table(self.n_users, config.embedding_size, generator)
        self.items = embedding_table(self.n_items, config.embedding_size, generator)

    def embed(self) -> tuple[Tensor, Tensor]:
        """W and H themselves."""
        return self.users, self.items

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR-Opt on the batch."""
        user = lookup(self.users, batch.users)
        items = torch.cat([batch.positives, batch.negatives])
        positive, negative = lookup(self.items, items).chunk(2)
        return {
            "bpr": bpr(dot(user, positive), dot(user, negative)),
            "l2": self.config.l2 * squared_norm(user, positive, negative),
        }
