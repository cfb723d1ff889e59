"""`fusion` (the paper's Fig. 3): SA, MLP, SUM, Concat."""

from cliper.experiments.studies.base import Finding, Measured, Study
from cliper.experiments.studies.figures import difference_dots
from cliper.experiments.studies.plan import Arm, Plan, Setting
from cliper.experiments.studies.points import axis_title, contrast_points
from cliper.experiments.studies.views import several_views
from cliper.experiments.studies.words import order_finding, separated_finding
from cliper.experiments.variants import Variant

FUSIONS = {"SA": "attention", "MLP": "mlp", "SUM": "sum", "Concat": "concat"}
REFERENCE = "SA"
CLAIM = ("SA", "MLP", "SUM", "Concat")


class Fusion(Study):
    """The four ways to make one representation of several views."""

    name = "fusion"
    source = "Figure 3"
    question = "Does it matter how the views become one?"
    what = "fusion"
    varies = ("fusion.kind",)

    def plan(self, setting: Setting) -> Plan:
        """Each fusion against the similarity-weighted one."""
        several_views(setting)
        arms = [
            Arm(
                label,
                Variant(setting.backbone, "cliper", kind),
                against=None if label == REFERENCE else REFERENCE,
            )
            for label, kind in FUSIONS.items()
        ]
        return Plan((*arms, setting.vanilla(REFERENCE)))

    def figures(self, measured: Measured) -> dict[str, str]:
        """Every fusion's difference from SA."""
        axis = f"{axis_title(measured)}, against SA"
        title = "How the views are fused"
        return {self.name: difference_dots(contrast_points(measured), title, axis)}

    def findings(self, measured: Measured) -> list[Finding]:
        """The paper's order, and what differs from SA."""
        others = list(measured.contrasts)
        return [
            order_finding(measured, CLAIM, "The paper's order"),
            separated_finding(measured, others, REFERENCE),
        ]
