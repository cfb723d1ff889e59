"""The options that several verbs share, each written once, and the settings tree that they make.

An option that is short for a setting says which; `settings()` is then the tree of what was typed.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from cliper.errors import InputError

if TYPE_CHECKING:
    from cliper.parallel import Workers

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[Any], Any]

_GIVEN, _SETS = "cliper.given", "cliper.sets"


def several(*decorators: Decorator) -> Callable[[F], F]:
    """Apply decorators as if they were written one below the other."""

    def apply(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def setting(
    option: str, key: str, read: Callable[[Any], Any] | None = None, **attributes: Any
) -> Decorator:
    """An option that is short for `--set KEY=VALUE`; `settings()` has what was given.

    Args:
        option: e.g. `--encoder`.
        key: of the settings tree, e.g. `encoder.name`.
        read: makes the setting of what was typed.
        attributes: of `click.option`.
    """

    def keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value is not None and value is not False and value != ():
            given = context.meta.setdefault(_GIVEN, {})
            given[key] = value if read is None else read(value)

    return click.option(option, expose_value=False, callback=keep, **attributes)


def settings(base: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The tree of what the running command was given, and of nothing else; `--set` is last.

    Args:
        base: a tree to write into instead of an empty one.
    """
    from cliper.strict_yaml import assign

    tree, meta = dict(base or {}), click.get_current_context().meta
    for key, value in meta.get(_GIVEN, {}).items():
        *sections, name = key.split(".")
        node = tree
        for section in sections:
            node = node.setdefault(section, {})
        node[name] = value
    return assign(tree, meta.get(_SETS, ()))


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


def _number(text: str) -> Any:
    from cliper.strict_yaml import parse_value

    return parse_value(text, "fusion.temperature")


def _keep_sets(context: click.Context, _: click.Parameter, sets: tuple[str, ...]) -> None:
    context.meta[_SETS] = sets


PATH = click.Path(path_type=Path)


