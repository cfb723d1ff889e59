"""Adapted encodings of a dataset: under their own key, made once, never taken for others."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cliper.data.dataset import Dataset
from cliper.encoders import create_encoder
from cliper.encoders.adaptation import AdaptationReport, adapt_encodings, adaptation_config
from cliper.encoders.adaptation.config import AdaptationConfig
from cliper.encoders.adaptation.lora import LowRankAdapters
from cliper.encoders.adaptation.lora_fit import LoraAdapter
from cliper.encoders.encode import encode_dataset
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.registry import ENCODERS, register_encoder
from cliper.encoders.settings import EncoderSettings
from cliper.encoders.two_tower import TwoTowerEncoder
from cliper.errors import InputError
from cliper.types import BoolArray

from ..encode_world import CountingEncoder, choose, dataset_of, views_of
from .world import Views, coloured, tiny_clip

PROJECTION = adaptation_config("projection", min_pairs=20, max_epochs=4)
LORA = adaptation_config("lora", min_pairs=20, max_epochs=4, batch_size=32, learning_rate=5e-3)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_clip(tmp_path_factory.mktemp("clip") / "tiny"))


@pytest.fixture
def world(tmp_path: Path) -> tuple[Dataset, Views]:
    return coloured(tmp_path / "data", 90)


def encode(
    world: tuple[Dataset, Views],
    clip: str,
    adapt: AdaptationConfig | None = None,
    fit_on: BoolArray | None = None,
    **more: object,
) -> tuple[object, EncodeReport]:
    reports: list[EncodeReport] = []
    settings = choose(clip, adapt=adapt, **more)
    encodings = encode_dataset(
        world[0], world[1], settings, fit_on=fit_on, on_report=reports.append
    )
    return encodings, reports[0]


@pytest.mark.parametrize("config", [PROJECTION, LORA], ids=["projection", "lora"])
def test_adapted_once_and_never_taken_for_another(
    world: tuple[Dataset, Views], clip: str, config: AdaptationConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    plain, _ = encode(world, clip)
    adapted, report = encode(world, clip, config)
    assert adapted.encoder == f"tiny+{config.kind}"
    assert plain.encoder == "tiny"
    assert adapted.key != plain.key
    assert report.adaptation is not None and report.adaptation_folder is not None
    assert report.adaptation.best_epoch > 0
    assert np.abs(adapted.text - plain.text).max() > 1e-3
    assert np.array_equal(adapted.text_present, plain.text_present)
    assert np.flatnonzero(~adapted.image_present).tolist() == [3, 4]
    assert report.failed_images == {"not an image": 1}

    written = AdaptationReport.load(report.adaptation_folder)
    assert written == report.adaptation
    assert (report.adaptation_folder / "report.md").read_text().startswith(f"# tiny+{config.kind}")

    monkeypatch.setattr("cliper.encoders.adaptation.adapt.fit", None)  # nothing is fitted again
    again, second = encode(world, clip, config)
    assert again.key == adapted.key
    assert again.text.tobytes() == adapted.text.tobytes()
    assert second.adaptation == report.adaptation
    assert (second.encoded_texts, second.encoded_images) == (0, 0)
    assert encode(world, clip)[0].text.tobytes() == plain.text.tobytes()
    for other in (config.model_copy(update={"seed": 1}), config.model_copy(update={"patience": 6})):
        with pytest.raises(TypeError, match="not callable"):  # no stored fit is taken for it
            encode(world, clip, other)


def test_another_text_another_fit(world: tuple[Dataset, Views], clip: str) -> None:
    first, _ = encode(world, clip, PROJECTION)
    world[1].texts[0][9] = "something else"
    second, _ = encode(world, clip, PROJECTION)
    assert first.key != second.key
    assert not np.array_equal(
        first.text[0, 10], second.text[0, 10]
    )  # other weights, not only row 9


def test_the_store_and_the_function_in_memory_agree(
    world: tuple[Dataset, Views], clip: str
) -> None:
    plain, _ = encode(world, clip)
    stored, _ = encode(world, clip, PROJECTION)
    in_memory = adapt_encodings(plain, PROJECTION).encodings
    np.testing.assert_allclose(in_memory.text, stored.text, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(in_memory.image, stored.image, rtol=1e-4, atol=1e-5)


def test_lora_encodes_what_its_merged_towers_say(world: tuple[Dataset, Views], clip: str) -> None:
    adapted, report = encode(world, clip, LORA)
    assert report.adaptation_folder is not None
    encoder = create_encoder(clip)
    assert isinstance(encoder, TwoTowerEncoder)
    LowRankAdapters.load(report.adaptation_folder / "lora.safetensors").merge(encoder.towers)
    title = world[1].texts[0][7]
    assert title is not None
    np.testing.assert_allclose(adapted.text[0, 7], encoder.encode_text([title])[0], atol=1e-5)
    path = world[0].path / "images" / "7.png"
    np.testing.assert_allclose(adapted.image[7], encoder.encode_image([path])[0], atol=1e-5)
    other = adaptation_config("lora", **{**LORA.model_dump(exclude={"kind"}), "max_epochs": 0})
    untrained, _ = encode(world, clip, other)
    assert untrained.text.tobytes() == encode(world, clip)[0].text.tobytes()


def test_an_interrupted_lora_goes_on(
    world: tuple[Dataset, Views], clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = encode(coloured(tmp_path / "other", 90), clip, LORA)
    embed: Callable[..., object] = LoraAdapter.embed
    calls = []

    def interrupted(self: LoraAdapter, rows: object) -> object:
        calls.append(1)
        if len(calls) == 12:
            raise KeyboardInterrupt
        return embed(self, rows)

    monkeypatch.setattr(LoraAdapter, "embed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        encode(world, clip, LORA)
    assert list(world[0].path.rglob("fit.part*"))
    resumed, report = encode(world, clip, LORA)
    assert resumed.text.tobytes() == whole.text.tobytes()
    assert report.adaptation is not None and len(report.adaptation.history) == 5
    assert not list(world[0].path.rglob("fit.part*"))


def test_half_precision_is_cast_after_merging(world: tuple[Dataset, Views], clip: str) -> None:
    full, _ = encode(world, clip, LORA)
    half, _ = encode(world, clip, LORA, dtype="bfloat16")
    assert half.key != full.key
    present = full.text_present[0]
    one, other = full.text[0][present], half.text[0][present]
    cosine = np.einsum("nd,nd->n", one, other)
    cosine /= np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    assert cosine.min() > 0.99


def test_what_may_be_seen_is_part_of_the_key(world: tuple[Dataset, Views], clip: str) -> None:
    some = adaptation_config("projection", min_pairs=20, max_epochs=2, fit_on="train")
    with pytest.raises(InputError, match=r"fit_on: 'train' needs a split"):
        encode(world, clip, some)
    with pytest.raises(InputError, match=r"fit_on"):
        encode(world, clip, PROJECTION, fit_on=np.ones(90, bool))
    half, report = encode(world, clip, some, fit_on=np.arange(90) < 60)
    more, _ = encode(world, clip, some, fit_on=np.arange(90) < 70)
    assert half.key != more.key
    assert report.adaptation is not None and report.adaptation.left_out == 30


def test_embedded_is_not_adapted(world: tuple[Dataset, Views]) -> None:
    with pytest.raises(InputError, match="fitted on the catalogue already"):
        encode(world, "embedded", PROJECTION)


def test_any_encoder_takes_a_projection_and_lora_needs_towers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ENCODERS, "entries", dict(ENCODERS.all()))

    @register_encoder("counting", "rows that only the content decides")
    def _make(settings: EncoderSettings) -> CountingEncoder:
        return CountingEncoder()

    dataset, views = dataset_of(tmp_path, 60), views_of(60)
    adapted = encode_dataset(dataset, views, choose("counting", adapt=PROJECTION))
    assert adapted.encoder == "counting+projection"
    with pytest.raises(InputError, match="no towers that could be trained"):
        encode_dataset(dataset, views, choose("counting", adapt=LORA))


def test_the_report_is_plain_json(world: tuple[Dataset, Views], clip: str) -> None:
    _, report = encode(world, clip, PROJECTION)
    assert report.adaptation_folder is not None
    tree = json.loads((report.adaptation_folder / "report.json").read_text())
    assert tree["schema"] == 1
    assert tree["settings"]["kind"] == "projection"
    assert set(tree["after"]["views"]) == {"title", "shape"}
    assert tree["train"] + tree["valid"] + tree["report"] == 87  # without items 3, 4 and 5
    assert tree["before"]["overall"]["text_to_image"]["candidates"] <= tree["report"]
