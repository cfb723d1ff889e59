"""The documentation site: every page has its place, and what is built holds together by itself."""

import importlib.util
import re
import runpy
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
BUILDER = runpy.run_path(str(ROOT / "docs" / "build.py"))


def test_every_page_has_a_place_in_the_navigation() -> None:
    nav = BUILDER["files_of"](yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"])
    patterns = [Path(name) for name in nav]
    for page in BUILDER["pages"]():
        name = page.relative_to(ROOT)
        assert any(name.match(str(pattern)) for pattern in patterns), f"{name}: not in mkdocs.yml"


def test_lists_and_tables_stand_apart() -> None:
    """An empty line above them; without it Python-Markdown reads on, unlike other Markdown."""
    block = r"(- |\d+\. |\|)"
    for page in BUILDER["pages"]():
        text = re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.M | re.S)
        before = ""
        for line in text.splitlines():
            starts = re.match(block, line) and not re.match(rf" *{block}|  ", before)
            assert not (starts and before.strip()), (page.relative_to(ROOT), line)
            before = line


def test_links_of_a_copied_page(tmp_path: Path) -> None:
    BUILDER["stage"](ROOT / "docs" / "architecture.md", tmp_path)
    text = (tmp_path / "docs" / "architecture.md").read_text("utf-8")
    assert "[`cli/train.py`](../src/cliper/cli/train.py.md)" in text
    assert "[add a backbone](add-a-backbone.md)" in text
    assert "(../src/cliper/backbones)" not in text  # a folder
    source = (tmp_path / "src" / "cliper" / "cli" / "train.py.md").read_text("utf-8")
    assert (ROOT / "src" / "cliper" / "cli" / "train.py").read_text("utf-8").rstrip() in source


class Links(HTMLParser):
    """What a page names, links to and loads."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.names.add(said.get("id") or "")
        if tag == "a" and said.get("href"):
            self.links.append(said["href"] or "")
        if tag in ("script", "img", "link", "iframe", "source"):
            self.loads.append(said.get("src") or said.get("href") or "")


@pytest.mark.skipif(
    importlib.util.find_spec("zensical") is None, reason="the site needs the extra cliper[docs]"
)
def test_site_builds_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    site = tmp_path / "site"
    (tmp_path / "work").mkdir()
    assert BUILDER["main"](tmp_path / "work", site) == 0
    pages = {page: Links(page) for page in site.rglob("*.html") if page.name != "404.html"}
    assert len(pages) > 200
    for page, said in pages.items():
        for address in [*said.links, *said.loads]:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                # Other hosts are linked to and never loaded from.
                assert address not in said.loads or parts.scheme == "data", (page, address)
                continue
            there = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            assert there.exists(), (page.relative_to(site), address)
            if parts.fragment and there in pages and not parts.fragment.startswith("__"):
                assert unquote(parts.fragment) in pages[there].names, (page, address)
    api = (site / "reference" / "python" / "cliper.html").read_text("utf-8")
    for name in ("Dataset", "represent", "fit", "Run"):
        assert f'id="cliper.{name}"' in api
    assert not re.search(r"<blockquote>\s*<blockquote>", api), "a doctest read as a quotation"
    search = (site / "search.json").read_text("utf-8")
    assert "temperature" in search and "importlib.util" not in search