class _Directory(click.Path):
    """A directory to write; a file in its place is refused before any work."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(str(super().convert(value, param, ctx)))
        for place in (path, *path.parents):
            if place.is_dir():
                break
            if place.exists():
                raise InputError("this is a file", where=str(place), remedy="name a directory")
        return path


OUT = _Directory(path_type=Path)

dataset_argument = click.argument("dataset", type=PATH)

tracking_option = setting(
    "--track",
    "tracking.to",
    lambda text: names(text, "--track"),
    metavar="A,B",
    help="Beside metrics.jsonl, tell tensorboard or mlflow.",
)

set_option = click.option(
    "--set",
    metavar="KEY=VALUE",
    multiple=True,
    expose_value=False,
    callback=_keep_sets,
    help="Any setting, e.g. training.patience=5 or encoder.adapt.rank=16.",
)

encoding_options = several(
    setting(
        "--encoder", "encoder.name", metavar="NAME", help="Dual encoder, or a path of weights."
    ),
    setting(
        "--weights",
        "encoder.weights",
        metavar="PATH",
        help="Weights of --encoder, instead of the hub's.",
    ),
    setting(
        "--adapt",
        "encoder.adapt.kind",
        metavar="KIND",
        help="Adapt the encoder to the catalogue: projection or lora.",
    ),
    setting(
        "--views",
        "views.include",
        lambda text: names(text, "--views"),
        metavar="A,B,C",
        help="Views to use, `global` among them if wanted.",
    ),
    setting(
        "--template",
        "views.templates",
        lambda texts: pairs(texts, "--template"),
        metavar="FIELD=TEXT",
        multiple=True,
        help="Prompt of a field.",
    ),
)

_experiment_options = several(
    setting(
        "--temperature",
        "fusion.temperature",
        _number,
        metavar="T",
        help="Of the attention, and chooses it; 0.1 by default, inf allowed.",
    ),
    setting(
        "--split",
        "split.kind",
        metavar="KIND",
        help="See `cliper list splits`; random by default.",
    ),
    setting(
        "--mask", "evaluation.mask", metavar="PARTS", help="train or train+valid (the default)."
    ),
    setting(
        "--epochs",
        "training.max_epochs",
        type=int,
        help="At most so many; validation may stop earlier.",
    ),
)

one_experiment_options = several(
    setting(
        "--features",
        "features.kind",
        metavar="KIND",
        help="cliper, vanilla or none; what the backbone can use if not given.",
    ),
    encoding_options,
    setting(
        "--fusion",
        "fusion.kind",
        metavar="KIND",
        help="learned (the default), concat, sum, mlp or attention (the paper's).",
    ),
    _experiment_options,
    setting(
        "--seed", "training.seed", type=int, help="Of draws, weights and negatives, and the split."
    ),
    tracking_option,
    set_option,
)

many_experiments_options = several(
    encoding_options,
    _experiment_options,
    tracking_option,
    set_option,
    click.option(
        "--metric",
        default="recall@20",
        show_default=True,
        help="Of differences, intervals and tests.",
    ),
)


def seeds_option(
    default: int | None, text: str = "How many; each seeds split, weights and negatives."
) -> Decorator:
    """`--seeds`, of which a comparison and a study want different numbers."""
    return click.option(
        "--seeds",
        type=click.IntRange(min=1),
        default=default,
        show_default=True,
        help=text,
    )


engine_options = several(
    click.option(
        "--engine",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="Who works: this machine, or workers under Ray.",
    ),
    click.option("--workers", type=click.IntRange(min=1), help="Under Ray; 2 by default."),
    click.option("--ray-address", metavar="A", help="Of a running cluster; else Ray starts here."),
    click.option(
        "--gpus-each", type=click.FloatRange(min=0), help="Share of a GPU a worker takes."
    ),
)


def workers_of(
    engine: str,
    workers: int | None,
    ray_address: str | None,
    gpus_each: float | None,
    processes: int | None = None,
) -> "Workers":
    """What was said of who works.

    Raises:
        InputError: an option without effect.
    """
    from cliper.parallel import OnRay

    of_ray = {"workers": workers, "ray-address": ray_address, "gpus-each": gpus_each}
    for name, value in ({"processes": processes} if engine == "ray" else of_ray).items():
        if value is not None:
            raise InputError(
                f"has no effect with --engine {engine}", where=f"--{name}", remedy="leave it out"
            )
    return processes if engine == "local" else OnRay(workers or 2, ray_address, gpus_each or 0.0)


def _with_workers(function: F) -> F:
    """Give a command `processes`, whoever they are."""

    @wraps(function)
    def command(**options: Any) -> Any:
        names = ("engine", "workers", "ray_address", "gpus_each", "processes")
        told = {name: options.pop(name) for name in names}
        return function(**options, processes=workers_of(**told))

    return cast(F, command)


workers_options = several(
    click.option(
        "--processes",
        type=click.IntRange(min=1),
        metavar="P",
        help="Runs at a time, sharing the CPU's threads; as many as pay by default.",
    ),
    engine_options,
    _with_workers,
)


search_options = several(
    click.option(
        "--preset",
        type=click.Choice(["paper", "backbone"]),
        help="Search the paper's grid (of its fusion), or the backbone's own options.",
    ),
    click.option(
        "--space",
        multiple=True,
        callback=lambda _, __, texts: pairs(texts, "--space"),
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


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were typed, or have a default; as sections of an experiment file say it."""
    return {key: value for key, value in options.items() if value is not None}


def experiment_tree(dataset: Path) -> dict[str, Any]:
    """`settings()` of one experiment on a dataset that was named as an argument.

    Raises:
        InputError: it is named by `--set` as well.
    """
    tree = settings()
    if "dataset" in tree:
        raise InputError("is the argument DATASET", where="--set dataset", remedy="leave it out")
    return with_default_features({**tree, "dataset": {"path": str(dataset)}})


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
