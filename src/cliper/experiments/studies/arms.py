"""What the studies run: the arms of each, and what cannot be studied."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cliper.backbones import backbone_entry
from cliper.data.splits.settings import default_split
from cliper.encoders.registry import list_encoders
from cliper.errors import InputError
from cliper.experiments.comparisons.variants import Variant
from cliper.experiments.studies.setting import Arm, Setting, Skipped

SIZE, TEMPERATURE, THRESHOLD = "backbone.embedding_size", "fusion.temperature", "fusion.threshold"
SPLIT, SHARE = "split.kind", "split.train_share"

ALL = "all views"
FUSIONS = {"SA": "attention", "MLP": "mlp", "SUM": "sum", "Concat": "concat"}
LEARNED, RANDOM_WEIGHTS, UNIFORM = "learned weights", "random weights", "uniform weights"
BOTH, IMAGE, TEXT = "image and text", "image alone", "text alone"
VANILLA, RANDOM = "vanilla", "random"
NO_THRESHOLD, BEST_VIEW = "none", "best view alone"
KINDS = ("none", "vanilla", "CLIPER")
COLD = "cold-item"
PAPER_TEMPERATURE = 0.1

PUBLISHED = ("clip-rn50", "clip-vit-b-32", "clip-vit-l-14", "long-clip-l", "siglip2-b-16", "align",
             "blip")  # fmt: skip
IN_DOMAIN = "embedded"
ADAPTATIONS = ("projection", "lora")
ADAPTED = tuple(
    f"{name}+{kind}" for name in ("clip-vit-l-14", "long-clip-l") for kind in ADAPTATIONS
)
"""The paper's two encoders, adapted to the catalogue first."""


def number(what: str, remedy: str, fits: Callable[[float], bool], kind: type = float) -> Any:
    """A reader of values: one number as it was typed, if it fits.

    >>> number("share", "above 0", lambda x: x > 0)("0.5")
    0.5
    """

    def read(value: object) -> Any:
        try:
            found = kind(str(value))
        except ValueError:
            found = None
        if found is None or not fits(found):
            raise InputError(f"no {what}: {value!r}", where="--values", remedy=remedy)
        return found

    return read


# --- labels


def without(view: str) -> str:
    """The arm that leaves a view out."""
    return f"without {view}"


def only(view: str) -> str:
    """The arm that has one view alone."""
    return f"only {view}"


def tau(value: float) -> str:
    """The arm of a temperature.

    >>> tau(0.1), tau(float("inf"))
    ('τ = 0.1', 'τ = ∞')
    """
    return "τ = ∞" if value == float("inf") else f"τ = {value:g}"


def at_width(kind: str, size: int) -> str:
    """The arm of a kind of features at a width, e.g. `CLIPER, d = 64`."""
    return f"{kind}, d = {size}"


def on_split(kind: str, where: str) -> str:
    """The arm of a kind of features on a split or share, e.g. `CLIPER, 5 %`."""
    return f"{kind}, {where}"


def share_text(share: float) -> str:
    """A share as a label.

    >>> share_text(0.05), share_text(1.0)
    ('5 %', '100 %')
    """
    return f"{100 * share:g} %"


# --- what cannot be studied


def several_views(setting: Setting) -> None:
    """A study of views needs two or more."""
    if len(setting.views) < 2:
        raise InputError(
            f"{len(setting.views)} views to study",
            where="--views",
            remedy="a study of views needs two or more",
        )


def three_views(setting: Setting) -> None:
    """An order needs three or more."""
    several_views(setting)
    if len(setting.views) < 3:
        raise InputError(
            "two views have no order to speak of", where="--views", remedy="three or more"
        )


def attention_of(study: str) -> Callable[[Setting], None]:
    """Refuses a fusion without similarity weights."""

    def refuse(setting: Setting) -> None:
        if setting.fusion != "attention":
            raise InputError(
                f"study {study} is about the attention fusion",
                where="--fusion",
                remedy="leave it out",
            )

    return refuse


def a_width(setting: Setting) -> None:
    """The backbone has an embedding size."""
    if "embedding_size" not in backbone_entry(setting.backbone).config.model_fields:
        raise InputError(f"{setting.backbone} has no embedding size", where="--backbone")


def something_to_encode(setting: Setting) -> None:
    """The dataset has texts and pictures."""
    if setting.brings_features:
        raise InputError(
            "the dataset brings its own features, there is nothing to encode",
            where=setting.dataset.name,
            remedy="prepare one with a catalogue and pictures",
        )


# --- arms


def left_out(setting: Setting, values: object) -> list[Arm]:
    """All views, and each left out."""
    views = setting.views
    arms = [setting.cliper(ALL)]
    if len(views) > 2:  # of two views, one left out is the other alone
        arms += [
            setting.cliper(without(v), {"views.include": [w for w in views if w != v]}, ALL)
            for v in views
        ]
    return arms


def views(setting: Setting, values: object) -> list[Arm]:
    """All, each left out, each alone; vanilla beside them."""
    alone = [setting.cliper(only(v), {"views.include": [v]}, ALL) for v in setting.views]
    return [*left_out(setting, values), *alone, setting.vanilla(ALL)]


def fusions(setting: Setting, values: object) -> list[Arm]:
    """Each fusion against the similarity-weighted one."""
    arms = [
        Arm(label, Variant(setting.backbone, "cliper", kind), {}, None if label == "SA" else "SA")
        for label, kind in FUSIONS.items()
    ]
    uniform = Variant(setting.backbone, "cliper", "attention")
    arms.append(Arm(UNIFORM, uniform, {TEMPERATURE: "inf"}, "SA"))
    return [*arms, *_other_weights(setting, "SA"), setting.vanilla("SA")]


