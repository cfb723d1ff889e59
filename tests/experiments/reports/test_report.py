"""The report: self-contained, escaped, bounded, and whole in a real browser."""

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cliper.experiments.drawing.figures import Bar, Curve, comparison_bars
from cliper.experiments.reports.page.model import (
    HIT,
    NEVER_BOUGHT,
    Cell,
    CommandsSection,
    CurvesSection,
    DatasetSection,
    Graphic,
    ItemsSection,
    MethodSection,
    Report,
    ReportItem,
    Row,
    Section,
    Table,
    TablesSection,
    UserPanel,
    UsersSection,
    View,
    ViewPanel,
)
from cliper.experiments.reports.page.render import render

from ..browser import look, needs_browser

HOSTILE = "<script>alert(1)</script>\"'><img src=https://evil.example/x onerror=boom()> & $x_$"
VOID = {"meta", "link", "img", "br", "hr", "input"}
FOREIGN = {"path", "rect", "circle", "use"}


class Page(HTMLParser):
    """Collects elements, and complains about tags that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}))
        if tag not in VOID | FOREIGN or tag in FOREIGN:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str, css: str | None = None) -> list[dict[str, str]]:
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and (css is None or css in attributes.get("class", "").split())
        ]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    paths = []
    for index in range(8):
        small = rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)
        path = folder / f"{index}.jpg"
        Image.fromarray(small).resize((224, 224)).save(path)
        paths.append(path)
    return paths


def build(pictures: list[Path], title: str = "A quiet vase", users: int = 6) -> Report:
    def item(index: int, *badges: str) -> ReportItem:
        path = None if index % 8 == 7 else pictures[index % 8]
        return ReportItem(f"{title} {index}", path, badges)

    users_shown = tuple(
        UserPanel(
            f"{title}-{u}",
            tuple(item(u + i) for i in range(8)),
            {
                "Vanilla": tuple(item(u + i, NEVER_BOUGHT) for i in range(5)),
                "CLIPER": (item(u, HIT), item(u + 1, HIT, NEVER_BOUGHT), item(u + 2, title)),
            },
        )
        for u in range(users)
    )
    views = (
        View("title", f"The product title is {title}", 0.7, 0.31),
        View("brand", None, None),
        View("description", title, 0.3, -0.02),
    )
    panels = tuple(ViewPanel(item(i), views, title) for i in range(6))
    chips = (("+20.0 %", "good"), ("p < 0.001 (users)", "plain"), ("p = 0.030 (seeds)", "plain"))
    rows = (
        Row(f"{title} · vanilla", (Cell("10.00", "± 1.00"), Cell("–")), True),
        Row(f"{title} · CLIPER", (Cell("12.00", "± 1.00", chips, "best"), Cell("5.00"))),
    )
    columns = ("Recall@20", "NDCG@10")
    table = Table(columns, rows, "", title, f"{title}; mask train+valid")
    curve = Curve(title, (1, 2, 3), (0.7, 0.5, 0.4), (0.1, 0.2, 0.15), 2)
    bars = comparison_bars({title: [Bar("vanilla", 0.1, 0.01), Bar("CLIPER", 0.2, 0.01)]}, title)
    sections: tuple[Section, ...] = (
        MethodSection("How it works", title, panels[0], title),
        DatasetSection("The data", "", ((title, "600"),), ((title, 12345),)),
        TablesSection("Does it help?", title, (table,), (Graphic(bars, title),)),
        CurvesSection("Training", "", (curve,)),
        UsersSection("Six users", "", users_shown),
        ItemsSection("Six items", "", panels),
        CommandsSection("Again", "", (f"cliper compare '{title}'",), {title: title}),
        Section(title, title),
    )
    return Report(title, title, sections, ((title, title, title),), title)


def assert_nothing_outside(page: Page, text: str) -> None:
    for tag, attributes in page.elements:
        assert tag != "script"
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
            value = attributes.get(name, "")
            assert value.startswith(("data:", "#")) or value == "", (tag, name, value)
        assert not re.search(r"url\((?!#)", attributes.get("style", ""))
    styles = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert len(styles) == 1
    assert "url(" not in styles[0]
    assert "@import" not in styles[0]
    assert "@font-face" not in styles[0]


def test_page_is_whole_and_alone(pictures: list[Path]) -> None:
    text = render(build(pictures))
    page = Page(text)
    assert text.startswith("<!doctype html>")
    assert_nothing_outside(page, text)
    assert len(page.all("article", "user")) == 6
    assert len(page.all("article", "panel")) == 6
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    anchors = [a["href"] for a in page.all("a")]
    assert [f"s{i}" for i in range(1, 9)] == [a.removeprefix("#") for a in anchors]
    assert {a.removeprefix("#") for a in anchors} <= set(ids)
    assert any("prefers-color-scheme: dark" in part for part in page.text)
    assert any(a.get("name") == "viewport" for a in page.all("meta"))


def test_hostile_text_is_only_text(pictures: list[Path]) -> None:
    text = render(build(pictures, HOSTILE))
    page = Page(text)
    assert_nothing_outside(page, text)
    assert "<script" not in text
    titles = [a["alt"] for a in page.all("img")]
    assert any(alt.startswith(HOSTILE) for alt in titles)
    assert HOSTILE in "".join(page.text)
    assert all(set(a) <= {"src", "alt"} for a in page.all("img"))


def test_controls_and_endless_text_are_tamed(pictures: list[Path]) -> None:
    title = "a\x00b\u202ec\ud800d" + "x" * 1_000_000
    text = render(build(pictures, title))
    text.encode("utf-8")
    assert "\x00" not in text
    assert "\u202e" not in text
    assert len(text) < 1_500_000


def test_pictures_and_placeholders(pictures: list[Path]) -> None:
    page = Page(render(build(pictures)))
    shown = page.all("img")
    for attributes in shown:
        kind, _, code = attributes["src"].partition(",")
        assert kind == "data:image/jpeg;base64"
        with Image.open(io.BytesIO(base64.b64decode(code))) as picture:
            picture.load()
            assert max(picture.size) <= 224
    # Per user 8 + 5 + 3 items and per panel one, each either a picture or a placeholder, and the
    # method's example on top.
    assert len(shown) + len(page.all("div", "blank")) == 6 * 16 + 6 + 1
    assert page.all("div", "blank")
    assert len(page.all("li", "is-hit")) == 6 * 2
    counted = " ".join("".join(page.text).split())
    assert f"2 of 3 {HIT}" in counted
    assert f"0 of 5 {HIT}" in counted


@pytest.mark.parametrize("content", [b"", b"not a picture", None])
def test_broken_pictures_become_placeholders_and_are_counted(
    tmp_path: Path, pictures: list[Path], content: bytes | None
) -> None:
    broken = tmp_path / "broken.jpg"
    whole = pictures[0].read_bytes()
    broken.write_bytes(whole[: len(whole) // 3] if content is None else content)
    gone = tmp_path / "gone.jpg"
    items = (ReportItem("one", broken), ReportItem("two", gone), ReportItem("three", pictures[0]))
    section = UsersSection("u", "", (UserPanel("u", items, {}),))
    page = Page(render(Report("t", "l", (section,))))
    assert len(page.all("img")) == 1
    assert len(page.all("div", "blank")) == 2
    assert "2 pictures could not be read." in "".join(page.text)


def test_size_is_bounded(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    items = []
    for index in range(40):
        path = tmp_path / f"{index}.png"
        Image.fromarray(rng.integers(0, 255, (300, 300, 3), dtype=np.uint8)).save(path)
        items.append(ReportItem(f"noise {index}", path))
    panel = UserPanel("u", tuple(items), {"a": tuple(items), "b": tuple(items[::-1])})
    report = Report("t", "l", (UsersSection("u", "", (panel,) * 6),))
    path = tmp_path / "report.html"
    path.write_text(render(report), "utf-8")
    assert path.stat().st_size < 4_000_000
    assert len(Page(path.read_text("utf-8")).all("img")) == 6 * 120
    few = Page(render(report, image_budget=30_000))
    assert 0 < len(few.all("img")) < 6 * 120
    assert sum(len(a["src"]) for a in few.all("img")) <= 30_000
    assert "left out to keep this file small" in "".join(few.text)


def test_same_report_same_bytes(pictures: list[Path]) -> None:
    assert render(build(pictures)) == render(build(pictures))


def test_empty_sections_render() -> None:
    kinds = (MethodSection, DatasetSection, TablesSection, CurvesSection, UsersSection)
    sections = tuple(kind("heading") for kind in (*kinds, ItemsSection, CommandsSection, Section))
    Page(render(Report("t", "l", sections)))


@needs_browser
@pytest.mark.parametrize(
    ("width", "title"),
    [(500, "A quiet vase"), (1280, HOSTILE), (1280, "w" * 300)],
    ids=["phone", "hostile", "unbreakable"],
)
def test_a_browser_finds_nothing_wrong(
    tmp_path: Path, pictures: list[Path], width: int, title: str
) -> None:
    told = look(render(build(pictures, title)), tmp_path, width)
    assert told["pictures"] > 50
    assert told["broken"] == 0
    assert told["seen"] == []
    assert told["requests"] == []
    assert told["wide"] <= 0, "the page scrolls sideways"


@needs_browser
def test_the_browser_would_have_noticed(tmp_path: Path, pictures: list[Path]) -> None:
    """Each fault that the test above looks for, put in on purpose."""
    svg = (
        '<img src="data:image/jpeg;base64,AAAA" alt=""><img src="https://example.org/x.png" alt="">'
        '<script>nowhere()</script><div style="width: 4000px">wide</div>'
    )
    section = TablesSection("t", "", (), (Graphic(svg),))
    report = replace(build(pictures), sections=(section,))
    told = look(render(report), tmp_path, 1280)
    assert told["broken"] == 2
    assert told["wide"] > 0
    assert any("nowhere" in line for line in told["seen"])
    assert any(line.startswith("request: https://example.org") for line in told["seen"])
