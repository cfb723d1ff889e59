"""What the repository says of itself: README, documentation, examples, pins."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import cliper
from cliper.backbones import backbone_entry, list_backbones
from cliper.cli.application import VERBS, root
from cliper.data.splits import list_splits
from cliper.encoders.registry import list_encoders
from cliper.errors import InputError
from cliper.experiments.pipeline import KEYS, Pipeline
from cliper.experiments.run.config import ExperimentConfig, load_experiment
from cliper.representation import list_fusions
from cliper.testing import toy_world

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TEXTS = sorted([*PAGES, *(ROOT / "examples").rglob("*.*"), ROOT / "Makefile"])


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def fenced(path: Path, language: str) -> list[str]:
    """The contents of the page's code blocks in one language."""
    blocks: list[str] = []
    opened: str | None = None
    lines: list[str] = []
    for line in path.read_text("utf-8").splitlines(keepends=True):
        if not line.lstrip().startswith("```"):
            lines.append(line)
        elif opened is None:
            opened, lines = line.strip().removeprefix("```"), []
        else:
            if opened == language:
                blocks.append("".join(lines))
            opened = None
    assert opened is None, f"{path}: a code block is not closed"
    return blocks


def cells(text: str, row: str) -> list[str]:
    """The code spans of each cell in the table row that starts with `row`."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {row} |"))
    return line.strip("|").split("|")[1:]


def spans(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def test_version_is_the_same_everywhere() -> None:
    assert project()["project"]["version"] == cliper.__version__


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    found = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert all(len(parts) == 2 for parts in found)
    assert len({name for name, _ in found}) == len(found)
    return {canonicalize_name(name): version for name, version in found}


def test_every_direct_dependency_is_pinned_within_its_range() -> None:
    pinned = pins()
    declared = project()["project"]
    extras = declared["optional-dependencies"]
    texts = declared["dependencies"] + [text for texts in extras.values() for text in texts]
    for requirement in map(Requirement, texts):
        if requirement.name == "cliper":  # other extras of this package
            continue
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement


def test_dependencies_of_dependencies_are_pinned() -> None:
    pinned = pins()
    for text in requires("transformers") + requires("matplotlib") + requires("mlflow-skinny"):
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            assert canonicalize_name(requirement.name) in pinned, requirement


def test_pins_hold_for_any_build_of_torch_and_name_no_place() -> None:
    text = (ROOT / "constraints.txt").read_text("utf-8")
    assert "torch==2.13.0\n" in text
    assert not re.search(r"\+cpu|://|^-|@", text, re.MULTILINE)


def test_readme_example_runs_with_names_and_arguments_that_exist() -> None:
    """Each call's keywords are parameters, so the example can be typed as it stands."""
    import inspect

    (code,) = fenced(ROOT / "README.md", "python")
    tree = ast.parse(code)
    assert len(tree.body) == 5
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    checked = 0
    for call in calls:
        name = ast.unparse(call.func)
        if name.startswith("cliper."):
            target = cliper
            for part in name.split(".")[1:]:
                target = getattr(target, part)
        elif name == "run.recommend":
            target = cliper.Run.recommend
        else:
            continue
        keywords = {keyword.arg: None for keyword in call.keywords}
        positional = [None] * len(call.args) + ([None] if name == "run.recommend" else [])
        inspect.signature(target).bind(*positional, **keywords)
        checked += 1
    assert checked == 4


def test_readme_names_the_commands_that_exist() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    named = set(re.findall(r"^\| `cliper (\w+)", text, re.MULTILINE))
    assert named == set(VERBS)


def test_readme_names_what_is_there_and_nothing_else() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    for row, known in (
        ("Backbones", [entry.name for entry in list_backbones()]),
        ("Fusions", [row["name"] for row in list_fusions()]),
        ("Splits", [row["name"] for row in list_splits()]),
        ("Encoders", [row["name"] for row in list_encoders()] + ["hf:ORG/NAME"]),
    ):
        assert spans(cells(text, row)[0]) == set(known), row


def test_every_backbone_has_a_page_with_every_option_and_its_default() -> None:
    folder = ROOT / "docs" / "backbones"
    names = {entry.name for entry in list_backbones()}
    assert {path.stem for path in folder.glob("*.md")} == names
    for name in sorted(names):
        page = (folder / f"{name}.md").read_text("utf-8")
        assert page.startswith(f"# `{name}`\n") and "```" in page
        assert "**Needs**" in page and "**Changed" in page and "**Cost**" in page, name
        assert "PLACEHOLDER" not in page, f"{name}: its cost is not measured"
        told = dict(re.findall(r"^\| `(\w+)` \| `?([^|`]+?)`? \|", page, re.MULTILINE))
        fields = backbone_entry(name).config.model_fields
        assert set(told) == set(fields), name
        for option, value in told.items():
            assert yaml.safe_load(value) == fields[option].default, f"{name}.{option}"


