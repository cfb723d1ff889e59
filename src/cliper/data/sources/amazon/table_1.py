"""The paper's Table 1: what its three data sets count, and whether a prepared one agrees."""

from collections.abc import Mapping

import numpy as np

from cliper.data.assemble import Filters
from cliper.data.interactions import Interactions
from cliper.data.sources.amazon.releases import Year
from cliper.types import JsonObject

TABLE_1: Mapping[str, tuple[str, int, int, int]] = {
    "Baby": ("Amazon-Baby", 19_445, 7_050, 160_792),
    "Sports_and_Outdoors": ("Amazon-Sports", 35_598, 18_357, 296_337),
    "Clothing_Shoes_and_Jewelry": ("Amazon-Clothing", 39_387, 23_033, 278_677),
}
"""2014 category → name, users, items, interactions (CLIPER, arXiv 2407.05420, Table 1)."""


def compare_with_table_1(
    year: Year, category: str, filters: Filters, found: Interactions
) -> JsonObject:
    """Entries `table_1` and `notes` of `dataset.json`; nothing for other data sets.

    Items are those with interactions: unbought ones are no part of the table.
    """
    if year != 2014 or category not in TABLE_1:
        return {}
    name, *expected = TABLE_1[category]
    counts = (len(found.users), len(np.unique(found.item_index)), len(found))
    what = ("users", "items", "interactions")
    agrees = list(counts) == expected
    told = ", ".join(f"{n:,} {kind}" for n, kind in zip(expected, what, strict=True))
    note = f"the paper's Table 1 says for {name}: {told}; "
    if agrees:
        note += "so it is here"
    else:
        here = (
            f"{n:,} {kind} ({n - wanted:+,})"
            for n, wanted, kind in zip(counts, expected, what, strict=True)
        )
        note += f"here it is {', '.join(here)}"
        if filters.k_core != 5 or filters.min_rating is not None:
            note += "; the table is of the 5-core of all ratings"
    return {
        "table_1": {
            "name": name,
            "expected": dict(zip(what, expected, strict=True)),
            "found": dict(zip(what, counts, strict=True)),
            "agrees": agrees,
        },
        "notes": [note],
    }
