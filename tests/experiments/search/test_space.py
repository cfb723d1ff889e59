"""Spaces: what is read, what is refused, and what the presets hold."""

import math

import pytest

from cliper.errors import InputError
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.search import Choice, Range, parse_space, preset
from cliper.experiments.search.space import check_space, combinations, describe, size


def experiment(**tree: object) -> ExperimentConfig:
    return ExperimentConfig.build({"dataset": {"path": "x"}, **tree})


def test_types_follow_the_setting() -> None:
    space = parse_space(
        [
            "training.learning_rate=1e-4..1e-2:log",
            "backbone.n_layers=1..3",
            "backbone.image_weight=0..1",
            "fusion.temperature=0.1,1,inf",
            "fusion.kind=sum,concat",
            "features.normalize_views=true,false",
        ],
        "freedom",
    )
    assert space["training.learning_rate"] == Range(1e-4, 1e-2, log=True)
    assert space["backbone.n_layers"] == Range(1, 3, integer=True)
    assert describe(space)["backbone.image_weight"]["high"] == 1.0
    assert space["fusion.temperature"] == Choice((0.1, 1.0, "inf"))
    assert space["fusion.kind"] == Choice(("sum", "concat"))
    assert space["features.normalize_views"] == Choice((True, False))
    assert size(space) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("training.learning_rat=1,2", "did you mean 'learning_rate'"),
        ("trainin.patience=1,2", "did you mean 'training'"),
        ("backbone.n_layer=1..2", "did you mean 'n_layers'"),
        ("training.patience", "not key=values"),
        ("training.patience=5..2", "low must be lower"),
        ("training.patience=0.5..2", "whole numbers"),
        ("training.weight_decay=0..1:log", "above 0"),
        ("fusion.kind=sum..mlp", "list values"),
        ("training.patience=1..2:cubic", "list values"),
        ("training.patience=5,5", "named twice"),
        ("views.include=[a],[b]", "lists"),
        ("split.kind=random,given", "what is measured"),
        ("evaluation.mask=train", "what is measured"),
        ("training.seed=1..9", "what is measured"),
        ("backbone.name=bpr,ease", "what is measured"),
    ],
)
def test_what_cannot_be_searched_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_space([text], "freedom")


def test_values_out_of_range_are_refused_before_any_work() -> None:
    def build(params: dict[str, object]) -> ExperimentConfig:
        return experiment(training={"learning_rate": params["training.learning_rate"]})

    with pytest.raises(InputError, match=r"training.learning_rate: .*got 2\.0"):
        check_space(parse_space(["training.learning_rate=0.1..2"], "freedom"), build)
    with pytest.raises(InputError, match="nothing to search"):
        check_space({}, build)


def test_the_paper_grid_is_the_one_in_the_paper() -> None:
    """{1, 3, 5} × {1e-4, 1e-5}; d in {128, 256, 512, 1024}; τ in {0.05, 0.1, 0.2, 0.5, 0.7}."""
    space = preset("paper", experiment())
    rates = sorted(factor * scale for factor in (1, 3, 5) for scale in (1e-4, 1e-5))
    assert sorted(space["training.learning_rate"].values) == pytest.approx(rates)
    assert set(space["backbone.embedding_size"].values) == {2**n for n in range(7, 11)}
    assert math.prod(len(one.values) for one in space.values()) == 6 * 4 * 5 == size(space)
    assert len({repr(c) for c in combinations(space)}) == 120
    vanilla = preset("paper", experiment(features={"kind": "vanilla"}))
    assert size(vanilla) == 24
    ease = experiment(backbone={"name": "ease"}, features={"kind": "none"})
    assert preset("paper", ease) == {}


def test_every_backbone_accepts_the_ends_of_its_own_preset() -> None:
    from cliper.backbones import list_backbones

    for entry in list_backbones():
        kind = "none" if entry.features == "none" else "vanilla"
        config = experiment(backbone={"name": entry.name}, features={"kind": kind})
        space = preset("backbone", config)

        def build(params, entry=entry, kind=kind):
            backbone = {k.split(".")[1]: v for k, v in params.items() if k.startswith("backbone")}
            return experiment(backbone={"name": entry.name, **backbone}, features={"kind": kind})

        if space:
            check_space(space, build)
