"""Users of the generated shop: tastes over true attributes, and what they bought."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cliper.demo.world import ATTRIBUTES, Product, codes

# How much each attribute moves a user; colour and pattern are mostly in the picture, material
# family and brand mostly in the text.
STRENGTH = {"category": 1.3, "colour": 1.3, "pattern": 1.1, "family": 1.0, "brand": 0.7}
APPEAL = 0.5
TEMPERAMENTS = 8
NOISE_SHARE = 0.08
FIRST_SECOND = 1_640_995_200  # 2022-01-01, UTC
SECONDS_OPEN = 2 * 365 * 86_400


@dataclass(frozen=True, eq=False)
class Purchases:
    """Parallel columns, sorted by time, then user: indices, stars and seconds since 1970."""

    user: npt.NDArray[np.int64]
    item: npt.NDArray[np.int64]
    rating: npt.NDArray[np.int64]
    timestamp: npt.NDArray[np.int64]


def utilities(
    products: list[Product], users: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """How much each user likes each product before chance, float64 (users, items).

    A user is one of a few temperaments plus a deviation of their own, so that others' purchases
    tell something, and content tells something more.
    """
    temperament = rng.integers(TEMPERAMENTS, size=users)
    total = np.tile(APPEAL * np.array([p.appeal for p in products]), (users, 1))
    for name, index in codes(products).items():
        n_values = len(ATTRIBUTES[name])
        common = rng.standard_normal((TEMPERAMENTS, n_values))[temperament]
        own = rng.standard_normal((users, n_values))
        total += STRENGTH[name] * (np.sqrt(0.5) * common + np.sqrt(0.5) * own)[:, index]
    return total


def buy(
    utility: npt.NDArray[np.float64], never: npt.NDArray[np.bool_], rng: np.random.Generator
) -> Purchases:
    """10 to 30 different items a user, drawn without replacement by the Gumbel-top-k trick.

    Args:
        utility: (users, items).
        never: (items,), True for items that nobody has bought yet.
    """
    users = len(utility)
    for_sale = np.flatnonzero(~never)
    wanted = utility[:, for_sale]
    wanted = np.where(
        rng.random(wanted.shape) < NOISE_SHARE,  # a gift, a whim: any item is as good
        np.quantile(wanted, 0.9, axis=1, keepdims=True),
        wanted,
    )
    order = np.argsort(-(wanted + rng.gumbel(size=wanted.shape)), axis=1, kind="stable")
    counts = np.minimum(rng.integers(10, 31, size=users), len(for_sale))
    taken = np.arange(len(for_sale)) < counts[:, None]
    user = np.repeat(np.arange(users), counts)
    item = for_sale[order[taken]]
    liked = utility[user, item] - np.median(utility, axis=1, keepdims=True)[user, 0]
    stars = np.clip(np.round(2.2 + 0.45 * liked + rng.normal(0, 0.6, len(user))), 1, 5)
    joined = rng.uniform(0, 0.6, users)[user]
    moment = joined + (1 - joined) * rng.random(len(user))
    time = FIRST_SECOND + np.floor(moment * SECONDS_OPEN).astype(np.int64)
    by_time = np.lexsort((item, user, time))
    return Purchases(user[by_time], item[by_time], stars.astype(np.int64)[by_time], time[by_time])