def test_backbones_index_lists_what_there_is() -> None:
    text = (ROOT / "docs" / "backbones.md").read_text("utf-8")
    rows = re.findall(
        r"^\| \[`([\w-]+)`\]\(backbones/([\w-]+)\.md\) \| ([^|]+) \| ([^|]+) \|", text, re.M
    )
    said = {name: (page, features.strip(), extra.strip()) for name, page, features, extra in rows}
    assert said == {
        e.name: (e.name, e.features, ", ".join(e.backbone.extra_inputs) or "-")
        for e in list_backbones()
    }


def test_documented_backbone_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of docs/add-a-backbone.md is a backbone, held to a step of training."""
    from cliper.backbones import create_backbone, registry

    monkeypatch.setattr(registry.BACKBONES, "entries", dict(registry.BACKBONES.entries))
    blocks = fenced(ROOT / "docs" / "add-a-backbone.md", "python")
    for block in blocks:
        ast.parse(block)
    (tmp_path / "mine.py").write_text(blocks[0], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    __import__("mine")
    world = toy_world()
    backbone = create_backbone("mine", world.train, world.features, {"embedding_size": 8})
    users, items = backbone.embed()
    assert users.shape == (80, 8) and items.shape == (80, 8)
    assert len((ROOT / "docs" / "add-a-backbone.md").read_text("utf-8").splitlines()) < 150


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text("utf-8")
    records = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    assert records
    for path in records:  # in any order of writing: a number is given out before its page is there
        number = int(path.name[:4])
        title = path.read_text("utf-8").splitlines()[0]
        assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", path.name)
        assert title.startswith(f"# {number}. ")
        assert f"[{number:04d}]({path.name}) | {title.split('. ', 1)[1]} |" in index
        for part in ("Context", "Decision", "Alternatives", "Consequences"):
            assert f"**{part}.**" in path.read_text("utf-8"), path.name
    listed = [int(n) for n in re.findall(r"^\| \[(\d+)", index, re.MULTILINE)]
    assert listed == sorted(set(listed)) and len(listed) == len(records)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    hidden = r"<!--.*?-->|```.*?```|`[^`\n]*`"
    text = re.sub(hidden, "", page.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http://", "https://", "#")):
            assert (page.parent / target.split("#")[0]).exists(), target


@pytest.mark.parametrize("page", TEXTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_texts_name_no_place_of_one_machine(page: Path) -> None:
    text = page.read_text("utf-8")
    found = re.search(r"(?<![\w.])/(?:home|root|work|Users|opt|mnt|tmp|var)/\S*", text)
    assert found is None, found


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.yaml")), ids=lambda p: p.stem)
def test_example_experiments_are_valid(path: Path) -> None:
    tree = load_experiment(path)
    build = Pipeline.build if any(key in KEYS for key in tree) else ExperimentConfig.build
    build(tree)
    tree["training"]["learning_rat"] = 1
    with pytest.raises(InputError, match="learning_rate"):
        build(tree)


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.py")), ids=lambda p: p.stem)
def test_example_scripts_compile_and_import_what_exists(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = __import__(node.module, fromlist=[alias.name for alias in node.names])
            for alias in node.names:
                assert hasattr(module, alias.name), f"{node.module}.{alias.name}"


def documented_commands(page: Path) -> list[str]:
    """Every `cliper VERB …` in code blocks, tables and sentences, on one line each."""
    blocks = "\n".join(fenced(page, "")).replace("\\\n", " ").splitlines()
    lines = [line.strip() for line in blocks] + re.findall(
        r"`(cliper [^`\n]+)`", page.read_text("utf-8")
    )
    return [line for line in lines if re.match(r"cliper [a-z]", line)]


COMMANDS = sorted({(page.name, line) for page in PAGES for line in documented_commands(page)})


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_documented_options_exist(page: str, line: str) -> None:
    words = line.split("#")[0].split()[1:]
    verb = words[:2] if words[0] == "prepare" else words[:1]
    shown = CliRunner().invoke(root, [*verb, "--help"])
    assert shown.exit_code == 0, shown.output
    for option in (word for word in words if word.startswith("-")):
        assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", shown.output), option


def test_make_bench_gives_every_script_what_it_needs() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for script in (ROOT / "benchmarks").glob("*.py"):
        needs = re.findall(r"add_argument\(\s*\"[a-z]", script.read_text("utf-8"))
        assert bool(needs) == (f"*/{script.name})" in makefile), script.name


def test_rooms_import_in_one_direction_only() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    if not lint.exists():
        pytest.skip("import-linter is not installed beside this Python")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_architecture_page_has_every_room_in_order() -> None:
    layers = project()["tool"]["importlinter"]["contracts"][0]["layers"]
    rooms = [name.removeprefix("cliper.") for name in reversed(layers)]
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == rooms
    found = {
        p.stem for p in (ROOT / "src" / "cliper").iterdir() if not p.name.startswith(("_", "."))
    }
    assert set(rooms) == found - {"py"}


def test_changelog_flags_numbers_in_every_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    versions = re.split(r"^## \[", text, flags=re.MULTILINE)[1:]
    assert versions
    assert all("### Numbers" in version for version in versions)
