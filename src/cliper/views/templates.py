"""Prompt templates: one sentence a field, with one placeholder."""

import re
from collections.abc import Iterable, Mapping

from cliper.config import nearest
from cliper.errors import InputError

PAPER_TEMPLATES: Mapping[str, str] = {
    "title": "The product title is {title}",
    "brand": "The product brand is {brand}",
    "categories": "The product categories are {categories}",
    "description": "The product description is {description}",
}
"""The paper's four views of a product (section "Prompt Design")."""

FILM_TEMPLATES: Mapping[str, str] = {
    "title": "The film title is {title}",
    "director": "The film director is {director}",
    "cast": "The film cast is {cast}",
    "categories": "The film genres are {categories}",
    "year": "The film year is {year}",
    "description": "The film description is {description}",
}

GLOBAL = "global"
"""Name of the view that joins all the others."""

_BRACES = re.compile(r"\{([^{}]*)\}")


def default_templates(fields: Iterable[str]) -> dict[str, str]:
    """A template for each field: the paper's where the name matches, else `The {field} is …`.

    >>> default_templates(["title", "colour"])
    {'title': 'The product title is {title}', 'colour': 'The colour is {value}'}
    """
    return {
        field: PAPER_TEMPLATES.get(field, f"The {_readable(field)} is {{value}}")
        for field in fields
    }


def check_template(field: str, template: str) -> None:
    """Refuse a template that does not have exactly one placeholder, `{field}` or `{value}`.

    Raises:
        InputError: none or several placeholders, another name, a lone brace.
    """
    where = f"views.templates.{field}"
    remedy = f"use {{{field}}} or {{value}}, once"
    names = _BRACES.findall(template)
    if len(names) != 1:
        raise InputError(f"{len(names)} placeholders in {template!r}", where=where, remedy=remedy)
    if names[0] not in (field, "value"):
        raise InputError(f"unknown placeholder {{{names[0]}}}", where=where, remedy=remedy)
    if set("{}") & set(_BRACES.sub("", template)):
        raise InputError(f"a lone brace in {template!r}", where=where, remedy=remedy)


def check_templates(templates: Mapping[str, str], fields: Iterable[str]) -> None:
    """Check every template and that the catalogue has its field.

    Raises:
        InputError: an unknown field, the reserved name `global`, or a malformed template.
    """
    known = list(fields)
    for field, template in templates.items():
        if field == GLOBAL:
            raise InputError(
                "'global' is made of all the other views and has no template",
                where="views.templates",
                remedy="leave it out",
            )
        if field not in known:
            raise InputError(
                f"the catalogue has no field {field!r}",
                where="views.templates",
                remedy=f"{nearest(field, known)}; it has: {', '.join(known) or 'none'}",
            )
        check_template(field, template)


def fill(template: str, text: str) -> str:
    """Put `text` in the place of the one placeholder, character by character.

    Plain replacement, not `str.format`: neither a template nor a value can reach an attribute,
    and braces in the value stay what they are.

    >>> fill("The title is {title}", "{title} {0.__class__}")
    'The title is {title} {0.__class__}'
    """
    match = _BRACES.search(template)
    if match is None:
        return template
    return template[: match.start()] + text + template[match.end() :]


def _readable(field: str) -> str:
    # braces in a column's name would read as a second placeholder
    return re.sub(r"[{}]", "", field).replace("_", " ").strip() or "field"
