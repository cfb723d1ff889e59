"""SMORE: modalities denoised and fused in the frequency domain.

Ong and Khong, "Spectrum-based Modality Representation Fusion Graph Convolutional Network for
Multimodal Recommendation", WSDM 2025 (arXiv 2412.14978), Section 3:
- spectrum fusion (3.1): H_m = W_m f_m + b_m, its spectrum H̃_m = F(H_m) along the features, a
  learned complex filter per modality Ĥ_m = F⁻¹(ω_m ⊙ H̃_m), and by the convolution theorem one
  fused modality Ĥ_f = F⁻¹(ω_f ⊙ Π_m H̃_m);
- item graphs (3.2): per modality cosine top-k S_m, normalised; the fused one is their element-wise
  maximum, S_f = max_m S_m. With Ḣ = E_i ⊙ σ(W Ĥ + b) for each m and for f: items S^L Ḣ, users the
  normalised sum over their items, R̂ S^L Ḣ, together Ē_m and Ē_f;
- behaviour: E_b is LightGCN's mean over layers 0..K of the free embeddings;
- modality-aware preference (3.3): α_m = softmax(W tanh(W' Ē_f + b')) over the features, the
  preferences P = σ(W'' E_b + b''), E_s = mean of P_m ⊙ α_m ⊙ Ē_m for every m and P_f ⊙ Ē_f; the
  representation is E_b + E_s;
- BPR + λ₁ [InfoNCE(E_s, E_b) of users and of items] + λ₂ L2 (3.4).

Written from the method as published, without equation numbers; docs/backbones/smore.md says which
defaults are still to be checked against the text.

Deviations: the features stay fixed (only their maps are trained), divided by their root mean
square so that the gates start neither shut nor flat whatever encoder made them. ω starts at the
identity. L2 is on the batch's free rows, as in LightGCN. The preference module is applied to the
rows of the batch alone, each distinct user and positive once: in InfoNCE a row that occurs twice
would be its own negative. The free row of an item without training interactions starts at zero.
"""

from dataclasses import replace
from functools import reduce

import scipy.sparse as sp
import torch
from pydantic import Field
from torch import Tensor, nn

from cliper.backbones import BackboneConfig, Batch, ContentBackbone, register_backbone
from cliper.backbones.layers import affine, node_table, projection
from cliper.data import Interactions
from cliper.graphs import SparseGraph, knn_graph, layer_mean, normalized_adjacency
from cliper.losses import bpr, dot, info_nce, squared_norm
from cliper.representation.features import ItemFeatures


class SmoreConfig(BackboneConfig):
    """Settings of SMORE; defaults as its authors set them for Baby, see docs/backbones/smore.md."""

    n_layers: int = Field(4, ge=0, le=16, description="user-item layers K")
    n_item_layers: int = Field(1, ge=1, le=16, description="item-item layers L")
    image_neighbours: int = Field(40, ge=1, le=1000, description="k of the image item graph")
    text_neighbours: int = Field(15, ge=1, le=1000, description="k of the text item graph")
    dropout: float = Field(0.1, ge=0, lt=1, description="share of preference entries dropped")
    contrast_weight: float = Field(0.01, ge=0, le=10, description="λ₁ of the contrastive loss")
    temperature: float = Field(0.2, gt=0, le=10, description="τ of the contrastive loss")
    l2: float = Field(1e-4, ge=0, le=10, description="λ₂, penalty on the batch's free rows")


def root_mean_square_scale(features: ItemFeatures) -> ItemFeatures:
    """Each modality's table divided by its root mean square: entries of the size Xavier expects."""
    scaled = {m: t / t.pow(2).mean().sqrt().clamp(min=1e-12) for m, t in features.tables.items()}
    return replace(features, tables=scaled)


