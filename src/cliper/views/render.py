"""A catalogue into prompts: one text per item and view (method, points 1 and 2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from cliper.config import nearest
from cliper.data.catalogue import Catalogue, FieldValue
from cliper.errors import InputError
from cliper.types import BoolArray
from cliper.views.filtering import NoiseRule
from cliper.views.templates import GLOBAL, check_templates, default_templates, fill

JOINT = ". "


@dataclass(frozen=True, eq=False)
class RenderedViews:
    """C views of N items as text.

    Attributes:
        names: the C views, in order.
        texts: C lists of N prompts, None where the item lacks the view (it is then masked).
        present: bool (C, N), False where `texts` is None.
        whole: N texts: every usable field's prompt joined, None where an item has none. This is
            what the vanilla text encoder reads, whatever `names` says.
        templates: the template of each field in `whole`.
        left_out: fields without a view → why.
    """

    names: tuple[str, ...]
    texts: list[list[str | None]]
    present: BoolArray
    whole: list[str | None]
    templates: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


def render(
    catalogue: Catalogue,
    templates: Mapping[str, str] | None = None,
    include: Sequence[str] | None = None,
    global_view: bool = True,
    rule: NoiseRule | None = None,
) -> RenderedViews:
    """Render the views of a catalogue.

    Without `templates`, every field that the noise rule keeps gets a default template; with
    them, exactly the fields that they or `include` name are rendered (the latter by their default
    template) and no rule is applied. The global view joins the prompts of all rendered fields in
    order, leaving out those that an item lacks. It does not depend on which of the rendered fields
    `include` picks, so that choosing views before or after encoding is the same.

    Args:
        catalogue: N items.
        templates: field → template with `{field}` or `{value}` once.
        include: names of the views wanted, in order; `global` may be among them. Naming a field
            keeps it whatever the noise rule says.
        global_view: add `global` after the fields when `include` is None.
        rule: limits of the noise rule, for when neither `templates` nor `include` names a field.

    Raises:
        InputError: an unknown field or view, a bad template, nothing left to render.
    """
    if templates is not None:
        check_templates(templates, catalogue.fields)
    defaults = default_templates(catalogue.fields)
    candidates = defaults if templates is None else _with_named(templates, include, defaults)
    wanted = _wanted(include, candidates)
    plain = {name: [value_text(v) for v in catalogue.values(name)] for name in candidates}
    left_out = _left_out(catalogue, candidates, templates, plain, wanted, rule or NoiseRule())
    usable = {name: text for name, text in candidates.items() if name not in left_out}
    prompts = {
        name: [None if text is None else fill(template, text) for text in plain[name]]
        for name, template in usable.items()
    }
    if not prompts:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise InputError(
            f"no field of the catalogue makes a view ({reasons or 'it has none'})",
            where="views",
            remedy="name fields in views.templates or views.include",
        )
    n_items = len(catalogue.items)
    whole = join_views(list(prompts.values()), n_items)
    names = wanted or (*prompts, *([GLOBAL] if global_view else []))
    texts = [whole if name == GLOBAL else prompts[name] for name in names]
    present = np.array([[text is not None for text in view] for view in texts], dtype=np.bool_)
    return RenderedViews(
        tuple(names),
        texts,
        present.reshape(len(names), n_items),
        whole,
        usable,
        left_out,
    )


def check_views(
    catalogue: Catalogue, templates: Mapping[str, str] | None, include: Sequence[str] | None
) -> None:
    """Refuse views that `render` would refuse by their names, without rendering any.

    Raises:
        InputError: as from `render`.
    """
    if templates is not None:
        check_templates(templates, catalogue.fields)
    defaults = default_templates(catalogue.fields)
    _wanted(include, defaults if templates is None else _with_named(templates, include, defaults))


def value_text(value: FieldValue) -> str | None:
    """A field's value as text: lists joined by ", "; None for what is missing or blank.

    >>> value_text(["red", " ", "blue"]), value_text("  "), value_text([])
    ('red, blue', None, None)
    """
    if value is None:
        return None
    if isinstance(value, str):
        return value.strip() or None
    return ", ".join(part.strip() for part in value if part and part.strip()) or None


def join_views(views: Sequence[Sequence[str | None]], n_items: int) -> list[str | None]:
    """Per item, its present prompts joined by ". "; None where it has none.

    >>> join_views([["The title is A.", None], ["The brand is B", None]], 2)
    ['The title is A. The brand is B', None]
    """
    result: list[str | None] = []
    for i in range(n_items):
        parts = [text for view in views if (text := view[i]) is not None]
        # a prompt that ends in a full stop does not get a second one
        head = [text.removesuffix(".") for text in parts[:-1]]
        result.append(JOINT.join([*head, *parts[-1:]]) or None)
    return result


def _with_named(
    templates: Mapping[str, str], include: Sequence[str] | None, defaults: Mapping[str, str]
) -> dict[str, str]:
    """The templates given, and the default one of every other field that is named as a view."""
    named = {f: defaults[f] for f in include or () if f in defaults and f not in templates}
    return {**templates, **named}


def _wanted(include: Sequence[str] | None, candidates: Mapping[str, str]) -> tuple[str, ...]:
    if include is None:
        return ()
    if not include:
        raise InputError("no view is named", where="views.include", remedy="name one, or omit it")
    if len(set(include)) != len(include):
        raise InputError("a view is named twice", where="views.include")
    for name in include:
        if name != GLOBAL and name not in candidates:
            known = [*candidates, GLOBAL]
            raise InputError(
                f"no view {name!r}",
                where="views.include",
                remedy=f"{nearest(name, known)}; there are: {', '.join(known)}",
            )
    return tuple(include)


def _left_out(
    catalogue: Catalogue,
    candidates: Mapping[str, str],
    templates: Mapping[str, str] | None,
    plain: Mapping[str, Sequence[str | None]],
    wanted: Sequence[str],
    rule: NoiseRule,
) -> dict[str, str]:
    if templates is not None:
        return {name: "no template" for name in catalogue.fields if name not in candidates}
    reasons = {name: rule.reason(plain[name]) for name in candidates if name not in wanted}
    return {name: reason for name, reason in reasons.items() if reason is not None}
