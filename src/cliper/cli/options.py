"""Options that several verbs share, and the settings tree that they write into."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import click

from cliper.errors import InputError

F = TypeVar("F", bound=Callable[..., Any])


def several(*decorators: Callable[[Any], Any]) -> Callable[[F], F]:
    """Apply decorators as if they were written one below the other."""

    def apply(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


encoding_options = several(
    click.option("--encoder", metavar="NAME", help="Dual encoder, or a path of weights."),
    click.option("--weights", metavar="PATH", help="Weights of --encoder, instead of the hub's."),
    click.option(
        "--adapt", metavar="KIND", help="Adapt the encoder to the catalogue: projection or lora."
    ),
    click.option("--views", metavar="A,B,C", help="Views to use, `global` among them if wanted."),
    click.option(
        "--template", "templates", metavar="FIELD=TEXT", multiple=True, help="Prompt of a field."
    ),
)
protocol_options = several(
    click.option("--split", metavar="KIND", help="See `cliper list splits`; random by default."),
    click.option("--mask", metavar="PARTS", help="train or train+valid (the default)."),
)


def _with_tracking(
    context: click.Context, _: click.Parameter, sets: tuple[str, ...]
) -> tuple[str, ...]:
    """`--track a,b` is short for `--set tracking.to=[a,b]`."""
    track = context.meta.pop(_TRACK, None)
    return sets if track is None else (*sets, f"tracking.to=[{','.join(names(track, '--track'))}]")


def _keep_tracking(context: click.Context, _: click.Parameter, track: str | None) -> None:
    if track is not None:
        context.meta[_TRACK] = track


_TRACK = "cliper.track"
set_option = several(
    click.option(
        "--track",
        metavar="A,B",
        is_eager=True,  # before --set, which takes it along
        expose_value=False,
        callback=_keep_tracking,
        help="Beside metrics.jsonl, tell tensorboard or mlflow.",
    ),
    click.option(
        "--set",
        "sets",
        metavar="KEY=VALUE",
        multiple=True,
        callback=_with_tracking,
        help="Any setting, e.g. training.patience=5.",
    ),
)

processes_option = click.option(
    "--processes",
    type=click.IntRange(min=1),
    metavar="P",
    help="Runs at a time, sharing the CPU's threads; as many as pay by default.",
)

search_options = several(
    click.option(
        "--preset",
        type=click.Choice(["paper", "backbone"]),
        help="Search the paper's grid, or the backbone's own options.",
    ),
    click.option(
        "--space",
        "spaces",
        multiple=True,
        metavar="KEY=VALUES",
        help="Search a,b,c or low..high or low..high:log; added to a preset.",
    ),
    click.option(
        "--trials", type=click.IntRange(min=1), help="Configurations to draw; 40 by default."
    ),
    click.option("--sampler", type=click.Choice(["tpe", "random", "grid"]), help="tpe by default."),
    click.option(
        "--prune",
        type=click.Choice(["median", "halving", "none"]),
        help="Break off configurations that fall behind; median by default.",
    ),
    click.option(
        "--warmup",
        type=click.IntRange(min=0),
        help="Epochs before one may be broken off; 5 by default.",
    ),
)


def batch_size(
    context: click.Context, parameter: click.Parameter, value: str
) -> int | Literal["auto"]:
    """`auto`, or a number of at least 1."""
    if value == "auto":
        return "auto"
    number: Any = click.IntRange(min=1)
    return int(number.convert(value, parameter, context))


def names(text: str, option: str) -> list[str]:
    """The parts of `a,b,c`.

    Raises:
        InputError: there is none.

    >>> names("a, b", "--views")
    ['a', 'b']
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise InputError("names nothing", where=option, remedy="name one or more, with commas")
    return parts


def pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """`key=value` texts as a mapping.

    Raises:
        InputError: one has no `=`, or a key comes twice.
    """
    result: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not key:
            raise InputError(f"not key=value: {text!r}", where=option)
        if key in result:
            raise InputError(f"{key!r} is given twice", where=option)
        result[key] = value
    return result


def settings(
    *,
    encoder: str | None = None,
    weights: str | None = None,
    adapt: str | None = None,
    views: str | None = None,
    templates: Sequence[str] = (),
    backbone: str | None = None,
    features: str | None = None,
    fusion: str | None = None,
    temperature: str | None = None,
    split: str | None = None,
    mask: str | None = None,
    seed: int | None = None,
    epochs: int | None = None,
    sets: Sequence[str] = (),
) -> dict[str, Any]:
    """The settings tree of what was given, and of nothing else; `--set` has the last word."""
    from cliper.experiments.config import assign, parse_value

    given: dict[str, Any] = {
        "views.include": names(views, "--views") if views is not None else None,
        "views.templates": pairs(templates, "--template") or None,
        "encoder.name": encoder,
        "encoder.weights": weights,
        "encoder.adapt.kind": adapt,
        "features.kind": features,
        "fusion.kind": fusion,
        "fusion.temperature": (
            None if temperature is None else parse_value(temperature, "fusion.temperature")
        ),
        "split.kind": split,
        "backbone.name": backbone,
        "training.seed": seed,
        "training.max_epochs": epochs,
        "evaluation.mask": mask,
    }
    tree: dict[str, Any] = {}
    for key, value in given.items():
        if value is not None:
            *sections, name = key.split(".")
            node = tree
            for section in sections:
                node = node.setdefault(section, {})
            node[name] = value
    return assign(tree, sets)


def with_default_features(tree: dict[str, Any]) -> dict[str, Any]:
    """`features.kind: none` for a backbone that uses none, where nothing else was asked for."""
    from cliper.backbones import backbone_entry

    backbone = tree.get("backbone")
    name = backbone.get("name") if isinstance(backbone, dict) else None
    if name is None or "features" in tree:
        return tree
    if not backbone_entry(str(name)).backbone.uses_features:
        tree["features"] = {"kind": "none"}
    return tree
