"""YAML's core schema 1.2, keys once, and settings that take no value for another."""

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cliper.config import StrictConfig
from cliper.errors import InputError
from cliper.experiments.run.config import ExperimentConfig, load_experiment
from cliper.files import read_json
from cliper.strict_yaml import assign, read_yaml, write_yaml

TWICE = """\
dataset: {path: shop/ds}
training:
  seed: 7
evaluation: {mask: train}
training:
  max_epochs: 2
"""


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (TWICE, "line 5: 'training' is given twice, in line 2 and in line 5"),
        ("a: {b: 1, c: 2, b: 3}", "line 1: 'b' is given twice"),
        ("a:\n  - {x: 1}\n  - x: 1\n    'x': 2\n", "line 4: 'x' is given twice, in line 3"),
    ],
)
def test_a_key_that_is_given_twice_is_refused(text: str, where: str, tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_experiment(path)
    assert f"{path}, {where}" in str(caught.value)


def test_what_a_merge_brings_is_no_repetition() -> None:
    text = "base: &b {x: 1, y: 2}\nother: {<<: *b, y: 3}"
    assert read_yaml(text, "here")["other"] == {"x": 1, "y": 3}


# https://yaml.org/spec/1.2.2/#1032-tag-resolution; left as texts: what 1.1 means otherwise.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0), ("-19", -19), ("+3", 3), ("0.", 0.0), ("-0.0", -0.0), (".5", 0.5),
        ("12e03", 12000.0), ("-2E+05", -200000.0), ("1e-3", 0.001), (".inf", float("inf")),
        ("true", True), ("FALSE", False), ("null", None), ("~", None), ("", None),
        ("010", "010"), ("08", "08"), ("1_000", "1_000"), ("0x1f", "0x1f"), ("0o17", "0o17"),
        ("0b1", "0b1"), ("1:30", "1:30"), ("1:30.5", "1:30.5"), ("yes", "yes"), ("no", "no"),
        ("on", "on"), ("Off", "Off"), ("2024-03-01", "2024-03-01"), ("'1'", "1"),
    ],
)  # fmt: skip
def test_scalars(text: str, value: object) -> None:
    found = read_yaml(text, "here")
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "value", ["010", "true", "yes", "1_000", "0x1f", "1:30", "'3'", "2.0", "1e3", "[1]", "null"]
)
def test_a_seed_is_a_whole_number(value: str) -> None:
    tree = assign({"dataset": {"path": "d"}}, [f"training.seed={value}"])
    with pytest.raises(InputError, match=r"^training\.seed: "):
        ExperimentConfig.build(tree)


@pytest.mark.parametrize(
    "assignment",
    ["training.learning_rate=true", "training.learning_rate='0.1'", "evaluation.k=[20, true]",
     "backbone.embedding_size=true", "encoder.batch_size=true", "features.normalize_views=1",
     "fusion.temperature=true", "features.normalize_views=yes"],
)  # fmt: skip
def test_no_setting_takes_another_type(assignment: str) -> None:
    base = {"dataset": {"path": "d"}, "backbone": {"name": "lightgcn"}}
    tree = assign(base, [assignment])
    with pytest.raises(InputError) as caught:
        ExperimentConfig.build(tree)
    assert str(caught.value).startswith(assignment.partition("=")[0])


def test_a_whole_number_is_a_float() -> None:
    tree = assign({"dataset": {"path": "d"}}, ["training.learning_rate=1", "training.seed=12"])
    training = ExperimentConfig.build(tree).training
    assert (training.learning_rate, training.seed) == (1.0, 12)


class _Nested(StrictConfig):
    width: int = 1


class _Outer(StrictConfig):
    inner: _Nested = _Nested()
    size: float | None = None


def test_nested_settings_are_strict_too() -> None:
    assert _Outer.parse({"inner": {"width": 3}, "size": 2}).inner.width == 3
    for bad in ({"inner": {"width": True}}, {"size": False}, {"size": "2"}):
        with pytest.raises(InputError):
            _Outer.parse(bad)


SCALARS = (
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]))
    | st.sampled_from(["010", "1e5", "1e-3", "yes", "1:30", "null", "~", "0x1f", "1_0", ".5", "-"])
    | st.integers()
    | st.booleans()
    | st.none()
    | st.floats(allow_nan=False)
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # of a busy machine
@given(st.dictionaries(st.text("abc", min_size=1), SCALARS | st.lists(SCALARS)))
def test_what_is_written_is_read_again(tree: dict[str, object]) -> None:
    text = write_yaml(tree)
    assert read_yaml(text, "here") == tree
    assert yaml.safe_load(text) == tree


def test_json_gives_each_key_once(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"a": {"b": 1, "b": 2}}')
    with pytest.raises(InputError, match="the key 'b' is given twice"):
        read_json(path)


def test_aliases_that_make_much_of_little() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)
    )
    for text in (bomb, "a: &a [*a, *a]"):
        with pytest.raises(InputError, match="aliases make more than 100,000 values"):
            read_yaml(text, "here")
    assert read_yaml("a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]", "here")["b"] == {
        "x": 1,
        "y": 2,
    }
