"""The documentation site: the repository's own pages, laid out and rendered by Zensical.

    python docs/build.py        # or `make docs`; writes site/

Pages stay where they are and link to one another as files of the repository do, so they read the
same in a checkout. A copy of them is made in build/docs in the same layout; what only a site has is
added there: the commands' help, the reference from the docstrings, and a page for every other file
that a page links to. `mkdocs.yml` has the order of pages; an entry with `*` stands for all that
match. A broken link, a missing anchor or a page without a place ends the build with an error.
"""

import json
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import yaml

from cliper.cli.application import root as commands

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"(?<=\]\()([^)\s#]+)")
PROSE_OR_NOT = re.compile(r"(<!--.*?-->|```.*?```|`[^`\n]*`)", re.DOTALL)
PICTURES = (".png", ".svg")

# Rooms with names for other people's code; what `cliper` itself offers stands on its page alone.
PUBLIC = {
    "cliper": "the short way",
    "cliper.data": "datasets and splits",
    "cliper.views": "prompts",
    "cliper.encoders": "encoders",
    "cliper.encoders.adaptation": "adapted encoders",
    "cliper.representation": "similarity, fusion, features",
    "cliper.graphs": "graphs",
    "cliper.losses": "losses",
    "cliper.scoring": "what ranks after training",
    "cliper.backbones": "backbones",
    "cliper.metrics": "metrics",
    "cliper.ranking": "ranking",
    "cliper.augment": "language models",
    "cliper.training": "the training loop",
    "cliper.testing": "toy worlds",
    "cliper.testing.conformance": "conformance of backbones",
    "cliper.testing.encoders": "conformance of encoders",
    "cliper.runs": "run directories",
    "cliper.serving": "recommendations",
    "cliper.serving.store": "events and items that are kept",
    "cliper.experiments.search": "search",
    "cliper.experiments.studies": "studies",
    "cliper.errors": "errors",
}


def main(work: Path = ROOT / "build", site: Path = ROOT / "site") -> int:
    """Copy the pages to `work`, build them there strictly, and put what comes out in `site`."""
    copy = work / "docs"
    shutil.rmtree(copy, ignore_errors=True)
    for page in pages():
        stage(page, copy)
    shutil.copyfile(ROOT / "docs" / "site.css", copy / "docs" / "site.css")
    for name, text in {**command_pages(), **module_pages()}.items():
        write(copy / name, text)
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    settings["nav"] = placed(settings["nav"], copy)
    if lost := {str(page.relative_to(ROOT)) for page in pages()} - set(files_of(settings["nav"])):
        print(f"error: no place in mkdocs.yml: {', '.join(sorted(lost))}", file=sys.stderr)
        return 1
    settings |= {"docs_dir": "docs", "site_dir": "site"}
    python = settings["plugins"]["mkdocstrings"]["handlers"]["python"]
    python["paths"] = [str(ROOT / path) for path in python["paths"]]
    python["options"]["extensions"] = [str(ROOT / "docs" / "doctests.py")]
    (work / "mkdocs.yml").write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
    zensical = Path(sys.executable).with_name("zensical")
    done = subprocess.run([zensical, "build", "--strict", "--clean"], cwd=work)
    if done.returncode == 0:
        shutil.rmtree(site, ignore_errors=True)
        shutil.move(work / "site", site)
    return done.returncode


def pages() -> list[Path]:
    """Every page of the repository, from the top."""
    folders = (ROOT / "docs", ROOT / "results")
    found = [path for folder in folders for path in sorted(folder.rglob("*.md"))]
    return [*sorted(ROOT.glob("*.md")), *found]


