"""A dataset at a glance, against plain loops; the page in a browser."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tokenizers import Tokenizer

from cliper.backbones import list_backbones
from cliper.cli import main
from cliper.data import Dataset, prepare_files
from cliper.data.near_duplicates import MOST_BITS, groups_of, near_duplicate_pairs
from cliper.encoders.minilm import MiniLM
from cliper.experiments.describe import describe
from cliper.experiments.describe.facts import gini
from cliper.experiments.describe.memory import memory_facts
from cliper.testing import toy_world

from ..browser import look, needs_browser


@given(st.lists(st.integers(0, 2**64 - 1), max_size=40), st.integers(0, 2**32 - 1))
def test_pairs_are_those_of_all_comparisons(values: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    for value in values[:10]:  # neighbours by construction, or there would hardly be any
        flips = rng.choice(64, size=rng.integers(1, 6), replace=False)
        values = [*values, value ^ int(sum(1 << int(bit) for bit in flips))]
    hashes = np.array(values, dtype=np.uint64)
    expected = [
        [i, j]
        for i, j in itertools.combinations(range(len(values)), 2)
        if bin(values[i] ^ values[j]).count("1") <= MOST_BITS
    ]
    assert near_duplicate_pairs(hashes).tolist() == expected


def test_groups_against_networkx() -> None:
    networkx = pytest.importorskip("networkx")
    pairs = np.random.default_rng(0).integers(0, 60, (30, 2))
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    graph = networkx.Graph(pairs.tolist())
    expected = sorted((sorted(c) for c in networkx.connected_components(graph)),
                      key=lambda g: (-len(g), g))  # fmt: skip
    assert groups_of(pairs, 60) == expected


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30))
def test_gini_is_half_the_relative_mean_difference(counts: list[int]) -> None:
    array = np.array(counts)
    if array.sum() == 0:
        assert gini(array) == 0
        return
    differences = np.mean([abs(a - b) for a in counts for b in counts])
    assert gini(array) == pytest.approx(differences / (2 * array.mean()))


def test_memory_is_what_the_tables_hold_and_the_largest_set_fills_it() -> None:
    world = toy_world()
    held = {facts.backbone: facts for facts in memory_facts(world.train, 10**9)}
    assert set(held) == {entry.name for entry in list_backbones()}
    kept = 5 * 64 * 4  # a row 64 wide, its gradient, two moments and the best epoch's
    for side in (held["bpr"].user, held["bpr"].item):
        assert kept <= side < kept + 30  # the sampler's counts
    assert kept <= held["vbpr"].item < kept + 50  # its features may stay on the disk
    assert held["acf"].item >= 2 * kept + 2 * 256 * 4  # two tables of features, and two of its own
    assert (held["ease"].item_pair, held["bpr"].item_pair) == (4, 0)
    for facts in held.values():
        rows = facts.users / world.train.n_users * len(world.train)
        used = facts.user * facts.users + facts.item * facts.items + facts.interaction * rows
        assert used + facts.item_pair * facts.items**2 == pytest.approx(10**9, rel=1e-3)


def picture(path: Path, seed: int, size: int = 160, quality: int = 95) -> None:
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    Image.fromarray(small).resize((size, size), Image.Resampling.BICUBIC).save(
        path, quality=quality
    )


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Twelve items: 0 and 1 look alike, 2 and 3 show the same file, 11 shows none."""
    folder = tmp_path_factory.mktemp("glance")
    for i in range(11):
        picture(folder / f"{i}.jpg", i)
    picture(folder / "1.jpg", 0, size=120, quality=80)
    (folder / "3.jpg").write_bytes((folder / "2.jpg").read_bytes())
    rows = [
        {
            "item_id": f"i{i:02d}",
            "title": f"Thing {i}",
            "description": None if i == 4 else "word " * (20 * i + 1),
            "image": None if i == 11 else f"{i}.jpg",
        }
        for i in range(12)
    ]
    (folder / "items.jsonl").write_text("\n".join(map(json.dumps, rows)))
    log = ["user_id,item_id,rating,timestamp"]
    log += [f"u{u},i{i:02d},{3 + (u + i) % 3},{86400 * (365 + u)}"
            for u in range(6) for i in range(12) if i <= 2 * u]  # fmt: skip
    (folder / "log.csv").write_text("\n".join(log))
    prepare_files(
        folder / "items.jsonl", folder / "log.csv", folder, folder / "out",
        k_core=0, keep_unbought=True,
    )  # fmt: skip
    return Dataset.load(folder / "out")


def test_the_numbers_are_those_of_plain_loops(dataset: Dataset) -> None:
    facts = describe(dataset)
    pairs = [(u, i) for u in range(6) for i in range(12) if i <= 2 * u]
    assert (facts.users, facts.items, facts.interactions) == (6, 12, len(pairs))
    assert facts.sparsity == pytest.approx(1 - len(pairs) / 72)
    per_item = [sum(i == item for _, item in pairs) for i in range(12)]
    assert facts.never_taken == per_item.count(0) == 1
    assert facts.per_item.mean == pytest.approx(np.mean(per_item))
    assert facts.per_item.median == np.median(per_item)
    assert facts.ratings == {str(r): sum(3 + (u + i) % 3 == r for u, i in pairs) for r in (3, 4, 5)}
    assert (facts.first, facts.last) == ("1971-01-01", "1971-01-06")
    by_name = {field.name: field for field in facts.fields}
    assert by_name["description"].missing == 1 and by_name["title"].distinct == 12


def test_lengths_are_those_of_the_tokeniser(dataset: Dataset) -> None:
    facts = {text.view: text for text in describe(dataset, pictures=False).texts}
    tokenizer = Tokenizer.from_file(str(MiniLM().folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    from cliper.views import render

    assert dataset.catalogue is not None
    views = render(dataset.catalogue)
    for name, texts in zip(views.names, views.texts, strict=True):
        counts = [len(tokenizer.encode(text).ids) for text in texts if text is not None]
        assert facts[name].median == np.median(counts)
        assert facts[name].over_clip == sum(c > 77 for c in counts)
        assert facts[name].over_long_clip == sum(c > 248 for c in counts)
        assert sum(facts[name].histogram) == len(counts) == facts[name].present
    assert facts["description"].over_clip > 0 and facts["title"].over_clip == 0


def test_pictures_that_look_alike(dataset: Dataset) -> None:
    facts = describe(dataset).pictures
    assert facts is not None
    assert (facts.present, facts.missing, facts.distinct, facts.shared) == (11, 1, 10, 2)
    assert (facts.alike, facts.groups) == (2, 1)
    assert set(facts.samples[0]) == {"i00", "i01"}


def test_command(dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "glance.html"
    assert main(["describe", str(dataset.path), "--out", str(page), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["interactions"] == 36 and said["page"] == str(page)
    assert main(["describe", str(tmp_path)]) == 2
    assert "not a dataset" in capsys.readouterr().err


@needs_browser
@pytest.mark.parametrize("width", [400, 1280])
def test_page_in_a_browser(dataset: Dataset, tmp_path: Path, width: int) -> None:
    page = tmp_path / "glance.html"
    assert main(["describe", str(dataset.path), "--out", str(page)]) == 0
    told = look(page.read_text("utf-8"), tmp_path, width)
    assert told["pictures"] == 2
    assert (told["broken"], told["seen"], told["requests"]) == (0, [], [])
    assert told["wide"] <= 0
