"""The hidden truth of the generated shop: attributes, brands and items.

Nothing here is read by cliper: it is what pictures and texts are made *from*, and what tastes
are tastes *for*.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cliper.demo.drawing import COLOURS, Look

Weights = npt.NDArray[np.float64]

DEPARTMENTS: dict[str, tuple[str, ...]] = {
    "Kitchen & Table": ("Mugs", "Teapots", "Bowls"),
    "Living Room": ("Lamps", "Chairs", "Rugs", "Cushions"),
    "Decoration": ("Vases", "Clocks", "Planters"),
    "Bags & Accessories": ("Bags", "Umbrellas"),
}
CATEGORIES = tuple(c for group in DEPARTMENTS.values() for c in group)
DEPARTMENT_OF = {c: name for name, group in DEPARTMENTS.items() for c in group}
COLOUR_NAMES = tuple(COLOURS)
PATTERNS = (
    "plain", "striped", "dotted", "checked", "zigzag", "floral", "wavy", "speckled",
)  # fmt: skip
MATERIALS_OF: dict[str, tuple[str, ...]] = {
    "Mugs": ("ceramic", "glass", "enamel"),
    "Teapots": ("ceramic", "glass", "iron"),
    "Bowls": ("ceramic", "wood", "glass"),
    "Lamps": ("linen", "rattan", "brass"),
    "Chairs": ("wood", "velvet", "rattan"),
    "Rugs": ("wool", "cotton", "jute"),
    "Cushions": ("linen", "velvet", "wool"),
    "Vases": ("ceramic", "glass", "brass"),
    "Clocks": ("wood", "brass", "ceramic"),
    "Planters": ("ceramic", "wood", "rattan"),
    "Bags": ("leather", "cotton", "jute"),
    "Umbrellas": ("nylon", "cotton", "linen"),
}
# Tastes are for families of materials, so that they carry over from one category to another.
FAMILY_OF: dict[str, str] = {
    **dict.fromkeys(("wood", "rattan", "jute", "linen", "leather"), "natural"),
    **dict.fromkeys(("velvet", "wool", "cotton"), "soft"),
    **dict.fromkeys(("glass", "brass", "iron", "enamel"), "shiny"),
    **dict.fromkeys(("ceramic", "nylon"), "smooth"),
}
FAMILIES = ("natural", "soft", "shiny", "smooth")
BRANDS = (
    "Nordholm", "Casa Lumbre", "Fenwick & Rye", "Atelier Moss", "Tidewater", "Kumo Works",
    "Bramble Lane", "Ottoway", "Solvi", "Marrow & Pine", "Halcyon Goods", "Pepperfield",
    "Luma Studio", "Old Quarry", "Vireo", "Tamsin Grey",
)  # fmt: skip
# Attribute name → its values; an item is one value of each.
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "category": CATEGORIES,
    "colour": COLOUR_NAMES,
    "pattern": PATTERNS,
    "family": FAMILIES,
    "brand": BRANDS,
}


@dataclass(frozen=True)
class Product:
    """The truth about one item; `appeal` is how popular it is for reasons of its own."""

    category: str
    colour: str
    pattern: str
    material: str
    brand: str
    appeal: float

    @property
    def family(self) -> str:
        """The family of its material."""
        return FAMILY_OF[self.material]

    @property
    def look(self) -> Look:
        """What a picture of it shows."""
        return Look(self.category, self.colour, self.pattern, self.material)


def make_products(n: int, rng: np.random.Generator) -> list[Product]:
    """n products; every brand has its own style and every category about the same share."""
    styles = {name: _brand_style(rng) for name in BRANDS}
    order = rng.permutation(np.resize(np.arange(len(CATEGORIES)), n))
    return [_make_product(CATEGORIES[int(c)], styles, rng) for c in order]


def codes(products: list[Product]) -> dict[str, npt.NDArray[np.int64]]:
    """Attribute → index of each product's value in `ATTRIBUTES[attribute]`, (n,)."""
    return {
        name: np.array([values.index(getattr(p, name)) for p in products], dtype=np.int64)
        for name, values in ATTRIBUTES.items()
    }


def _peaked(n: int, favourites: int, share: float, rng: np.random.Generator) -> Weights:
    """A distribution over n values that gives `share` to a few favourites."""
    weights = np.full(n, (1 - share) / n)
    weights[rng.choice(n, favourites, replace=False)] += share / favourites
    return weights


def _brand_style(rng: np.random.Generator) -> dict[str, Weights]:
    return {
        "department": _peaked(len(DEPARTMENTS), 2, 0.8, rng),
        "colour": _peaked(len(COLOUR_NAMES), 4, 0.7, rng),
        "pattern": _peaked(len(PATTERNS), 2, 0.6, rng),
        "family": _peaked(len(FAMILIES), 1, 0.5, rng),
    }


def _make_product(
    category: str, styles: dict[str, dict[str, Weights]], rng: np.random.Generator
) -> Product:
    department = list(DEPARTMENTS).index(DEPARTMENT_OF[category])
    offers = np.array([styles[name]["department"][department] for name in BRANDS])
    brand = BRANDS[int(rng.choice(len(BRANDS), p=offers / offers.sum()))]
    style = styles[brand]
    options = MATERIALS_OF[category]
    leaning = np.array([style["family"][FAMILIES.index(FAMILY_OF[m])] for m in options])
    return Product(
        category,
        COLOUR_NAMES[int(rng.choice(len(COLOUR_NAMES), p=style["colour"]))],
        PATTERNS[int(rng.choice(len(PATTERNS), p=style["pattern"]))],
        options[int(rng.choice(len(options), p=leaning / leaning.sum()))],
        brand,
        float(rng.normal()),
    )
