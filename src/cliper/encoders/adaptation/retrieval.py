"""How well pictures and texts of the same items find each other in an encoder's space."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from cliper.encoders.pairs import PairTable, distinct
from cliper.types import JsonObject


@dataclass(frozen=True)
class Direction:
    """Retrieval in one direction; a query's rank is 1 when its partner comes first.

    Attributes:
        queries: how many asked.
        candidates: among how many different pictures or texts the partner was looked for.
        recall_at_1, recall_at_5, recall_at_10: share of queries with their partner at that rank
            or before.
        mrr: mean of 1 / rank.
        median_rank: half the queries have a rank up to this one.
        chance_mrr: what random order would score.
    """

    queries: int
    candidates: int
    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    mrr: float
    median_rank: float
    chance_mrr: float


@dataclass(frozen=True)
class ViewRetrieval:
    """Retrieval by one view, and how its cosines are spread (Eq. 2 weighs views by them).

    Attributes:
        text_to_image, image_to_text: retrieval in each direction.
        matched: mean cosine of an item's view with its own picture.
        unmatched: mean cosine with other items' pictures.
        unmatched_deviation: standard deviation of the latter.
    """

    text_to_image: Direction
    image_to_text: Direction
    matched: float
    unmatched: float
    unmatched_deviation: float

    @property
    def mrr(self) -> float:
        """Mean of both directions; what early stopping looks at."""
        return (self.text_to_image.mrr + self.image_to_text.mrr) / 2


@dataclass(frozen=True)
class Retrieval:
    """Retrieval among some items: `overall` pools the queries of all views."""

    overall: ViewRetrieval
    views: dict[str, ViewRetrieval]

    def json_object(self) -> JsonObject:
        """Plain numbers, for a file."""
        return asdict(self)


def score_retrieval(
    text: Tensor, image: Tensor, pairs: PairTable, views: Sequence[str]
) -> Retrieval:
    """Rank every picture for every text of n items, and the other way round, by cosine.

    Candidates are the different pictures, and the different texts of a view. Where several items
    share a text, each of their pictures is a right answer to it and none is ahead of another; the
    same the other way round. Candidates that tie with the partner count half, so that a constant
    encoder scores no better than chance.

    Args:
        text: (C, n, D); image: (n, D).
        pairs: of the same n items.
        views: the C names.

    Raises:
        ValueError: no item has a text.
    """
    unit = normalize(image.float(), dim=-1)
    found: dict[str, _Queries] = {}
    for name, rows, present, group in zip(
        views, text, pairs.present, pairs.text_group, strict=True
    ):
        if present.any():
            found[name] = _queries(rows, unit, present, group, pairs.image_group)
    if not found:
        raise ValueError("no item has a text")
    views_scored = {name: _scored(queries) for name, queries in found.items()}
    pooled = [torch.cat(part) for part in zip(*(q.parts for q in found.values()), strict=True)]
    return Retrieval(_scored(_Queries(*pooled)), views_scored)


@dataclass(frozen=True, eq=False)
class _Queries:
    """Ranks and cosines of q queries each way; `images`, `texts`: candidates of each query."""

    to_image: Tensor
    to_text: Tensor
    images: Tensor
    texts: Tensor
    matched: Tensor
    unmatched: Tensor

    @property
    def parts(self) -> tuple[Tensor, ...]:
        return (
            self.to_image, self.to_text, self.images, self.texts, self.matched, self.unmatched,
        )  # fmt: skip


def _queries(
    rows: Tensor, image: Tensor, present: Tensor, text_group: Tensor, image_group: Tensor
) -> _Queries:
    """Both directions of one view: items that have it ask, all pictures are candidates."""
    asking = present.nonzero()[:, 0]
    text, group = normalize(rows[asking].float(), dim=-1), text_group[asking]
    first_image, image_number = distinct(image_group)
    first_text, text_number = distinct(group)
    own_image = image_number[asking]
    to_image, matched, unmatched = _ranks(text, image[first_image], own_image, group)
    to_text, _, _ = _ranks(image[asking], text[first_text], text_number, own_image)
    images, texts = (torch.full_like(asking, len(first)) for first in (first_image, first_text))
    return _Queries(to_image, to_text, images, texts, matched, unmatched)


def _ranks(
    queries: Tensor, candidates: Tensor, own: Tensor, group: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Ranks (q,) of the queries' own candidates, their cosines, and those of wrong candidates.

    Args:
        queries: (q, D); candidates: (c, D), all different things, both of unit length.
        own: (q,) each query's candidate.
        group: (q,), equal where queries are: then each other's candidates are right as well.
    """
    cosines = queries @ candidates.T
    equal = (group[:, None] == group).to(cosines.dtype)
    wrong = torch.zeros_like(cosines).index_add_(1, own, equal) == 0
    mine = cosines.gather(1, own[:, None])
    ahead = ((cosines > mine) & wrong).sum(1)
    level = ((cosines == mine) & wrong).sum(1)
    return 1 + ahead + level / 2, mine[:, 0], cosines[wrong]


def _scored(queries: _Queries) -> ViewRetrieval:
    other = queries.unmatched.cpu().double()  # (float64 is not on every device)
    return ViewRetrieval(
        _direction(queries.to_image, queries.images),
        _direction(queries.to_text, queries.texts),
        float(queries.matched.cpu().double().mean()),
        float(other.mean()) if len(other) else 0.0,
        float(other.std(correction=0)) if len(other) else 0.0,
    )


def _direction(ranks: Tensor, candidates: Tensor) -> Direction:
    ranks, candidates = ranks.cpu().double(), candidates.cpu()
    at_1, at_5, at_10 = (float((ranks <= k).double().mean()) for k in (1, 5, 10))
    most = int(candidates.max())
    harmonic = (1 / torch.arange(1, most + 1, dtype=torch.float64)).cumsum(0)
    return Direction(
        len(ranks), most, at_1, at_5, at_10,
        mrr=float((1 / ranks).mean()),
        median_rank=float(ranks.quantile(0.5)),
        chance_mrr=float((harmonic[candidates - 1] / candidates).mean()),
    )  # fmt: skip
