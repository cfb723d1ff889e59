"""`encoders` on a tiny shop with pictures: what is not here is named, with a reason."""

from pathlib import Path

import pytest

from cliper.data import Dataset
from cliper.data.prepare import prepare_files
from cliper.demo.shop import generate_shop
from cliper.errors import InputError
from cliper.experiments.studies import STUDIES, Setting, find_study, run_study
from cliper.experiments.studies.arms import encoders_away
from cliper.experiments.studies.write import study_json, study_markdown

BASE = {
    "views": {"include": ["title", "brand", "global"]},
    "training": {"max_epochs": 1},
    "backbone": {"trainable_features": False},
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("shop")
    generate_shop(folder / "raw", items=60, users=80)
    return prepare_files(
        folder / "raw" / "items.jsonl", folder / "raw" / "interactions.csv", folder / "raw",
        folder / "dataset", k_core=3,
    )  # fmt: skip


def test_encoders_that_are_not_here_are_named(shop: Dataset, tmp_path: Path) -> None:
    result = run_study("encoders", Setting.make(shop, BASE), tmp_path)
    saved = study_json(result)
    ran = {row["arm"] for row in saved["arms"]}
    skipped = {row["arm"]: row["reason"] for row in saved["skipped"]}
    assert {"vanilla", "random", "embedded"} <= ran
    assert ran | skipped.keys() >= {"clip-vit-l-14", "long-clip-l", "siglip2-b-16", "align", "blip"}
    assert not ran & skipped.keys()
    page = study_markdown(result)
    assert all(f"Skipped: {name} ({reason})." in page for name, reason in skipped.items())
    assert saved["seeds"] == [0] and saved["arms"][0]["p_seeds"] is None


def test_an_encoder_that_is_named_must_work(shop: Dataset, tmp_path: Path) -> None:
    setting = Setting.make(shop, BASE, values=["embeded"])
    assert encoders_away(setting, ["embeded"]) == []
    with pytest.raises(InputError, match="embedded"):
        run_study("encoders", setting, tmp_path)


QUICK = {"embedding-size": [16], "coldness": [0.5], "temperature": [0.1], "threshold": [0.2]}


@pytest.mark.parametrize("name", [name for name in STUDIES if name != "encoders"])
def test_every_other_study_runs_on_a_shop_with_pictures(
    shop: Dataset, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    out = tmp_path_factory.getbasetemp() / "shop-studies"  # one folder: its runs are shared
    result = run_study(name, Setting.make(shop, BASE, values=QUICK.get(name)), out)
    assert result.findings and all(f.text.endswith((".", ").")) for f in result.findings)
    assert (out / f"{name}.svg").is_file() and (out / f"{name}.tex").is_file()


def test_adapted_encoders_are_arms_of_their_own(shop: Dataset) -> None:
    setting = Setting.make(shop, BASE, values=["clip-vit-l-14", "clip-vit-l-14+projection"])
    arms = find_study("encoders").plan(setting).arms
    plain, adapted = (setting.config(arm, 0) for arm in arms[1:3])
    assert plain.encoder.name == adapted.encoder.name == "clip-vit-l-14"
    assert plain.encoder.adapt is None
    assert adapted.encoder.adapt is not None and adapted.encoder.adapt.kind == "projection"


def test_the_fields_stay_in_the_global_view(shop: Dataset) -> None:
    setting = Setting.make(shop, BASE)
    templates = setting.base["views"]["templates"]
    assert {"title", "brand", "categories", "description"} <= templates.keys()
    assert setting.views == ("title", "brand", "global")
