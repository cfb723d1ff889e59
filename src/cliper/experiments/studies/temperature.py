"""`temperature` (the paper's Table 3): τ of Eq. 2 and its limits."""

from cliper.errors import InputError
from cliper.experiments.studies.base import Finding, Measured, Study
from cliper.experiments.studies.figures import difference_lines
from cliper.experiments.studies.plan import Plan, Setting
from cliper.experiments.studies.points import axis_title, scale_points
from cliper.experiments.studies.views import several_views
from cliper.experiments.studies.words import best_finding, separated_finding

INFINITE = "inf"


class Temperature(Study):
    """From the best view alone (τ = 0) to the mean of the views (τ = ∞)."""

    name = "temperature"
    source = "Table 3"
    question = "How sharply should the similarity weigh the views?"
    what = "temperature"
    varies = ("fusion.temperature",)
    takes_values = True
    default_values = (0.0, 0.05, 0.1, 0.2, 0.5, 0.7, INFINITE)
    claim = 0.1

    def plan(self, setting: Setting) -> Plan:
        """One arm a τ, against the paper's 0.1 (or the first value)."""
        needs_attention(setting, self.name)
        several_views(setting)
        values = sorted({_number(v) for v in self.values(setting)})
        reference = tau(self.claim if self.claim in values else values[0])
        return Plan(
            tuple(
                setting.cliper(
                    tau(v),
                    {"fusion.temperature": INFINITE if v == float("inf") else v},
                    None if tau(v) == reference else reference,
                )
                for v in values
            )
        )

    def figures(self, measured: Measured) -> dict[str, str]:
        """The difference from the reference along τ."""
        labels = list(measured.outcomes)
        reference = next(arm.label for arm in measured.plan.arms if arm.against is None)
        points = scale_points(measured, [(v.removeprefix("τ = "), v) for v in labels], reference)
        axis = f"{axis_title(measured)}, against {reference}"
        return {
            self.name: difference_lines({"CLIPER": points}, "Temperature", "τ (0: best view alone, "
                                        "∞: mean of the views)", axis)
        }  # fmt: skip

    def findings(self, measured: Measured) -> list[Finding]:
        """Is 0.1 best, and does it get worse beyond?"""
        labels = list(measured.outcomes)
        reference = next(arm.label for arm in measured.plan.arms if arm.against is None)
        found = [separated_finding(measured, list(measured.contrasts), reference)]
        if tau(self.claim) in labels:
            found.insert(0, best_finding(measured, tau(self.claim), labels, "As the paper has it"))
        return found


def tau(value: float) -> str:
    """A temperature as a label.

    >>> tau(0.1), tau(float("inf"))
    ('τ = 0.1', 'τ = ∞')
    """
    return "τ = ∞" if value == float("inf") else f"τ = {value:g}"


def needs_attention(setting: Setting, study: str) -> None:
    """Refuse a fusion without similarity weights."""
    if setting.fusion != "attention":
        raise InputError(
            f"study {study} is about the attention fusion",
            where="--fusion",
            remedy="leave it out",
        )


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise InputError(
            f"no temperature: {value!r}", where="--values", remedy="numbers, or inf"
        ) from None
