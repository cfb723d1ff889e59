"""`embedding-size` (the paper's Fig. 4): the width d, CLIPER and vanilla at the same width."""

from cliper.backbones import backbone_entry
from cliper.errors import InputError
from cliper.experiments.studies.base import Finding, Measured, Study
from cliper.experiments.studies.figures import difference_lines
from cliper.experiments.studies.plan import Arm, Plan, Setting
from cliper.experiments.studies.points import axis_title, scale_points
from cliper.experiments.studies.words import best_finding, between, separated_finding
from cliper.experiments.variants import Variant

KEY = "backbone.embedding_size"


class EmbeddingSize(Study):
    """Is it the features or the width? The published vanilla numbers have d = 64."""

    name = "embedding-size"
    source = "Figure 4"
    question = "How wide should embeddings be, and does CLIPER gain at equal width?"
    what = "features and width"
    varies = (KEY,)
    takes_values = True
    default_values = (64, 128, 256, 512, 1024)
    claim = 512

    def plan(self, setting: Setting) -> Plan:
        """Both kinds of features at every width; CLIPER against vanilla of its width."""
        if "embedding_size" not in backbone_entry(setting.backbone).config.model_fields:
            raise InputError(f"{setting.backbone} has no embedding size", where="--backbone")
        sizes = sorted({_size(v) for v in self.values(setting)})
        arms = [Arm(vanilla_at(d), Variant(setting.backbone, "vanilla"), {KEY: d}) for d in sizes]
        arms += [setting.cliper(cliper_at(d), {KEY: d}, vanilla_at(d)) for d in sizes]
        return Plan(tuple(arms))

    def figures(self, measured: Measured) -> dict[str, str]:
        """Both kinds along d, against vanilla at the smallest."""
        sizes = self._sizes(measured)
        reference = vanilla_at(sizes[0])
        series = {
            name: scale_points(measured, [(str(d), at(d)) for d in sizes], reference)
            for name, at in (("vanilla", vanilla_at), ("CLIPER", cliper_at))
        }
        axis = f"{axis_title(measured)}, against {reference}"
        return {self.name: difference_lines(series, "Embedding size", "d", axis)}

    def findings(self, measured: Measured) -> list[Finding]:
        """The paper's best width, the fall beyond it, and CLIPER's gain at each width."""
        sizes = self._sizes(measured)
        found = []
        if self.claim in sizes:
            among = [cliper_at(d) for d in sizes]
            best = cliper_at(self.claim)
            found.append(best_finding(measured, best, among, "As the paper has it"))
            wider = [d for d in sizes if d > self.claim]
            if wider:
                words = between(measured, cliper_at(wider[0]), best)
                found.append(Finding(f"Beyond the paper's best width: {words}."))
        found.append(
            separated_finding(measured, [cliper_at(d) for d in sizes], "vanilla of the same width")
        )
        return found

    def _sizes(self, measured: Measured) -> list[int]:
        return sorted({int(arm.settings[KEY]) for arm in measured.plan.arms})


def vanilla_at(size: int) -> str:
    """Label of the vanilla arm of a width."""
    return f"vanilla, d = {size}"


def cliper_at(size: int) -> str:
    """Label of the CLIPER arm of a width."""
    return f"CLIPER, d = {size}"


def _size(value: object) -> int:
    try:
        size = int(str(value))
    except ValueError:
        size = 0
    if size < 1:
        raise InputError(f"no embedding size: {value!r}", where="--values", remedy="e.g. 64,128")
    return size
