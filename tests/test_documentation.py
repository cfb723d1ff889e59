"""The commands of the pages, page by page, on a small shop: fewer seeds and epochs, all else as is.

The tutorial has a test of its own (`test_tutorial.py`).
"""

import csv
import json
import re
import shlex
import shutil
import sqlite3
from pathlib import Path

import pytest

from cli.shop import write_shop
from cliper.cli import main
from encoders.adaptation.world import tiny_clip
from generated.language_model import write_language_model

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if page.name != "tutorial.md" and re.search(r"^ *cliper [a-z]", page.read_text("utf-8"), re.M)
]
pytestmark = pytest.mark.xdist_group("documentation")  # one process, which makes the shop once

ELSEWHERE = {
    "--engine ray": "Ray takes long to start; tests/encoders/distributed, tests/parallel",
    "longclip-L.pt": "Long-CLIP's layout; tests/encoders/families/test_long_clip.py",
    "clip-vit-b-32+lora": "weights of the hub",
    "my-clip+lora": "more pairs than this shop has; tests/experiments/studies/test_encoders.py",
    "table2-baby.yaml --out out/baby\n": "the network, and days; --dry-run is run",
    "cliper serve": "goes on until it is stopped; tests/serving",
    "--track mlflow": "tests/experiments/run/test_tracking.py",
}
# An option's value; the rest is in `quick`.
FEWER = {"--seeds": "1", "--folds": "2", "--trials": "2"}


def commands(page: Path) -> list[str]:
    """The commands in the page's blocks, each on one line."""
    blocks = re.findall(r"^ *```(\w*)\n(.*?)^ *```", page.read_text("utf-8"), re.M | re.S)
    text = "".join(block for language, block in blocks if language in ("", "sh"))
    lines = text.replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if re.match(r" *cliper [a-z]", line)]


def reason_not_to_run(command: str) -> str | None:
    return next((why for part, why in ELSEWHERE.items() if part in f"{command}\n"), None)


def quick(command: str) -> list[str]:
    """The command's words, for one epoch of one seed."""
    words = shlex.split(command, comments=True)[1:]
    for option, value in FEWER.items():
        if option in words:
            words[words.index(option) + 1] = value
    verb, more = words[0], []
    if verb in ("train", "compare", "study", "search", "run"):
        more += ["training.max_epochs=1"]
    if verb in ("compare", "study", "search"):
        words += ["--processes", "1"]
    if verb == "study" and "--seeds" not in words:
        words += ["--seeds", "1"]
    if verb == "run" and "films.yaml" in words:
        words = [word.replace("seeds=10", "seeds=2") for word in words]
        more += ["studies.seeds=1", *([] if "compare.seeds=2" in words else ["compare.seeds=1"])]
    if "--adapt" in words:
        more += ["encoder.adapt.min_pairs=10", "encoder.adapt.max_epochs=1"]
    if verb == "augment":
        words += ["--max-new-tokens", "4", "--candidates", "3", "--history", "2"]
    if verb == "encode":
        more = [each for each in more if each.startswith("encoder")]
    return words + [word for setting in more for word in ("--set", setting)]


def test_what_is_not_run_is_still_there() -> None:
    every = [f"{command}\n" for page in PAGES for command in commands(page)]
    for part in ELSEWHERE:
        assert any(part in command for command in every), f"{part}: take it off the list"


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the pages take for granted, under the names that they use."""
    here = tmp_path_factory.mktemp("shop")
    items, log = write_shop(here / "raw")
    rows = [json.loads(line) for line in items.open(encoding="utf-8")]
    for number, row in enumerate(rows):
        row["director"] = row.pop("brand").replace("brand", "director")
        row["categories"] = [row["title"].split()[0], "things"]
        row["country"], row["language"] = f"country {number % 3}", f"language {number % 4}"
        if not row["image"]:
            row["image_urls"] = ["http://127.0.0.1/refused.jpg"]
    items.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    shutil.copytree(here / "raw" / "images", here / "pictures" / "images")
    shutil.copy(items, here / "items.jsonl")
    with (here / "items.csv").open("w", encoding="utf-8", newline="") as out:
        columns = ["item_id", "title", "description", "image_url"]
        writer = csv.DictWriter(out, columns, "http://127.0.0.1/refused.jpg", "ignore")
        writer.writeheader()
        writer.writerows(rows)
    shutil.copy(log, here / "log.csv")
    with sqlite3.connect(here / "shop.db") as database:
        database.execute("CREATE TABLE products (sku, title, brand, photo)")
        database.execute("CREATE TABLE orders (customer, sku, ordered_at)")
        products = [(row["item_id"], row["title"], row["director"], None) for row in rows]
        database.executemany("INSERT INTO products VALUES (?, ?, ?, ?)", products)
        with log.open(encoding="utf-8") as lines:
            orders = [(r["user_id"], r["item_id"], r["timestamp"]) for r in csv.DictReader(lines)]
        database.executemany("INSERT INTO orders VALUES (?, ?, ?)", orders)
    (here / "interactions.csv").write_text(log.read_text("utf-8").replace("user-", "u"), "utf-8")
    tiny_clip(here / "weights" / "clip-vit-base-patch32")
    tiny_clip(here / "weights" / "clip-vit-large-patch14")
    tiny_clip(here / "models" / "my-clip")
    write_language_model(here / "models" / "qwen-0.5b")
    shutil.copytree(ROOT / "examples" / "paper", here / "examples" / "paper")
    (stages,) = re.findall(
        r"```yaml\n(.*?)```", (ROOT / "docs" / "experiments.md").read_text("utf-8"), re.S
    )
    (here / "films.yaml").write_text(stages.replace("processes: 2", "processes: 1"), "utf-8")
    for name in ("films", "shop"):
        prepare = ["prepare", "files", "--items", items, "--interactions", log, "--k-core", "3"]
        assert main([str(word) for word in [*prepare, "--out", here / "data" / name]]) == 0
        assert main(["encode", str(here / "data" / name)]) == 0
    return here


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_of_the_page_run(
    page: Path, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(shop, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    for command in commands(page):
        if reason_not_to_run(command):
            continue
        assert main(quick(command)) == 0, command


@pytest.mark.parametrize("name", ["how-it-works", "data-formats"])
def test_examples_in_python_run(name: str) -> None:
    text = (ROOT / "docs" / f"{name}.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    exec(code, {})
