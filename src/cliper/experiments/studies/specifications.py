"""The studies, as a table: what each varies, what it measures, how that is drawn and said."""

from cliper.config import nearest
from cliper.errors import InputError
from cliper.experiments.studies import arms, popularity, similarity
from cliper.experiments.studies.arms import number
from cliper.experiments.studies.figures import (
    axis_title,
    difference_lines,
    dots,
    line,
    scale_points,
)
from cliper.experiments.studies.findings import (
    best_finding,
    between,
    claim_verdict,
    differs,
    is_best,
    order_finding,
    orders,
    separated_finding,
    share,
)
from cliper.experiments.studies.setting import paper_order
from cliper.experiments.studies.study import Finding, Measured, Study, Values
from cliper.views.templates import GLOBAL

REFITTED = (
    "The encoder is fitted on the catalogue's own pairs of the views in use: an arm without a view "
    "is the system without it, its encoder included."
)
PAPER_WIDTH = 512


def _view_findings(measured: Measured) -> list[Finding]:
    """The paper's sentences on Fig. 2, each tested."""
    views = measured.setting.views
    left_out = [arms.without(v) for v in views if arms.without(v) in measured.outcomes]
    found = []
    if left_out:
        found.append(separated_finding(measured, left_out, arms.ALL))
        # The drop without a view orders the views: the more is lost, the more it matters.
        claimed = [v for v in paper_order(views) if v != GLOBAL]
        if len(claimed) > 1:
            labels = [arms.without(v) for v in reversed(claimed)]
            priority, of = "The paper's priority", " > ".join(claimed)
            found.append(order_finding(measured, labels, priority, of=of))
    found.append(separated_finding(measured, [arms.only(v) for v in views], arms.ALL))
    if GLOBAL in views:
        found.append(_global_is_worst(measured, left_out))
    if measured.setting.fits_its_encoder:
        found.append(Finding(REFITTED))
    return found


def _global_is_worst(measured: Measured, left_out: list[str]) -> Finding:
    samples, label = measured.samples, arms.only(GLOBAL)
    others = [arms.ALL, *(other for other in left_out if other != arms.without(GLOBAL))]
    below = samples.probability_worst(label, others)
    next_worst = min(others, key=samples.mean)
    result, remark = claim_verdict(samples, below, [(other, label) for other in others])
    text = (
        f"The paper's sentence that the global view alone is worse than all others: "
        f"{result}{remark}, true in {share(below)} of the draws. "
        f"{between(measured, label, next_worst)}."
    )
    return Finding(text, result, {"claim": "global only is worst", "probability": below})


def _widths(measured: Measured) -> list[int]:
    return sorted({int(arm.settings[arms.SIZE]) for arm in measured.plan.arms})


def _width_figure(measured: Measured) -> str:
    """Both kinds along d, against vanilla at the smallest."""
    sizes = _widths(measured)
    reference = arms.at_width("vanilla", sizes[0])
    series = {
        kind: scale_points(measured, [(str(d), arms.at_width(kind, d)) for d in sizes], reference)
        for kind in ("vanilla", "CLIPER")
    }
    axis = f"{axis_title(measured)}, against {reference}"
    return difference_lines(series, "Embedding size", "d", axis)


def _width_findings(measured: Measured) -> list[Finding]:
    """The paper's best width, the fall beyond it, and CLIPER's gain at each width."""
    sizes = _widths(measured)
    among = [arms.at_width("CLIPER", d) for d in sizes]
    found = []
    if PAPER_WIDTH in sizes:
        best = arms.at_width("CLIPER", PAPER_WIDTH)
        found.append(best_finding(measured, best, among, "As the paper has it"))
        wider = [d for d in sizes if d > PAPER_WIDTH]
        if wider:
            words = between(measured, arms.at_width("CLIPER", wider[0]), best)
            found.append(Finding(f"Beyond the paper's best width: {words}."))
    return [*found, separated_finding(measured, among, "vanilla of the same width")]


def _encoder_findings(measured: Measured) -> list[Finding]:
    """Better than vanilla, than noise; Long-CLIP against CLIP where both are here."""
    made = [a.label for a in measured.plan.arms if a.variant.features == "cliper"]
    found = []
    published = [name for name in made if name != arms.IN_DOMAIN]
    if published:
        always = measured.samples.probability_all_above(published, arms.VANILLA)
        pairs = [(name, arms.VANILLA) for name in published]
        result, remark = claim_verdict(measured.samples, always, pairs)
        text = (
            "The paper's sentence that every version of CLIP is better than vanilla: "
            f"{result}{remark}, true in {share(always)} of the draws."
        )
        found.append(Finding(text, result, {"probability": always}))
    found.append(separated_finding(measured, list(measured.contrasts), arms.VANILLA))
    if made:
        words = "; ".join(between(measured, name, arms.RANDOM) for name in made)
        found.append(Finding(f"Against random features: {words}."))
    if {"clip-vit-l-14", "long-clip-l"} <= set(made):
        found.append(Finding(f"{between(measured, 'long-clip-l', 'clip-vit-l-14')}."))
    return found


