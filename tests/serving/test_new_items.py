"""Items that came later, through the packaged encoder: against a cold item of the catalogue."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pictured_shop import BARE, COLD, N, pictured_shop

import cliper
from cliper.data import Dataset
from cliper.errors import InputError
from cliper.representation.learned import LearnedWeights
from cliper.scoring import FactorScorer
from cliper.serving import Recommender


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return pictured_shop(tmp_path_factory.mktemp("shop") / "dataset")


def recommender(dataset: Dataset, out: Path, backbone: str = "vbpr", **made: object) -> Recommender:
    """With a scorer that can be looked into."""
    features = None if backbone == "bpr" else cliper.represent(dataset, **made)  # type: ignore[arg-type]
    quick = {"max_epochs": 2, "batch_size": 64}
    cliper.fit(dataset, backbone, features, out=out, training=quick)
    return Recommender.load(out)


def copy_of(dataset: Dataset, item: int, name: str) -> dict[str, object]:
    catalogue = dataset.catalogue
    assert catalogue is not None
    values = {field: catalogue.values(field)[item] for field in catalogue.fields}
    return {"item_id": name, "image": catalogue.image_paths()[item], **values}


def vector(model: Recommender, name: str) -> torch.Tensor:
    assert isinstance(model.scorer, FactorScorer)
    return model.scorer.items[int(model.items.indices([name])[0])].detach()


@pytest.mark.parametrize(
    "made",
    [
        {"fusion": "attention"},
        {"fusion": "concat"},
        {"fusion": "mlp"},
        {"kind": "vanilla"},
    ],
    ids=str,
)
def test_a_copy_of_a_cold_item_gets_its_vector(
    dataset: Dataset, tmp_path: Path, made: dict[str, object]
) -> None:
    model = recommender(dataset, tmp_path / "run", **made)
    model.add_items([copy_of(dataset, COLD, "new"), copy_of(dataset, BARE, "bare")])
    torch.testing.assert_close(vector(model, "new"), vector(model, f"i{COLD}"), rtol=0, atol=1e-5)
    torch.testing.assert_close(vector(model, "bare"), vector(model, f"i{BARE}"), rtol=0, atol=1e-5)
    both = model.recommend(["u1"], N + 2, candidates=["new", f"i{COLD}"])
    assert [r.item_id for r in both] in (["new", f"i{COLD}"], [f"i{COLD}", "new"])
    assert both[0].score == pytest.approx(both[1].score, abs=1e-5)


def test_learned_weights_are_the_runs_and_never_learned_again(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = {"title": 2.0, "colour": 0.7, "global": 0.1, "image": 1.2}
    learned = LearnedWeights(weights, 1.0, 0.1, 0.01)
    monkeypatch.setattr("cliper.representation.represent.learn_weights", lambda *_: learned)
    model = recommender(dataset, tmp_path / "run", fusion="learned")
    monkeypatch.delattr("cliper.representation.represent.learn_weights")
    model.add_items([copy_of(dataset, COLD, "new"), copy_of(dataset, BARE, "bare")])
    torch.testing.assert_close(vector(model, "new"), vector(model, f"i{COLD}"), rtol=0, atol=1e-5)
    torch.testing.assert_close(vector(model, "bare"), vector(model, f"i{BARE}"), rtol=0, atol=1e-5)
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["features"]["weights"] == weights


def test_an_added_item_is_an_item_like_any(dataset: Dataset, tmp_path: Path) -> None:
    model = recommender(dataset, tmp_path / "run", "freedom")
    before = {r.item_id: r.score for r in model.recommend(["u1"], N)}
    model.add_items([{"item_id": "new", "title": "a violet thing", "colour": ["violet"]}])
    model.add_items([{"item_id": "newer", "title": "a red thing", "colour": "red"}])
    after = {r.item_id: r.score for r in model.recommend(["u1"], N + 2)}
    assert {k: after[k] for k in before} == before
    assert set(after) - set(before) == {"new", "newer"}
    assert [r.item_id for r in model.recommend(["u1"], where={"colour": "violet"})] == ["new"]
    assert [
        r.item_id for r in model.recommend(["u1"], where={"colour": "red"}, candidates=["newer"])
    ]
    assert model.recommend(history=["new", "i3"], k=3, explain=True)[0].reasons is not None
    assert "new" not in [r.item_id for r in model.recommend(history=["new"], k=N + 2)]
    assert model.train_counts[-2:].tolist() == [0, 0]
    assert len(model.similar_items(["new"], 3)) == 3


def test_values_are_written_as_prepare_writes_them(dataset: Dataset, tmp_path: Path) -> None:
    """A record of JSON or of a data frame: numbers, truth, gaps, arrays."""
    model = recommender(dataset, tmp_path / "run")
    given: list[object] = [
        49.0, np.float32(0.5), 7, True, np.bool_(False), " red ", "  ", float("nan"), None,
    ]  # fmt: skip
    expected = ["49", "0.5", "7", "true", "false", "red", None, None, None]
    model.add_items([{"item_id": f"n{at}", "title": value} for at, value in enumerate(given)])
    assert [model.shelf.fields_of(f"n{at}")["title"] for at in range(len(given))] == expected
    model.put_items([{"item_id": "n0", "colour": np.array(["red", "", "blue"])}])
    assert model.shelf.fields_of("n0") == {"title": None, "colour": ["red", "blue"]}


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"title": "x"}, "no item_id"),
        ({"item_id": "i3", "title": "x"}, "'i3' is there already"),
        ({"item_id": "n", "titel": "x"}, "unknown field 'titel'.*did you mean 'title'"),
        ({"item_id": "n", "title": {"a": 1}}, "field 'title'"),
        ({"item_id": "n", 7: "x"}, "unknown field 7"),
        ({"item_id": "n\0", "title": "x"}, "zero byte"),
        ({"item_id": "n", "title": "\ud800"}, "field 'title': not valid Unicode"),
        ("n", r"items\[0\]: a mapping of fields, got str"),
        ({"item_id": "n", "image": "nowhere.png"}, "item 'n'.*picture cannot be used"),
    ],
)
def test_what_cannot_be_added_leaves_all_as_it_was(
    dataset: Dataset, tmp_path: Path, item: dict[str, object], message: str
) -> None:
    model = recommender(dataset, tmp_path / "run")
    with pytest.raises(InputError, match=message):
        model.add_items([{"item_id": "fine", "title": "y"}, item] if "title" in item else [item])
    assert len(model.items) == N


def test_items_are_replaced_and_removed(dataset: Dataset, tmp_path: Path) -> None:
    model, fresh = (recommender(dataset, tmp_path / name) for name in "ab")
    asked = {"k": N + 2, "exclude_seen": False}
    before = {r.item_id: r.score for r in model.recommend(["u1"], **asked)}  # type: ignore[arg-type]
    last = {"item_id": "new", "title": "a red thing", "colour": ["violet"]}
    model.add_items([{"item_id": "new", "title": "a grey thing", "colour": ["grey"]}])
    model.put_items([last, {"item_id": "i2", "colour": ["violet"]}])
    fresh.add_items([last])
    assert model.shelf.count == N + 1
    violet = {r.item_id: r.score for r in model.recommend(["u1"], where={"colour": "violet"},
                                                          exclude_seen=False)}  # fmt: skip
    expected = fresh.recommend(["u1"], candidates=["new"])[0].score
    assert violet == {"new": pytest.approx(expected, abs=1e-5), "i2": before["i2"]}
    assert model.shelf.fields_of("i2") == {"title": None, "colour": ["violet"]}

    model.remove_items(["new", "i2"])
    left = {r.item_id: r.score for r in model.recommend(["u1"], **asked)}  # type: ignore[arg-type]
    assert left == {name: score for name, score in before.items() if name != "i2"}
    assert model.recommend(["u1"], candidates=["i2"], exclude_seen=False) == []
    assert not {"new", "i2"} & {r.item_id for r in model.similar_items(["i3"], N + 2)}
    assert model.recommend(history=["i2"], k=1)
    model.add_items([last, {"item_id": "i2", "title": "again"}])
    assert model.shelf.offers("new") and model.shelf.offers("i2") and model.shelf.count == N + 1

    def refuse() -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        model.put_items([{"item_id": "newer", "title": "x"}], refuse)
    assert not model.shelf.has("newer")


@pytest.mark.parametrize("backbone", ["vbpr", "itemknn"])
def test_replaced_items_leave_nothing_behind(
    dataset: Dataset, tmp_path: Path, backbone: str
) -> None:
    """As if the last of each had been all that ever came."""
    model = recommender(dataset, tmp_path / "run", backbone)
    fresh = Recommender.load(tmp_path / "run")
    last = [{"item_id": f"new{at}", "title": f"a red thing, the {at}th"} for at in range(3)]
    model.add_items([{"item_id": f"new{at}", "title": "a grey thing"} for at in (2, 0, 1)])
    gone = {"item_id": "gone", "title": "a violet thing"}
    for one in (model, fresh):
        one.add_items([gone])
        one.remove_items(["gone", "i2"])
    model.remove_items(["new1"])
    for item in last:
        model.put_items([item])
        fresh.put_items([item])
    assert model.items == fresh.items
    assert model.shelf.removed.tolist() == fresh.shelf.removed.tolist() == [2, N]
    assert model.train_counts.tolist() == fresh.train_counts.tolist()
    assert model.shelf.known_fields().table == fresh.shelf.known_fields().table
    assert {len(c.chunks) for c in model.shelf.known_fields().table.columns} == {1}
    asked = {"history": ["new1", "gone", "i3"], "k": N, "exclude_seen": False}
    assert model.recommend(**asked) == fresh.recommend(**asked)  # type: ignore[arg-type]
    assert model.recommend(["u1"], N) == fresh.recommend(["u1"], N)
    assert model.similar_items(["new2"], N) == fresh.similar_items(["new2"], N)


def test_who_cannot_says_why(dataset: Dataset, tmp_path: Path) -> None:
    new = [{"item_id": "n", "title": "x"}]
    with pytest.raises(InputError, match="bpr knows items by who took them alone"):
        recommender(dataset, tmp_path / "bpr", "bpr").add_items(new)
    recommender(dataset, tmp_path / "run")
    with pytest.raises(InputError, match="not a dataset directory"):
        Recommender.load(tmp_path / "run", dataset=tmp_path / "gone").add_items(new)
    log = dataset.interactions
    other = Dataset("other", log.select(np.arange(len(log) - 1)), dataset.catalogue)
    other.save(tmp_path / "other")
    with pytest.raises(InputError, match="not the dataset that the run was trained on"):
        Recommender.load(tmp_path / "run", dataset=tmp_path / "other").add_items(new)


@pytest.mark.parametrize("backbone", ["vbpr", "freedom", "itemknn"])
def test_a_views_share_is_what_the_score_loses_without_it(
    dataset: Dataset, tmp_path: Path, backbone: str
) -> None:
    """By another way: the same item added without that field, or without its picture."""
    model = recommender(dataset, tmp_path / "run", backbone, views=["title", "colour"])
    whole = copy_of(dataset, COLD, "whole")
    kept = {"title": "title", "colour": "colour", "image": "image"}
    without = [{**whole, "item_id": name, field: None} for name, field in kept.items()]
    asked = {"candidates": ["whole", *kept], "k": 4, "exclude_seen": False}
    for item in [whole, *without]:
        model.add_items([item])
    for who in ({"users": ["u1"]}, {"history": ["i2", "i0"]}):
        rows = {r.item_id: r for r in model.recommend(**who, **asked, explain="views")}  # type: ignore[arg-type]
        losses = {name: rows["whole"].score - rows[name].score for name in kept}
        reasons = rows["whole"].reasons
        assert reasons is not None
        found = {share.view: share.share for share in reasons.views}
        assert sum(found.values()) == pytest.approx(1)
        total = sum(losses.values())
        if total <= 0:
            losses = {name: abs(loss) for name, loss in losses.items()}
            total = sum(losses.values())
        expected = {name: loss / total for name, loss in losses.items()}
        assert found == pytest.approx(expected, rel=1e-2, abs=1e-3)


def test_views_where_there_can_be_none(dataset: Dataset, tmp_path: Path) -> None:
    model = recommender(dataset, tmp_path / "vanilla", kind="vanilla")
    found = model.recommend(history=["i1"], k=1, explain=True)
    assert found[0].reasons is not None
    assert found[0].reasons.views == ()
    assert found[0].reasons.history
    with pytest.raises(InputError, match="not made of views"):
        model.recommend(history=["i1"], k=1, explain="views")
    warm = recommender(dataset, tmp_path / "cliper")
    row = warm.recommend(["u1"], 1, explain=True, exclude_seen=False)[0]
    assert row.reasons is not None
    assert {share.view for share in row.reasons.views} == {"title", "colour", "global", "image"}
    history = warm.recommend(["u1"], 1, explain="history")[0].reasons
    assert history is not None
    assert history.views == ()


def test_finding_where_an_item_has_no_words(dataset: Dataset, tmp_path: Path) -> None:
    model = recommender(dataset, tmp_path / "run")
    model.add_items([{"item_id": "bare"}, {"item_id": "said", "title": "a zeppelin"}])
    assert model.find("zeppelin", k=1)[0].item_id == "said"
    assert dataset.catalogue is not None
    own = dataset.catalogue.image_paths()[3]
    assert model.find(picture=str(own), k=1)[0].item_id == "i3"
    assert model.find(" ") == []


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"text": 5}, "find: not a text: 5"),
        ({"text": "\ud800"}, "find: not valid Unicode"),
        ({"picture": "nowhere.png"}, "picture: its picture cannot be used"),
        ({"picture": "a\0b"}, "picture: its picture cannot be used"),
        ({"text": "a", "picture": "b"}, "a text or a picture, one of both"),
    ],
)
def test_what_cannot_be_found(
    dataset: Dataset, tmp_path: Path, asked: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        recommender(dataset, tmp_path / "run").find(**asked)  # type: ignore[arg-type]
