"""The experiment tree refuses what it does not understand and what would do nothing."""

import pytest

from cliper.errors import InputError
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.run.paper import paper_settings
from cliper.strict_yaml import assign

DATA = {"dataset": {"path": "d"}}
FREEDOM = {**DATA, "backbone": {"name": "freedom"}}


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({**FREEDOM, "trainig": {}}, "trainig: unknown key .*'training'"),
        ({**FREEDOM, "training": {"lr": 1}}, "training.lr: unknown key"),
        ({**DATA, "backbone": {"name": "fredom"}}, "'freedom'"),
        ({**DATA, "backbone": {"name": "freedom", "n_layer": 2}}, "backbone.n_layer.*'n_layers'"),
        ({**DATA, "backbone": {"name": "freedom", "n_layers": 99}}, "backbone.n_layers"),
        ({**DATA, "backbone": {}}, "backbone.name"),
        ({"backbone": {"name": "freedom"}}, "dataset"),
        ({**FREEDOM, "features": {"kind": "vanilla"}, "fusion": {"kind": "sum"}}, "no effect"),
        ({**FREEDOM, "fusion": {"kind": "sum", "temperature": 0.2}}, "fusion.temperature"),
        ({**FREEDOM, "fusion": {"kind": "sum", "threshold": 0.2}}, "fusion.threshold"),
        ({**FREEDOM, "fusion": {"threshold": -1.5}}, "fusion.threshold"),
        ({**FREEDOM, "fusion": {"kind": "learned", "temperature": 0.2}}, "fusion.temperature"),
        ({**FREEDOM, "features": {"normalize_views": False}}, "features.normalize_views"),
        ({**FREEDOM, "split": {"train_share": 0}}, "split.train_share"),
        ({**FREEDOM, "encoder": {"name": "x", "adapt": {"rank": 2}}}, "adapt.kind: is not said"),
        (
            {**FREEDOM, "encoder": {"name": "x", "adapt": {"kind": "lorra"}}},
            r"encoder.adapt.kind: unknown: 'lorra' \(did you mean 'lora'\?\)",
        ),
        (
            {**FREEDOM, "encoder": {"name": "x", "adapt": {"kind": "lora", "ranc": 2}}},
            "encoder.adapt.ranc: unknown key .*'rank'",
        ),
        (
            {**FREEDOM, "encoder": {"name": "x", "adapt": {"kind": "projection", "rank": 2}}},
            "encoder.adapt.rank: unknown key",
        ),
        (
            {**FREEDOM, "encoder": {"name": "x", "adapt": {"kind": "lora", "rank": 0}}},
            "encoder.adapt.rank: input should be greater",
        ),
        ({**FREEDOM, "encoder": {"adapt": {"kind": "lora"}}}, "'embedded' is fitted"),
        (
            {**FREEDOM, "features": {"kind": "vanilla"}, "encoder": {"adapt": {"kind": "lora"}}},
            "encoder: has no effect",
        ),
        ({**FREEDOM, "features": {"kind": "none"}}, "needs item features"),
        (
            {**DATA, "backbone": {"name": "bpr"}, "features": {"kind": "cliper"}},
            "uses no features",
        ),
        ({**FREEDOM, "evaluation": {"k": [10]}}, "20"),
        ({**FREEDOM, "encoder": {"batch_size": -1}}, "encoder.batch_size: input should be gr"),
        ({**FREEDOM, "fusion": {"temperature": "x"}}, "fusion.temperature: input should be a"),
        ({**FREEDOM, "training": {"learning_rate": float("nan")}}, "learning_rate"),
    ],
)
def test_a_bad_tree_is_one_clear_line(tree: dict, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        ExperimentConfig.build(tree)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "tree",
    [
        FREEDOM,
        {**FREEDOM, "features": {"kind": "vanilla"}},
        {**FREEDOM, "fusion": {"kind": "mlp"}, "views": {"include": ["title"]}},
        {**FREEDOM, "fusion": {"temperature": "inf"}},
        {**FREEDOM, "fusion": {"threshold": 0.2}, "split": {"train_share": 0.5}},
        {**DATA, "backbone": {"name": "bpr"}, "features": {"kind": "none"}},
        {**FREEDOM, "features": {"kind": "random", "random_size": 8}},
    ],
)
def test_a_resolved_tree_builds_the_same_experiment(tree: dict) -> None:
    config = ExperimentConfig.build(tree)
    resolved = config.resolved()
    assert ExperimentConfig.build(resolved).resolved() == resolved


def test_a_temperature_says_that_it_is_the_attention_and_the_default_is_learned() -> None:
    assert ExperimentConfig.build(FREEDOM).fusion.kind == "learned"
    tree = {**FREEDOM, "fusion": {"temperature": 0.2}}
    assert ExperimentConfig.build(tree).resolved()["fusion"] == {
        "kind": "attention", "temperature": 0.2,
    }  # fmt: skip


def test_the_papers_settings_fill_what_is_not_given() -> None:
    config = ExperimentConfig.build(paper_settings(FREEDOM))
    assert (config.fusion.kind, config.fusion.temperature) == ("attention", 0.1)
    assert (config.own_settings.embedding_size, config.training.weight_decay) == (512, 1e-4)  # type: ignore[attr-defined]
    given = {**FREEDOM, "fusion": {"kind": "sum"}, "training": {"weight_decay": 0.0}}
    kept = ExperimentConfig.build(paper_settings(given))
    assert (kept.fusion.kind, kept.training.weight_decay) == ("sum", 0)
    plain = {**DATA, "backbone": {"name": "itemknn"}, "features": {"kind": "none"}}
    assert paper_settings(plain) == plain


def test_assignments_read_numbers_lists_and_words() -> None:
    tree = assign({}, ["a.b=1e-3", "a.c=[1, 2]", "a.d=text", "e=true", "f=inf"])
    assert tree == {"a": {"b": 1e-3, "c": [1, 2], "d": "text"}, "e": True, "f": "inf"}
    with pytest.raises(InputError, match="not key=value"):
        assign({}, ["nonsense"])


def test_vanilla_encoders_may_be_told_how_to_run_but_not_which_they_are() -> None:
    tree = {**FREEDOM, "features": {"kind": "vanilla"}, "encoder": {"batch_size": 8}}
    assert ExperimentConfig.build(tree).resolved()["encoder"]["batch_size"] == 8
    with pytest.raises(InputError, match="encoder: has no effect"):
        ExperimentConfig.build({**tree, "encoder": {"name": "clip-vit-b-32"}})


def test_settings_at_their_default_leave_no_trace_in_the_record() -> None:
    """So that a run made before they existed is still the same run."""
    resolved = ExperimentConfig.build(FREEDOM).resolved()
    assert "threshold" not in resolved["fusion"] and "train_share" not in resolved["split"]
    given = ExperimentConfig.build({**FREEDOM, "fusion": {"threshold": 0.3}}).resolved()
    assert given["fusion"]["threshold"] == 0.3


def test_weights_are_recorded_as_where_they_are_from_anywhere(tmp_path, monkeypatch) -> None:
    (tmp_path / "weights").mkdir()
    monkeypatch.chdir(tmp_path)
    tree = {**FREEDOM, "encoder": {"name": "align", "weights": "weights"}}
    assert ExperimentConfig.build(tree).resolved()["encoder"]["weights"] == str(
        (tmp_path / "weights").resolve()
    )
    assert "weights" not in ExperimentConfig.build(FREEDOM).resolved()["encoder"]
