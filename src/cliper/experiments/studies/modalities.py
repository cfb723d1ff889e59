"""`modalities` (the summary's first experiment): image alone, text alone, both, none."""

from cliper.backbones import backbone_entry
from cliper.experiments.studies.base import Finding, Measured, Study
from cliper.experiments.studies.figures import difference_dots
from cliper.experiments.studies.plan import Arm, Plan, Setting
from cliper.experiments.studies.points import axis_title, contrast_points
from cliper.experiments.studies.words import between, separated_finding
from cliper.experiments.variants import Variant

BOTH, IMAGE, TEXT = "image and text", "image alone", "text alone"
NO_FEATURES, RANDOM = "none (no features)", "none (random features)"


class Modalities(Study):
    """What each modality adds. Text is weighed by the image in every arm that has text."""

    name = "modalities"
    source = "follow-up 1 of the summary"
    question = "What do image and text contribute, each on its own and together?"
    what = "modalities"
    varies = ("features.modalities",)

    def plan(self, setting: Setting) -> Plan:
        """Both (the reference), each alone, and none.

        A backbone that cannot be without features gets random ones for `none`: as wide, and
        knowing nothing.
        """
        return Plan(
            (
                setting.cliper(BOTH),
                setting.cliper(IMAGE, {"features.modalities": ["image"]}, BOTH),
                setting.cliper(TEXT, {"features.modalities": ["text"]}, BOTH),
                no_content(setting, BOTH),
            )
        )

    def figures(self, measured: Measured) -> dict[str, str]:
        """Every arm's difference from both."""
        axis = f"{axis_title(measured)}, against {BOTH}"
        return {self.name: difference_dots(contrast_points(measured), "Modalities", axis)}

    def findings(self, measured: Measured) -> list[Finding]:
        """What is lost without one, and what each adds to nothing."""
        nothing = measured.plan.arms[-1].label
        alone = "; ".join(between(measured, label, nothing) for label in (BOTH, IMAGE, TEXT))
        return [
            separated_finding(measured, list(measured.contrasts), BOTH),
            Finding(f"Over no content: {alone}."),
        ]


def no_content(setting: Setting, against: str | None = None) -> Arm:
    """The arm that knows nothing of the items' content."""
    if backbone_entry(setting.backbone).features == "optional":
        return Arm(NO_FEATURES, Variant(setting.backbone, "none"), {}, against)
    return setting.random(against, RANDOM)
