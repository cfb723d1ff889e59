"""`encoders` (the paper's Fig. 6, and the summary's third check): what stands behind the views."""

from collections.abc import Sequence

from cliper.encoders.registry import list_encoders
from cliper.errors import InputError
from cliper.experiments.studies.base import Finding, Measured, Study
from cliper.experiments.studies.figures import difference_dots
from cliper.experiments.studies.plan import Plan, Setting, Skipped
from cliper.experiments.studies.points import axis_title, contrast_points
from cliper.experiments.studies.words import between, claim_verdict, separated_finding, share

VANILLA, RANDOM = "vanilla", "random"
PUBLISHED = ("clip-rn50", "clip-vit-b-32", "clip-vit-l-14", "long-clip-l", "siglip2-b-16", "align",
             "blip")  # fmt: skip
IN_DOMAIN = "embedded"
ADAPTATIONS = ("projection", "lora")
ADAPTED = tuple(
    f"{name}+{kind}" for name in ("clip-vit-l-14", "long-clip-l") for kind in ADAPTATIONS
)
"""The paper's two encoders, adapted to the catalogue first."""


class Encoders(Study):
    """Vanilla, the published dual encoders, one aligned on the catalogue itself, and noise."""

    name = "encoders"
    source = "Figure 6 and check 3 of the summary"
    question = "Does it take a pretrained cross-modal encoder?"
    what = "encoder"
    varies = ("encoder.name", "encoder.adapt")
    takes_values = True
    default_values = (*PUBLISHED, *ADAPTED, IN_DOMAIN)

    def plan(self, setting: Setting) -> Plan:
        """Every encoder whose weights are here, against vanilla; the others are listed."""
        if setting.brings_features:
            raise InputError(
                "the dataset brings its own features, there is nothing to encode",
                where=setting.dataset.name,
                remedy="prepare one with a catalogue and pictures",
            )
        here, skipped = available(setting, self.values(setting))
        arms = [setting.cliper(name, encoder_settings(name), VANILLA) for name in here]
        return Plan(
            (setting.vanilla(), *arms, setting.random(VANILLA)),
            tuple(skipped),
        )

    def figures(self, measured: Measured) -> dict[str, str]:
        """Every encoder's difference from vanilla."""
        axis = f"{axis_title(measured)}, against vanilla"
        return {self.name: difference_dots(contrast_points(measured), "Encoders", axis)}

    def findings(self, measured: Measured) -> list[Finding]:
        """Better than vanilla, than noise; Long-CLIP against CLIP where both are here."""
        made = [a.label for a in measured.plan.arms if a.variant.features == "cliper"]
        found = [separated_finding(measured, list(measured.contrasts), VANILLA)]
        published = [name for name in made if name != IN_DOMAIN]
        if published:
            always = measured.samples.probability_all_above(published, VANILLA)
            pairs = [(name, VANILLA) for name in published]
            result, remark = claim_verdict(measured.samples, always, pairs)
            found.insert(0, Finding(
                "The paper's sentence that every version of CLIP is better than vanilla: "
                f"{result}{remark}, true in {share(always)} of the draws.",
                result, {"probability": always},
            ))  # fmt: skip
        if made:
            words = "; ".join(between(measured, name, RANDOM) for name in made)
            found.append(Finding(f"Against random features: {words}."))
        if {"clip-vit-l-14", "long-clip-l"} <= set(made):
            found.append(Finding(f"{between(measured, 'long-clip-l', 'clip-vit-l-14')}."))
        return found


def available(setting: Setting, names: Sequence[str]) -> tuple[list[str], list[Skipped]]:
    """Which of the encoders can run here, and why the others cannot.

    A name that the user gave must work: only the default list is thinned out.
    """
    if setting.values is not None or bool(setting.base.get("encoder", {}).get("allow_download")):
        return list(names), []
    known = {str(e["name"]): bool(e["available"]) for e in list_encoders()}
    here, skipped = [], []
    for name in names:
        plain = encoder_settings(name)["encoder.name"]
        if known.get(plain):
            here.append(name)
        else:
            reason = "its weights are not on this machine" if plain in known else "not built yet"
            skipped.append(Skipped(name, reason))
    return here, skipped


def encoder_settings(name: str) -> dict[str, str]:
    """The settings of an encoder, adapted where the name says so.

    >>> encoder_settings("long-clip-l+lora")
    {'encoder.name': 'long-clip-l', 'encoder.adapt.kind': 'lora'}
    """
    plain, plus, kind = name.rpartition("+")
    if plus and kind in ADAPTATIONS:
        return {"encoder.name": plain, "encoder.adapt.kind": kind}
    return {"encoder.name": name}
