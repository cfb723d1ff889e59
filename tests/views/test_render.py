from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cliper.data import Catalogue, Vocabulary
from cliper.errors import InputError
from cliper.views import FILM_TEMPLATES, PAPER_TEMPLATES, NoiseRule, default_templates, render
from cliper.views.templates import check_template, fill

NAMES = pa.list_(pa.string())


def catalogue(**fields: pa.Array | list[object]) -> Catalogue:
    n = len(next(iter(fields.values())))
    items = Vocabulary([f"i{i}" for i in range(n)])
    return Catalogue(items, pa.table(fields), (None,) * n, Path())


def shop() -> Catalogue:
    return catalogue(
        title=["Blue cup", None, "Red cup."],
        categories=pa.array([["kitchen", "cups"], None, []], NAMES),
        brand=["Acme", None, "  "],
    )


def test_the_papers_prompts() -> None:
    views = render(shop())
    assert views.names == ("title", "categories", "brand", "global")
    assert [view[0] for view in views.texts] == [
        "The product title is Blue cup",
        "The product categories are kitchen, cups",
        "The product brand is Acme",
        "The product title is Blue cup. The product categories are kitchen, cups. "
        "The product brand is Acme",
    ]


def test_missing_and_blank_values_are_masked() -> None:
    views = render(shop())
    assert views.present.tolist() == [
        [True, False, True],
        [True, False, False],
        [True, False, False],
        [True, False, True],
    ]
    masks = [[text is not None for text in view] for view in views.texts]
    assert views.present.tolist() == masks
    assert views.whole[1] is None
    assert views.whole[2] == "The product title is Red cup."


def test_include_picks_and_orders_views_but_not_the_whole() -> None:
    everything = render(shop())
    some = render(shop(), include=("global", "title"))
    assert some.names == ("global", "title")
    assert some.texts == [everything.texts[3], everything.texts[0]]
    assert some.whole == everything.whole
    assert render(shop(), global_view=False).names == ("title", "categories", "brand")


def test_own_templates() -> None:
    views = render(shop(), {"brand": "Made by {value}!", "title": "{title}"})
    assert views.names == ("brand", "title", "global")
    assert views.whole[0] == "Made by Acme!. Blue cup"
    assert views.left_out == {"categories": "no template"}


def test_a_named_view_without_a_template_of_its_own_gets_the_default_one() -> None:
    views = render(shop(), {"brand": "Made by {value}"}, include=["title", "brand", "global"])
    assert [view[0] for view in views.texts] == [
        "The product title is Blue cup",
        "Made by Acme",
        "Made by Acme. The product title is Blue cup",
    ]
    assert views.left_out == {"categories": "no template"}


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("a cup", "0 placeholders"),
        ("{title} {title}", "2 placeholders"),
        ("{brand}", "unknown placeholder {brand}"),
        ("{title.__class__}", "unknown placeholder"),
        ("{title!r}", "unknown placeholder"),
        ("{}", "unknown placeholder"),
        ("{title} }", "lone brace"),
        ("{{title}}", "lone brace"),
    ],
)
def test_bad_templates(template: str, message: str) -> None:
    with pytest.raises(InputError, match=r"views\.templates\.title") as error:
        render(shop(), {"title": template})
    assert message in str(error.value)


def test_unknown_names_list_what_there_is() -> None:
    with pytest.raises(InputError, match=r"did you mean 'title'.*title, categories, brand"):
        render(shop(), {"titel": "{titel}"})
    with pytest.raises(InputError, match="did you mean 'brand'"):
        render(shop(), include=["brnd"])
    with pytest.raises(InputError, match="twice"):
        render(shop(), include=["brand", "brand"])
    with pytest.raises(InputError, match="global"):
        render(shop(), {"global": "{value}"})


def noisy() -> Catalogue:
    n = 20
    return catalogue(
        title=[f"item {i}" for i in range(n)],
        rare=["something"] + [None] * (n - 1),
        shop=["the same"] * n,
        price=[f"{i}.99" for i in range(n)],
        link=[f"https://example.org/{i}" for i in range(n)],
        never=pa.nulls(n, pa.string()),
    )


def test_noisy_fields_are_left_out_with_a_reason() -> None:
    views = render(noisy())
    assert views.names == ("title", "global")
    reasons = dict(views.left_out)
    assert reasons.pop("never") == "missing everywhere"
    assert reasons == {
        "rare": "missing in 95 % of the items",
        "shop": "the same value in 100 % of the values",
        "price": "a bare number or URL in 100 % of the values",
        "link": "a bare number or URL in 100 % of the values",
    }


def test_whoever_names_a_field_gets_it() -> None:
    assert render(noisy(), include=["price"]).texts[0][0] == "The price is 0.99"
    assert "rare" in render(noisy(), {"rare": "{rare}"}).names
    assert "shop" in render(noisy(), rule=NoiseRule(max_constant=1.0)).names


def test_nothing_left_is_an_error() -> None:
    with pytest.raises(InputError, match="no field of the catalogue makes a view"):
        render(catalogue(price=["1", "2"]))


@settings(deadline=None)
@given(st.text())
def test_a_value_is_never_read_as_a_template(value: str) -> None:
    assert fill("A {title}!", value) == "A " + value + "!"


@given(st.text(min_size=1))
def test_every_field_name_gets_a_valid_default(field: str) -> None:
    check_template(field, default_templates([field])[field])


def test_shipped_templates_are_valid() -> None:
    for templates in (PAPER_TEMPLATES, FILM_TEMPLATES):
        for field, template in templates.items():
            check_template(field, template)
