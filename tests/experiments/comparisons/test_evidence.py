"""Nothing is called better on the strength of users alone: the case that was once sold as a lift.

FREEDOM on a small shop, as reported: trainings that stopped after 23 to 262 epochs, so that two of
three seeds of one side stand on a plateau that the other side left by luck.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from cliper.experiments.comparisons.caption import protocol_line
from cliper.experiments.comparisons.comparison import Comparison, Outcome, analyse, comparison_json
from cliper.experiments.comparisons.stops import stop_notes
from cliper.experiments.comparisons.table import comparison_records, comparison_rows
from cliper.experiments.comparisons.variants import Variant
from cliper.experiments.drawing.tables import csv_text
from cliper.experiments.reports.breakdown import Group
from cliper.experiments.reports.breakdown_section import _sentence
from cliper.experiments.reports.comparison_section import comparison_section
from cliper.experiments.reports.highlight import highlight
from cliper.experiments.reports.study_sections import _against
from cliper.experiments.run.finished import Run
from cliper.experiments.statistics.contrast import Contrast
from cliper.experiments.statistics.resample import Resampled, resample
from cliper.experiments.statistics.significance import NO_CHANCE, ONE_SEED, SeedTest, paired_test
from cliper.experiments.studies.findings import claim_verdict
from cliper.experiments.studies.popularity import _where
from cliper.runs import DatasetFacts, FeatureFacts, Protocol, Results, Seconds

USERS = 400
STOPS = {"vanilla": (262, 23, 26), "cliper": (175, 22, 201)}
MEANS = {"vanilla": (0.4405, 0.2885, 0.2880), "cliper": (0.4300, 0.2983, 0.4297)}


def run(
    path: Path,
    seed: int,
    values: np.ndarray,
    epochs: int,
    best: int,
    cap: int = 1000,
    **more: float,
) -> Run:
    """A finished run as far as comparisons look at it."""
    path.mkdir(parents=True)
    users = np.arange(len(values))
    pq.write_table(
        pa.table({"user_index": users, "recall@20": values}), path / "test_per_user.parquet"
    )
    results = Results(
        schema=1, cliper_version="0", created="", backbone="freedom",
        dataset=DatasetFacts(
            name="shop", hash="", users=USERS, items=404, train=17_900, valid=1, test=1
        ),
        protocol=Protocol(split="random", mask="train", k=[20], seed=seed, candidates="all"),
        features=FeatureFacts(kind="vanilla"),
        config={
            "backbone": {"name": "freedom", "embedding_size": 64},
            "training": {"seed": seed, "max_epochs": cap, **more},
        },
        epochs_run=epochs, best_epoch=best, seconds=Seconds(), peak_memory_mb=1.0, valid={},
        test={"recall@20": float(values.mean())},
    )  # fmt: skip
    return Run(path, results)


def compared(
    folder: Path, means: dict[str, tuple[float, ...]], stops: dict[str, tuple[int, ...]] = STOPS
) -> Comparison:
    """Vanilla and CLIPER; every user differs from the mean by noise of their own."""
    rng = np.random.default_rng(0)
    own = rng.normal(0, 0.1, USERS)
    outcomes = []
    for kind, of_kind in means.items():
        runs = []
        for seed, mean in enumerate(of_kind):
            noise = own + rng.normal(0, 0.05, USERS)
            values = mean + noise - noise.mean()
            epochs = stops[kind][seed]
            runs.append(run(folder / kind / str(seed), seed, values, epochs, max(1, epochs - 10)))
        variant = Variant("freedom", kind, "attention" if kind == "cliper" else None)
        outcomes.append(Outcome(variant, tuple(runs)))
    return analyse(outcomes, "recall@20")


@pytest.fixture
def artefact(tmp_path: Path) -> Comparison:
    return compared(tmp_path, MEANS)


def name_of(comparison: Comparison) -> str:
    return next(iter(comparison.contrasts))


def test_the_artefact_is_what_was_reported(artefact: Comparison) -> None:
    rows = comparison_rows(artefact).rows
    assert rows[0][3] == "33.90 ± 8.79" and rows[1][3] == "38.60 ± 7.60"
    assert rows[1][4] == "+13.9 %"
    name = name_of(artefact)
    p_users, p_seeds = artefact.contrasts[name].p_users, artefact.contrasts[name].p_seeds
    assert p_users is not None and p_users < 1e-20
    assert p_seeds == pytest.approx(stats.ttest_rel(MEANS["cliper"], MEANS["vanilla"]).pvalue)
    assert p_seeds > 0.3


def test_the_artefact_is_no_lift_anywhere(artefact: Comparison) -> None:
    name = name_of(artefact)
    assert artefact.evidence(name) == "users alone"
    value, _, remark = highlight("", artefact, *artefact.outcomes)
    assert value == "not shown"
    assert "over users alone" in remark and "over 3 seeds" in remark
    assert "stopped far apart" in remark
    cell = comparison_section("x", artefact).tables[0].rows[1].cells[0]
    assert [tone for _, tone in cell.chips] == ["plain"] * 3
    assert cell.chips[0][0] == "+13.9 %" and cell.chips[2][0].endswith("(seeds)")
    summary = comparison_json(artefact)["summary"][1]
    assert summary["evidence"] == "users alone" and summary["epochs_run"] == [175, 22, 201]


def test_stops_far_apart_are_said_wherever_the_table_is(artefact: Comparison) -> None:
    line, notes = protocol_line(artefact), comparison_json(artefact)["notes"]
    assert "STOPPED FAR APART: freedom-vanilla after 262, 23 and 26 epochs" in line
    assert f"STOPPED FAR APART: {name_of(artefact)} after 175, 22 and 201 epochs" in line
    assert f"OVER USERS ALONE, not over seeds: the difference of {name_of(artefact)}" in line
    assert len(notes) == 3 and all(note in line for note in notes)
    assert notes[0] in comparison_section("x", artefact).tables[0].protocol


def test_a_steady_lift_is_a_headline_and_green(tmp_path: Path) -> None:
    means = {"vanilla": (0.33, 0.35, 0.34), "cliper": (0.381, 0.40, 0.392)}
    comparison = compared(tmp_path, means, dict.fromkeys(means, (60, 70, 65)))
    name = name_of(comparison)
    assert comparison.evidence(name) == "sure" and comparison.notes == []
    value, _, remark = highlight("", comparison, *comparison.outcomes)
    assert value == "+15.0 %" and "p < 0.001 over users, p < 0.001 over 3 seeds" in remark
    assert comparison_section("x", comparison).tables[0].rows[1].cells[0].chips[0] == (
        value,
        "good",
    )


def test_a_steady_loss_is_red(tmp_path: Path) -> None:
    means = {"vanilla": (0.381, 0.40, 0.392), "cliper": (0.33, 0.35, 0.34)}
    table = comparison_section("x", compared(tmp_path, means)).tables[0]
    baseline, loser = (row.cells[0] for row in table.rows)
    assert loser.chips[0] == ("−13.0 %", "bad") and baseline.chips == ()
    assert (baseline.text, baseline.small, baseline.mark) == ("39.10", "± 0.95", "best")
    assert loser.mark == "second"
    assert [row.starts_group for row in table.rows] == [True, False]


def test_one_seed_is_no_headline(tmp_path: Path) -> None:
    comparison = compared(tmp_path, {k: v[:1] for k, v in MEANS.items()} | {"cliper": (0.5,)})
    value, _, remark = highlight("", comparison, *comparison.outcomes)
    assert value == "not shown" and "no p over seeds: one seed" in remark
    assert "no p over seeds: one seed" in comparison.notes
    assert "users drawn again" in protocol_line(comparison)


def test_a_model_and_a_split_without_chance_have_no_p_over_seeds(tmp_path: Path) -> None:
    """Three runs of one and the same model are one run."""
    rng = np.random.default_rng(1)
    base = rng.random(USERS)
    sides = {"vanilla": base, "cliper": base + 0.05 + rng.normal(0, 0.1, USERS)}
    outcomes = [
        Outcome(
            Variant("itemknn", kind, "attention" if kind == "cliper" else None),
            tuple(run(tmp_path / kind / str(s), s, values, 0, 0) for s in range(3)),
        )
        for kind, values in sides.items()
    ]
    comparison = analyse(outcomes, "recall@20")
    name = name_of(comparison)
    assert comparison.contrasts[name].p_seeds is None
    assert comparison.contrasts[name].p_users == pytest.approx(
        stats.ttest_rel(sides["cliper"], sides["vanilla"]).pvalue
    )
    assert comparison.evidence(name) == "sure"  # nothing but the users is left to chance
    assert comparison.notes == [f"no p over seeds: {NO_CHANCE}"]
    assert comparison_rows(comparison).rows[1][-1] == "-"
    assert csv_text(comparison_records(comparison)).splitlines()[2].endswith(",")
    assert comparison_json(comparison)["summary"][1]["why_no_p_seeds"] == NO_CHANCE


def test_differences_without_spread_have_no_p() -> None:
    """Equal to the last digit but for rounding, as SciPy warns of: 0/0 or a division by noise."""
    users = np.arange(30)
    values = np.random.default_rng(2).random(30)
    shifts = (0.1, 0.2, 0.30000000000000004)
    ours = [(users, values + 0.1 + shift) for shift in shifts]
    theirs = [(users, values + shift) for shift in shifts]
    result = paired_test(ours, theirs)
    assert (result.p_users, result.p_seeds) == (None, None)
    assert result.why_no_p_seeds == "every seed gives the same difference"
    assert paired_test(ours[:1], theirs[:1]).why_no_p_seeds == ONE_SEED
    assert not SeedTest(None, result.why_no_p_seeds).agrees


@pytest.mark.parametrize(
    ("epochs", "best", "more", "said"),
    [
        (60, 58, {}, True),  # two epochs after its best
        (60, 20, {"patience_distance": 0}, False),  # out of patience, if only just
        (60, 20, {}, True),  # 40 epochs are 360 steps at 0.001
        (60, 20, {"learning_rate": 0.006}, False),
        (59, 58, {}, False),  # not the cap's doing
    ],
)
def test_the_cap_of_epochs_is_said(
    tmp_path: Path, epochs: int, best: int, more: dict[str, float], said: bool
) -> None:
    one = run(tmp_path / "a", 0, np.zeros(3), epochs, best, cap=60, **more)
    untrained = run(tmp_path / "b", 0, np.zeros(3), 0, 0, cap=60)
    notes = stop_notes({"a": [one], "b": [untrained, untrained]})
    assert notes == (["ENDED BY THE CAP of 60 epochs, not by patience: a (1 of 1)"] if said else [])


def samples(*differences: float) -> Resampled:
    """Arm `a` is above `b` by so much under each seed, and users all agree."""
    rng = np.random.default_rng(3)
    users, base = np.arange(50), rng.random(50)
    levels = rng.normal(0, 0.1, len(differences))
    return resample(
        {
            "a": [(users, base + lv + d) for lv, d in zip(levels, differences, strict=True)],
            "b": [(users, base + lv) for lv in levels],
        }
    )


@pytest.mark.parametrize(
    ("differences", "shown", "result"),
    [
        ((0.010, 0.005, 0.145), "users alone", "open"),  # one side by luck, p = 0.37
        ((-0.010, -0.005, -0.145), "users alone", "open"),
        ((0.050, 0.055, 0.045), "sure", "holds"),
        ((-0.050, -0.055, -0.045), "sure", "does not hold"),
        ((0.050, 0.055, -0.045), "none", "open"),
        ((0.05,), "users alone", "open"),
    ],
)
def test_findings_need_the_seeds(differences: tuple[float, ...], shown: str, result: str) -> None:
    made = samples(*differences)
    assert made.evidence("a", "b") == shown
    verdict, remark = claim_verdict(made, made.probability(["a", "b"]), [("a", "b")])
    assert verdict == result
    assert bool(remark) == (shown == "users alone")
    text = _where("a over b", [("here", made, "a", "b")]).text
    words = {"users alone": "users alone", "none": "cannot be told"}
    assert words.get(shown, "gains" if differences[0] > 0 else "loses") in text


def test_arms_that_are_the_same_prove_nothing() -> None:
    made = samples(0.0, 0.0, 0.0)
    assert made.evidence("a", "b") == "none"
    assert claim_verdict(made, made.probability(["a", "b"]), [("a", "b")])[0] == "open"


def test_groups_and_contrasts_need_the_seeds() -> None:
    lucky, steady = SeedTest(0.37), SeedTest(0.004)
    groups = [
        Group("category", name, 100, 0.3, 0.35, 0.005, 0.145, over_seeds)
        for name, over_seeds in (("Mugs", lucky), ("Lamps", steady))
    ]
    assert [g.verdict for g in groups] == ["", "helps"]
    sentence = _sentence(groups, "CLIPER", "vanilla")
    assert sentence == (
        "CLIPER finds more than vanilla at category Lamps; over users alone, not over seeds, they "
        "differ at category Mugs. In 0 of 2 groups there is no telling."
    )
    for p, tone in ((0.37, "plain"), (0.004, "good")):
        contrast = Contrast("a", "b", 0.05, 0.005, 0.145, 0.1, 1e-20, p)
        arm = {**vars(contrast), "evidence": contrast.evidence}
        assert _against(arm)[1].chips[0][1] == tone