def _other_weights(setting: Setting, against: str) -> list[Arm]:
    """Weights that did not come from similarity: learned ones, and drawn ones."""
    kinds = {LEARNED: "learned", RANDOM_WEIGHTS: "random"}
    return [
        Arm(label, Variant(setting.backbone, "cliper", kind), {}, against)
        for label, kind in kinds.items()
    ]


def temperatures(setting: Setting, values: Sequence[float]) -> list[Arm]:
    """One arm a τ, uniform weights (∞) among them, against the paper's (or the first value)."""
    values = sorted({*values, float("inf")})
    reference = PAPER_TEMPERATURE if PAPER_TEMPERATURE in values else values[0]
    arms = [
        setting.cliper(
            tau(v),
            {TEMPERATURE: "inf" if v == float("inf") else v},
            None if v == reference else tau(reference),
        )
        for v in values
    ]
    return [*arms, *_other_weights(setting, tau(reference))]


def widths(setting: Setting, values: Sequence[int]) -> list[Arm]:
    """Both kinds of features at every width; CLIPER against vanilla of its width."""
    sizes = sorted(set(values))
    vanilla = [Arm(at_width("vanilla", d), Variant(setting.backbone, "vanilla"), {SIZE: d})
               for d in sizes]  # fmt: skip
    cliper = [setting.cliper(at_width("CLIPER", d), {SIZE: d}, at_width("vanilla", d))
              for d in sizes]  # fmt: skip
    return vanilla + cliper


def thresholds(setting: Setting, values: Sequence[float]) -> list[Arm]:
    """No threshold (the reference), the values, and only the best view."""
    arms = [setting.cliper(NO_THRESHOLD)]
    arms += [setting.cliper(f"≥ {v:g}", {THRESHOLD: v}, NO_THRESHOLD) for v in sorted(set(values))]
    return [*arms, setting.cliper(BEST_VIEW, {THRESHOLD: 2.0}, NO_THRESHOLD)]


def modalities(setting: Setting, values: object) -> list[Arm]:
    """Both (the reference), each alone, and none."""
    return [
        setting.cliper(BOTH),
        setting.cliper(IMAGE, {"features.modalities": ["image"]}, BOTH),
        setting.cliper(TEXT, {"features.modalities": ["text"]}, BOTH),
        no_content(setting, BOTH),
    ]


def no_content(setting: Setting, against: str | None = None) -> Arm:
    """The arm that knows nothing of the items' content.

    A backbone that cannot be without features gets random ones: as wide, and knowing nothing.
    """
    if backbone_entry(setting.backbone).features == "optional":
        return Arm("none (no features)", Variant(setting.backbone, "none"), {}, against)
    return setting.random(against, "none (random features)")


def cold_and_warm(setting: Setting, values: Sequence[float]) -> list[Arm]:
    """Three kinds of features on the cold-item split and on every share of the warm one."""
    kind = setting.base.get("split", {}).get("kind") or default_split(setting.dataset)
    warm = "random" if kind == COLD else str(kind)
    arms = _three_kinds(setting, "cold items", {SPLIT: COLD})
    for share in sorted({*values, 1.0}, reverse=True):
        thinned = {SHARE: share} if share < 1 else {}
        arms += _three_kinds(setting, share_text(share), {SPLIT: warm, **thinned})
    return arms


def _three_kinds(setting: Setting, where: str, settings: Mapping[str, object]) -> list[Arm]:
    """Vanilla over none, CLIPER over vanilla, on one split."""
    none, vanilla, cliper = (on_split(kind, where) for kind in KINDS)
    return [
        Arm(none, no_content(setting).variant, settings),
        Arm(vanilla, Variant(setting.backbone, "vanilla"), settings, none),
        setting.cliper(cliper, settings, vanilla),
    ]


def encoders(setting: Setting, values: Sequence[str]) -> list[Arm]:
    """Vanilla, every encoder whose weights are here, and noise."""
    away = {skipped.label for skipped in encoders_away(setting, values)}
    here = [name for name in values if name not in away]
    arms = [setting.cliper(name, encoder_settings(name), VANILLA) for name in here]
    return [setting.vanilla(), *arms, setting.random(VANILLA)]


def encoders_away(setting: Setting, values: Sequence[str]) -> list[Skipped]:
    """Encoders that cannot run here, and why.

    A name that the user gave must work: only the default list is thinned out.
    """
    if setting.values is not None or bool(setting.base.get("encoder", {}).get("allow_download")):
        return []
    known = {str(e["name"]): bool(e["available"]) for e in list_encoders()}
    skipped = []
    for name in values:
        plain = encoder_settings(name)["encoder.name"]
        if not known.get(plain):
            reason = "its weights are not on this machine" if plain in known else "not built yet"
            skipped.append(Skipped(name, reason))
    return skipped


def encoder_settings(name: str) -> dict[str, str]:
    """The settings of an encoder, adapted where the name says so.

    >>> encoder_settings("long-clip-l+lora")
    {'encoder.name': 'long-clip-l', 'encoder.adapt.kind': 'lora'}
    """
    plain, plus, kind = name.rpartition("+")
    if plus and kind in ADAPTATIONS:
        return {"encoder.name": plain, "encoder.adapt.kind": kind}
    return {"encoder.name": name}