def _over_no_content(measured: Measured) -> list[Finding]:
    """What each modality adds to nothing."""
    nothing = measured.plan.arms[-1].label
    labels = (arms.BOTH, arms.IMAGE, arms.TEXT)
    alone = "; ".join(between(measured, label, nothing) for label in labels)
    return [Finding(f"Over no content: {alone}.")]


ALL_STUDIES = (
    Study(
        name="views",
        source="Figure 2",
        question="Which views carry the gain, and is the whole more than the global view?",
        what="views",
        varies=("views.include",),
        requires=(arms.several_views,),
        arms=arms.views,
        figures={"": dots("What each view is worth", "all views")},
        findings=(_view_findings,),
    ),
    Study(
        name="fusion",
        source="Figure 3",
        question="Does it matter how the views become one?",
        what="fusion",
        varies=("fusion.kind",),
        requires=(arms.several_views,),
        arms=arms.fusions,
        figures={"": dots("How the views are fused", "SA")},
        findings=(orders(("SA", "MLP", "SUM", "Concat"), "The paper's order"), differs("SA")),
    ),
    Study(
        name="temperature",
        source="Table 3",
        question="How sharply should the similarity weigh the views?",
        what="temperature",
        varies=(arms.TEMPERATURE,),
        requires=(arms.attention_of("temperature"), arms.several_views),
        values=Values(
            number("temperature", "numbers, or inf", lambda value: True),
            (0.0, 0.05, 0.1, 0.2, 0.5, 0.7, "inf"),
        ),
        arms=arms.temperatures,
        figures={
            "": line(
                "Temperature", "τ (0: best view alone, ∞: mean of the views)",
                tick=lambda label: label.removeprefix("τ = "), of="τ",
            )
        },
        findings=(
            is_best(arms.tau(arms.PAPER_TEMPERATURE), "As the paper has it", of="τ"),
            differs(),
        ),
    ),
    Study(
        name="embedding-size",
        source="Figure 4",
        question="How wide should embeddings be, and does CLIPER gain at equal width?",
        what="features and width",
        varies=(arms.SIZE,),
        requires=(arms.a_width,),
        values=Values(
            number("embedding size", "e.g. 64,128", lambda value: value >= 1, int),
            (64, 128, 256, 512, 1024),
        ),
        arms=arms.widths,
        figures={"": _width_figure},
        findings=(_width_findings,),
    ),
    Study(
        name="encoders",
        source="Figure 6 and check 3 of the summary",
        question="Does it take a pretrained cross-modal encoder?",
        what="encoder",
        varies=("encoder.name", "encoder.adapt"),
        requires=(arms.something_to_encode,),
        values=Values(str, (*arms.PUBLISHED, *arms.ADAPTED, arms.IN_DOMAIN)),
        arms=arms.encoders,
        skipped=arms.encoders_away,
        figures={"": dots("Encoders", "vanilla")},
        findings=(_encoder_findings,),
    ),
    Study(
        name="importance",
        source="Figure 5",
        question="Is the view that resembles the picture most the view that matters most?",
        what="views",
        varies=("views.include",),
        requires=(arms.three_views,),
        arms=arms.left_out,
        figures={"": similarity.heatmap},
        details=(similarity.rank_counts, similarity.rank_beside_loss),
        findings=(similarity.importance_findings,),
    ),
    Study(
        name="modalities",
        source="follow-up 1 of the summary",
        question="What do image and text contribute, each on its own and together?",
        what="modalities",
        varies=("features.modalities",),
        arms=arms.modalities,
        figures={"": dots("Modalities", arms.BOTH)},
        findings=(differs(), _over_no_content),
    ),
    Study(
        name="coldness",
        source="the question behind all tables",
        question="For which items, and with how much training data, does content pay?",
        what="features, split, share of training rows",
        varies=(arms.SHARE,),
        values=Values(
            number("share", "above 0, at most 1", lambda value: 0 < value <= 1),
            (0.05, 0.1, 0.25, 0.5, 1.0),
        ),
        arms=arms.cold_and_warm,
        figures={"": popularity.gain_by_bin, "-share": popularity.gain_by_share},
        details=(popularity.bin_table,),
        columns=popularity.training_rows,
        findings=(popularity.gain_findings,),
    ),
    Study(
        name="threshold",
        source="follow-up 2 of the summary",
        question="Is a view that does not agree with the picture better left out?",
        what="threshold",
        varies=(arms.THRESHOLD,),
        requires=(arms.attention_of("threshold"), arms.several_views),
        values=Values(
            number("cosine", "numbers from -1 to 1", lambda value: -1 <= value <= 1),
            similarity.quantiles,
        ),
        arms=arms.thresholds,
        columns=similarity.views_kept,
        figures={
            "": line(
                "Views under a similarity dropped", "threshold (cosine)",
                tick=lambda label: label.removeprefix("≥ ").split()[0], against="none",
            )
        },
        findings=(
            is_best(arms.NO_THRESHOLD, "If no threshold pays"),
            differs("no threshold"),
        ),
    ),
)  # fmt: skip
STUDIES = {study.name: study for study in ALL_STUDIES}


def find_study(name: str) -> Study:
    """The study of this name.

    Raises:
        InputError: there is none; the nearest is named.
    """
    if name not in STUDIES:
        raise InputError(f"no study {name!r}", where="study", remedy=nearest(name, list(STUDIES)))
    return STUDIES[name]
