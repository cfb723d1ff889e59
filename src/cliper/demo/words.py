"""What the shop says of its products: partial, noisy, sometimes wrong, often boilerplate."""

from dataclasses import dataclass

import numpy as np

from cliper.demo.world import DEPARTMENT_OF, Product

_NOUN = {
    "Mugs": ("mug", "coffee mug", "tea cup"),
    "Teapots": ("teapot", "tea pot with infuser"),
    "Bowls": ("bowl", "serving bowl", "salad bowl"),
    "Lamps": ("lamp", "table light", "lamp with shade"),
    "Chairs": ("chair", "dining chair", "easy chair"),
    "Rugs": ("rug", "carpet", "floor rug"),
    "Cushions": ("cushion", "throw pillow", "sofa cushion"),
    "Vases": ("vase", "flower vase"),
    "Clocks": ("wall clock", "clock"),
    "Planters": ("planter", "plant pot", "potted plant"),
    "Bags": ("bag", "tote bag", "handbag"),
    "Umbrellas": ("umbrella", "stick umbrella"),
}
_MATERIAL = {
    "ceramic": ("stoneware", "ceramic"),
    "glass": ("glass", "hand-blown glass"),
    "enamel": ("enamelled steel", "enamel"),
    "iron": ("cast iron",),
    "wood": ("oak wood", "solid wood"),
    "brass": ("brass", "brushed brass"),
    "linen": ("linen", "washed linen"),
    "rattan": ("rattan", "woven cane"),
    "velvet": ("velvet", "cotton velvet"),
    "wool": ("wool", "knitted wool"),
    "cotton": ("cotton", "canvas"),
    "jute": ("jute", "braided jute"),
    "leather": ("leather", "full-grain leather"),
    "nylon": ("nylon", "recycled nylon"),
}
_PATTERN = {
    "plain": ("in one even colour", "with a plain surface"),
    "striped": ("with stripes", "in a striped design"),
    "dotted": ("with polka dots", "in a dotted design"),
    "checked": ("in gingham checks", "with a checked pattern"),
    "zigzag": ("with a zigzag pattern", "in bold chevrons"),
    "floral": ("with flowers all over", "in a floral print"),
    "wavy": ("with flowing waves", "in a wavy design"),
    "speckled": ("with speckles", "in a terrazzo look"),
}
_SERIES = (
    "Aster", "Birk", "Calla", "Dune", "Elin", "Fjord", "Gale", "Haven", "Iris", "Juno", "Kelp",
    "Lark", "Mika", "Nova", "Olea", "Pavo", "Quill", "Runa", "Sora", "Tilde", "Una", "Vesper",
    "Wren", "Yara", "Zephyr",
)  # fmt: skip
_USE = {
    "Kitchen & Table": ("For slow breakfasts.", "Sits well in the hand.", "Ready for every day."),
    "Living Room": ("Makes a room feel lived in.", "Pairs with light woods.", "Made to last."),
    "Decoration": ("A quiet eye-catcher.", "A gift that is kept.", "At home on any shelf."),
    "Bags & Accessories": ("Light on long days.", "Goes with everything.", "Built for the city."),
}
_PROMOTIONS = ("Sale", "New arrivals", "Gift ideas", "Editor's choice")
_BOILERPLATE = (
    "Free returns within 30 days.",
    "Colours may differ slightly from screen to screen.",
    "Please keep the packaging until you are happy with your purchase.",
    "Order before noon and we ship today.",
    "Follow us for news and offers.",
    "Wipe clean with a damp cloth.",
)


@dataclass(frozen=True)
class Listing:
    """The metadata of one item as the shop shows it; `fate` says what became of the text."""

    title: str
    brand: str | None
    categories: list[str] | None
    description: str | None
    price: str | None
    fate: str


def _pick(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def write_listings(products: list[Product], rng: np.random.Generator) -> list[Listing]:
    """One listing a product.

    Which text can be trusted differs from item to item: one description in seven tells of another
    product, one title in five is a mere model number, one category in seven is a promotion.
    """
    return [_write(product, products, rng) for product in products]


def _write(product: Product, others: list[Product], rng: np.random.Generator) -> Listing:
    chance = rng.random()
    description: str | None = _describe(product, rng)
    fate = "right"
    if chance < 0.07:
        description, fate = None, "missing"
    elif chance < 0.22:
        strangers = [p for p in others if p.category != product.category]
        if strangers:
            description = _describe(strangers[int(rng.integers(len(strangers)))], rng)
            fate = "wrong"
    elif chance < 0.29:
        description, fate = " ".join(rng.choice(_BOILERPLATE, 3, replace=False)), "boilerplate"
    categories: list[str] | None = [DEPARTMENT_OF[product.category], product.category]
    if rng.random() < 0.05:
        categories = None
    elif rng.random() < 0.15:
        categories = [_pick(_PROMOTIONS, rng)]
    elif rng.random() < 0.1:
        categories = [DEPARTMENT_OF[product.category]]
    return Listing(
        _title(product, rng),
        None if rng.random() < 0.1 else product.brand,
        categories,
        description,
        None if rng.random() < 0.15 else f"{rng.lognormal(3.4, 0.6):.2f}",
        fate,
    )


def _title(product: Product, rng: np.random.Generator) -> str:
    words = [_pick(_SERIES, rng)]
    if rng.random() < 0.2:
        return f"{words[0]} No. {rng.integers(10, 1000)}"
    if rng.random() < 0.4:
        words.append(product.colour)
    if rng.random() < 0.25 and product.pattern != "plain":
        words.append(product.pattern)
    if rng.random() < 0.3:
        words.append(_pick(_MATERIAL[product.material], rng))
    words.append(_pick(_NOUN[product.category], rng))
    return " ".join(words)


def _describe(product: Product, rng: np.random.Generator) -> str:
    noun, material = _pick(_NOUN[product.category], rng), _pick(_MATERIAL[product.material], rng)
    named = f"{product.colour} {noun}" if rng.random() < 0.35 else noun
    opening = f"A {named} made of {material}" if rng.random() < 0.85 else f"A {named}"
    if rng.random() < 0.45:
        opening += " " + _pick(_PATTERN[product.pattern], rng)
    sentences = [opening + "."]
    if rng.random() < 0.6:
        sentences.append(_pick(_USE[DEPARTMENT_OF[product.category]], rng))
    if rng.random() < 0.2:
        sentences.append(f"Designed by {product.brand}.")
    if rng.random() < 0.5:
        sentences.append(_pick(_BOILERPLATE, rng))
    return " ".join(sentences)
