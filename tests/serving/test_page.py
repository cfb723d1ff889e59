"""The page at `/`, in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from chromium import Page, browsing, needs_chromium
from http_server import serving
from pictured_shop import pictured_shop

import cliper


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    folder = tmp_path_factory.mktemp("page")
    dataset = pictured_shop(folder / "dataset")
    quick = {"max_epochs": 2, "batch_size": 64}
    features = cliper.represent(dataset)
    for name in ("vbpr", "bpr"):
        given = features if name == "vbpr" else None
        cliper.fit(dataset, name, given, out=folder / name, training=quick)
    with serving(folder / "vbpr", folder / "log", folder / "bpr") as client:
        yield client


def test_it_asks_nothing_of_anywhere_else(client: httpx2.Client) -> None:
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    for path in ("/", "/page/page.js", "/page/style.css"):
        assert "://" not in client.get(path).text


def cards(page: Page, column: int) -> list[str]:
    found: list[str] = page.js(
        f"[...document.querySelectorAll('#columns > div:nth-child({column}) .card')]"
        ".map(c => c.dataset.item)"
    )
    return found


@needs_chromium
def test_the_page(client: httpx2.Client, tmp_path: Path) -> None:
    ready = "/recommended/.test(document.getElementById('said')?.textContent)"
    with browsing() as page:
        page.screen(1200, 900)
        page.call("Page.navigate", url=str(client.base_url))
        page.until(ready)
        asked = {"history": [], "k": 12}
        popular = client.post("/v1/recommendations", json=asked).json()["items"]
        assert cards(page, 1) == cards(page, 2) == [one["item_id"] for one in popular]

        # a history, by the keyboard alone
        first = popular[0]["item_id"]
        page.js(f"document.querySelector('[data-item={first}] .add').focus()")
        page.press("Enter")
        page.until(f"!document.querySelector('#columns [data-item={first}]') && {ready}")
        asked = {"history": [first], "k": 12}
        for column, prefix in ((1, ""), (2, "/other")):
            answer = client.post(f"{prefix}/v1/recommendations", json=asked).json()["items"]
            assert cards(page, column) == [one["item_id"] for one in answer]
        page.until("!!document.querySelector('#columns .why meter')")
        assert page.js("document.querySelector('#columns .why b').textContent") == "100 %"

        # a user, a filter, words
        page.js("document.getElementById('user').focus()")
        page.type("u1")
        page.press("Enter")
        page.until(f"/user u1/.test(document.getElementById('for').textContent) && {ready}")
        page.js("field.value = 'colour'; field.dispatchEvent(new Event('change'))")
        page.js("value.focus()")
        page.type("red")
        page.press("Enter")
        where = {"k": 12, "where": '{"colour": ["red"]}'}
        red = client.get("/v1/users/u1/recommendations", params=where).json()["items"]
        page.until(
            f"document.querySelectorAll('#columns > div:first-child .card').length == {len(red)}"
        )
        assert cards(page, 1) == [one["item_id"] for one in red]
        page.js("document.querySelector('#filters button').click()")
        page.js("words.focus()")
        page.type("a blue thing")
        page.press("Enter")
        page.until("document.querySelectorAll('#found .card .add[aria-label]').length == 8")

        page.until("[...document.images].every(i => i.hidden || i.complete)")
        broken = "[...document.images].filter(i => !i.hidden && !i.naturalWidth).length"
        assert page.js(broken) == 0
        assert page.nameless() == []
        for width, dark in ((1200, True), (390, False), (320, True)):
            page.screen(width, 844, dark)
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.js(wide) == 0
        assert page.js("getComputedStyle(document.body).backgroundColor") == "rgb(21, 20, 19)"
        wrong = [
            e for e in page.events if e["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")
        ]
        assert wrong == []
        asked_of = {
            e["params"]["request"]["url"]
            for e in page.events
            if e["method"] == "Network.requestWillBeSent"
        }
        assert all(url.startswith((str(client.base_url), "data:")) for url in asked_of)