class SpectralFilter(nn.Module):
    """A learned complex factor per frequency, kept as real pairs: F⁻¹(ω ⊙ x̃), (N, d)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        identity = torch.zeros(width // 2 + 1, 2)
        identity[:, 0] = 1
        self.pairs = nn.Parameter(identity)

    def forward(self, spectrum: Tensor) -> Tensor:
        """Back in the feature domain: complex (N, d // 2 + 1) to real (N, d)."""
        filtered = spectrum * torch.view_as_complex(self.pairs)
        features: Tensor = torch.fft.irfft(filtered, n=self.width, dim=1, norm="ortho")
        return features


class Preference(nn.Module):
    """The modality-aware preference module, row by row."""

    def __init__(self, modalities: tuple[str, ...], d: int, generator: torch.Generator) -> None:
        super().__init__()
        self.attention = nn.ModuleDict(
            {
                m: nn.Sequential(affine(d, d, generator), nn.Tanh(), projection(d, d, generator))
                for m in modalities
            }
        )
        self.gate = affine(d, (len(modalities) + 1) * d, generator)

    def forward(self, behaviour: Tensor, views: Tensor, keep: Tensor | None) -> Tensor:
        """E_s (n, d) of E_b (n, d) and all Ē side by side, the fused one last (n, (|M|+1)·d)."""
        d = behaviour.shape[1]
        gates = torch.sigmoid(self.gate(behaviour))
        if keep is not None:
            gates = gates * keep
        *views_of, fused = torch.split(views, d, dim=1)
        attended = [
            attention(fused).softmax(dim=1) * view
            for attention, view in zip(self.attention.values(), views_of, strict=True)
        ]
        parts = torch.split(gates * torch.cat([*attended, fused], dim=1), d, dim=1)
        return torch.stack(parts).mean(0)


@register_backbone("smore", SmoreConfig, "modalities filtered and fused in the frequency domain")
class Smore(ContentBackbone):
    """Behaviour from one graph, a view per modality and a fused one from others."""

    def __init__(
        self,
        config: SmoreConfig,
        interactions: Interactions,
        features: ItemFeatures,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.config, d = config, config.embedding_size
        self.nodes = node_table(interactions, d, generator)
        tables = self.add_features(root_mean_square_scale(features), generator)
        self.add_maps(d, generator, affine)
        views = (*tables, "fused")
        self.filters = nn.ModuleDict({v: SpectralFilter(d) for v in views})
        self.gates = nn.ModuleDict({v: affine(d, d, generator) for v in views})
        self.preference = Preference(tuple(tables), d, generator)
        adjacency = normalized_adjacency(interactions.matrix())
        self.graph = SparseGraph(adjacency, symmetric=True)
        self.to_users = SparseGraph(adjacency[: self.n_users, self.n_users :], symmetric=False)
        k = {"image": config.image_neighbours, "text": config.text_neighbours}
        graphs = {m: knn_graph(table(), k[m], weighted=True) for m, table in tables.items()}
        graphs["fused"] = sp.csr_matrix(reduce(lambda a, b: a.maximum(b), graphs.values()))
        self.item_graphs = nn.ModuleDict(
            {v: SparseGraph(graphs[v], symmetric=False) for v in views}
        )

    def denoise(self) -> dict[str, Tensor]:
        """Ĥ of every modality and the fused one: (N, d) each."""
        spectra = {m: torch.fft.rfft(x, dim=1, norm="ortho") for m, x in self.mapped().items()}
        product, *others = spectra.values()
        for other in others:
            product = product * other
        return {v: self.filters[v](s) for v, s in {**spectra, "fused": product}.items()}

    def propagate(self) -> tuple[Tensor, Tensor]:
        """E_b (M + N, d), and every Ē side by side, the fused one last (M + N, (|M|+1)·d)."""
        free = self.nodes[self.n_users :]
        views = []
        for view, hidden in self.denoise().items():
            x = free * torch.sigmoid(self.gates[view](hidden))
            for _ in range(self.config.n_item_layers):
                x = self.item_graphs[view](x)
            views.append(x)
        items = torch.cat(views, dim=1)
        behaviour = layer_mean(self.graph, self.nodes, self.config.n_layers)
        return behaviour, torch.cat([self.to_users(items), items])

    def embed(self) -> tuple[Tensor, Tensor]:
        """E_b + E_s."""
        behaviour, views = self.propagate()
        nodes = behaviour + self.preference(behaviour, views, None)
        return nodes[: self.n_users], nodes[self.n_users :]

    def _keep(self, like: Tensor) -> Tensor | None:
        """Dropout's factors for gates shaped as `like`: 0 or 1 / (1 - rate)."""
        rate = self.config.dropout
        if rate == 0:
            return None
        drawn = torch.rand(like.shape, generator=self.draws)
        return ((drawn >= rate).float() / (1 - rate)).to(like.device)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR, InfoNCE between side and behaviour, L2."""
        users, at_user = torch.unique(batch.users, return_inverse=True)
        positives, at_positive = torch.unique(batch.positives, return_inverse=True)
        rows = torch.cat([users, positives + self.n_users, batch.negatives + self.n_users])
        sizes = [len(users), len(positives), len(batch)]
        behaviour, views = (x.index_select(0, rows) for x in self.propagate())
        side = self.preference(behaviour, views, self._keep(views))
        user, positive, negative = torch.split(behaviour + side, sizes)
        user, positive = user.index_select(0, at_user), positive.index_select(0, at_positive)
        free = torch.split(self.nodes.index_select(0, rows), sizes)
        terms = {
            "bpr": bpr(dot(user, positive), dot(user, negative)),
            "l2": self.config.l2
            * squared_norm(
                free[0].index_select(0, at_user), free[1].index_select(0, at_positive), free[2]
            ),
        }
        if self.config.contrast_weight > 0:
            pairs = zip(
                torch.split(side, sizes)[:2], torch.split(behaviour, sizes)[:2], strict=True
            )
            contrast = [info_nce(s, b, self.config.temperature) for s, b in pairs]
            terms["contrast"] = self.config.contrast_weight * torch.stack(contrast).sum()
        return terms