def write(path: Path, text: str) -> None:
    """One file of the copy."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def stage(page: Path, copy: Path) -> None:
    """Copy a page, with its links and what they lead to made fit for a site."""
    parts = PROSE_OR_NOT.split(page.read_text("utf-8"))
    parts[::2] = [LINK.sub(lambda link: target(page, link[0], copy), part) for part in parts[::2]]
    text = re.sub(r"\[([^\[\]\n]*)\]\(a-folder\)", r"\1", "".join(parts))
    write(copy / page.relative_to(ROOT), text)


def target(page: Path, link: str, copy: Path) -> str:
    """Where a link leads on the site; a file that is no page becomes one, a folder has none."""
    if link.startswith(("http://", "https://", "mailto:")) or link.endswith(".md"):
        return link
    path = (page.parent / link).resolve()
    name = path.relative_to(ROOT)
    if path.is_dir():
        return "a-folder"
    if path.suffix in PICTURES:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy / name)
        return link
    write(copy / f"{name}.md", source_page(path, str(name)))
    return f"{link}.md"


def source_page(path: Path, name: str) -> str:
    """A file as a page, kept out of the search."""
    text = path.read_text("utf-8")
    if path.suffix == ".ipynb":
        return notebook(json.loads(text))
    language = {".py": "python", ".yaml": "yaml"}.get(path.suffix, "")
    return (
        f"---\nsearch:\n  exclude: true\n---\n\n# {name}\n\n````{language}\n{text.rstrip()}\n````\n"
    )


def notebook(document: dict[str, Any]) -> str:
    """Its cells without what they printed."""
    cells = (("".join(cell["source"]), cell["cell_type"]) for cell in document["cells"])
    return "\n\n".join(f"```python\n{t}\n```" if kind == "code" else t for t, kind in cells)


def command_pages() -> dict[str, str]:
    """The help of every command, as it is printed."""
    context = click.Context(commands, info_name="cliper")
    told, rows = {}, []
    for verb in commands.list_commands(context):
        command = commands.get_command(context, verb)
        assert command is not None
        told[f"reference/commands/{verb}.md"] = f"# cliper {verb}\n\n" + helped(command, context)
        rows.append((f"[`cliper {verb}`](commands/{verb}.md)", command.get_short_help_str(200)))
    about = commands.get_short_help_str(200)
    return told | {"reference/commands.md": f"# Commands\n\n{about}\n\n{table(rows)}"}


def table(rows: list[tuple[str, str]]) -> str:
    """Two columns without heads."""
    return (
        "\n".join(["| | |", "|---|---|", *(f"| {one} | {other} |" for one, other in rows)]) + "\n"
    )


def helped(command: click.Command, parent: click.Context) -> str:
    """A command's help, and that of those below it."""
    context = click.Context(
        command, info_name=command.name, parent=parent, terminal_width=88, max_content_width=88
    )
    text = f"```text\n{command.get_help(context).rstrip()}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            text += f"\n## {context.command_path} {name}\n\n" + helped(below, context)
    return text


def module_pages() -> dict[str, str]:
    """The public names of each room, for mkdocstrings."""
    short = set(public(import_module("cliper")))
    told, rows = {}, []
    for name, about in PUBLIC.items():
        module = import_module(name)
        names = [n for n in public(module) if name == "cliper" or n not in short]
        blocks = "\n".join(f"::: {name}.{each}\n" for each in names)
        intro = f"::: {name}\n    options:\n      members: false\n      show_root_heading: false\n"
        told[f"reference/python/{name}.md"] = f"# {name}\n\n{intro}\n{blocks}"
        rows.append((f"[`{name}`](python/{name}.md)", about))
    return told | {"reference/python.md": f"# Python\n\n{table(rows)}"}


def public(module: ModuleType) -> list[str]:
    """What the module names in `__all__`, or defines itself."""
    own = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]
    return [name for name in getattr(module, "__all__", own) if not name.startswith("__")]


def placed(nav: Any, copy: Path) -> Any:
    """The navigation, with `*` replaced by the pages that match."""
    if isinstance(nav, dict):
        return {title: placed(below, copy) for title, below in nav.items()}
    if isinstance(nav, list):
        return [
            each
            for entry in nav
            for each in (
                matching(entry, copy)
                if isinstance(entry, str) and "*" in entry
                else [placed(entry, copy)]
            )
        ]
    return nav


def matching(pattern: str, copy: Path) -> list[dict[str, str]]:
    """The pages that match, by their own titles; a folder's first page is named for itself."""
    found = []
    for path in sorted(copy.glob(pattern), key=lambda path: path.stem):
        if path.name != "README.md":
            title = re.search(r"^# (.+)$", path.read_text("utf-8"), re.MULTILINE)
            shown = title[1].replace("`", "") if title else path.stem
            found.append({shown: str(path.relative_to(copy))})
    return found


def files_of(nav: Any) -> list[str]:
    """Every page that the navigation names."""
    if isinstance(nav, str):
        return [nav]
    entries = nav.values() if isinstance(nav, dict) else nav
    return [name for below in entries for name in files_of(below)]


if __name__ == "__main__":
    sys.exit(main())
