"""The report in a real Chromium: it asks for nothing, complains of nothing, and shows names as they are."""

import json
from collections.abc import Iterator
from pathlib import Path

import chromium
import pytest
from answers import CLUSTER, HOSTILE, LAST_DAY, SETTINGS, files, tables
from conftest import unpacked

from costlab.domain.time import Day
from costlab.jobs.site import asked, render_cluster
from costlab.render.names import named
from costlab.store.warehouse import Warehouse

pytestmark = pytest.mark.browser

LOUD = {
    "Log.entryAdded",
    "Runtime.consoleAPICalled",
    "Runtime.exceptionThrown",
    "Page.javascriptDialogOpening",
}


@pytest.fixture(scope="module")
def tab() -> Iterator[chromium.Tab]:
    with chromium.tab(unpacked(chromium.program)) as opened:
        yield opened


@pytest.fixture(params=[False, True], ids=["ordinary", "hostile"], scope="module")
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    for name, content in files(hostile=request.param).items():
        (folder / name).write_bytes(content)
    return folder / "index.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_asks_for_nothing_and_complains_of_nothing(tab: chromium.Tab, page: Path, scheme: str) -> None:
    tab.emulate(scheme=scheme)
    tab.open(page)
    asked = {event["request"]["url"] for method, event in tab.events if method == "Network.requestWillBeSent"}
    assert asked <= {page.as_uri(), "data:,"}
    assert page.as_uri() in asked
    assert [event for event in tab.events if event[0] in LOUD] == []


def test_the_policy_lets_no_script_run(tab: chromium.Tab, page: Path, tmp_path: Path) -> None:
    attack = b"<script>document.title='run'</script><img src='http://127.0.0.1:9/x' onerror=\"document.title='run'\">"
    (tmp_path / "attacked.html").write_bytes(page.read_bytes().replace(b"</main>", attack + b"</main>"))
    tab.open(tmp_path / "attacked.html")
    assert tab.evaluate("document.title") != "run"
    assert any(method == "Log.entryAdded" for method, _ in tab.events), "the browser says what it has refused"


def test_hostile_names_are_text_to_the_browser(tab: chromium.Tab, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_bytes(files(hostile=True)["index.html"])
    tab.open(tmp_path / "index.html")
    assert tab.evaluate("document.querySelectorAll('script, img, iframe, [onerror], [onload]').length") == 0
    texts = set(
        json.loads(
            tab.evaluate("JSON.stringify([...document.querySelectorAll('bdi')].map(e => e.textContent))")
        )
    )
    shown = [name for name in HOSTILE if named(name) in texts]
    assert len(shown) >= 20, "the tables show the first ones"
    assert tab.evaluate("document.querySelectorAll('h1').length") == 1


@pytest.mark.parametrize("width", [360, 390, 768, 1280, 1920])
def test_the_page_never_scrolls_sideways(tab: chromium.Tab, page: Path, width: int) -> None:
    tab.emulate(width)
    tab.open(page)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_a_phone_shows_the_whole_reconciliation_and_names_of_one_line(tab: chromium.Tab, page: Path) -> None:
    tab.emulate(390)
    tab.open(page)
    table = "document.querySelector('[aria-labelledby=reconciliation] .scroll')"
    assert tab.evaluate(f"{table}.scrollWidth - {table}.clientWidth") == 0
    uuids = "[...document.querySelectorAll('[aria-labelledby=idle-gpus] tbody .note')]"
    heights = (
        f"{uuids}.filter(e => e.textContent.startsWith('GPU-')).map(e => e.getBoundingClientRect().height)"
    )
    assert max(tab.evaluate(heights), default=0) == 0
    tab.emulate(1280)
    tab.open(page)
    assert min(tab.evaluate(heights), default=1) > 0


def test_one_drawing_serves_light_and_dark(tab: chromium.Tab, page: Path) -> None:
    colours = []
    for scheme in ("light", "dark"):
        tab.emulate(scheme=scheme)
        tab.open(page)
        colours.append(
            tab.evaluate(
                "[document.body, ...document.querySelectorAll('.chart.wide path[fill^=var]')].slice(0, 2)"
                ".map(e => getComputedStyle(e).backgroundColor + getComputedStyle(e).fill).join()"
            )
        )
    assert colours[0] != colours[1]
    assert "none" not in colours[0]


def test_a_phone_gets_charts_drawn_for_it(tab: chromium.Tab, page: Path) -> None:
    shown = "[...document.querySelectorAll('.chart')].filter(e => e.getBoundingClientRect().width).map(e => e.classList[1])"
    for width, drawing in ((390, "narrow"), (1280, "wide")):
        tab.emulate(width)
        tab.open(page)
        assert tab.evaluate(shown) == [drawing, drawing]
        smallest = "Math.min(...[...document.querySelectorAll('.chart text')].map(e => e.getBoundingClientRect().height).filter(h => h))"
        assert tab.evaluate(smallest) >= 8, "text in the charts can be read"


def test_it_prints_in_few_light_pages(tab: chromium.Tab, page: Path) -> None:
    tab.emulate(scheme="dark", media="print")
    tab.open(page)
    assert tab.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert tab.evaluate("document.documentElement.scrollWidth") <= 1280


@pytest.mark.parametrize("hostile", [False, True], ids=["ordinary", "hostile"])
def test_the_pages_around_the_reports_ask_for_nothing_and_never_scroll_sideways(
    tab: chromium.Tab, tmp_path: Path, hostile: bool
) -> None:
    warehouse = Warehouse.over_tables(tables(hostile=hostile))
    answers = asked(warehouse, CLUSTER, Day(LAST_DAY), [LAST_DAY])
    pages = render_cluster(warehouse, SETTINGS, CLUSTER, answers, [LAST_DAY])
    kinds = [
        [name for name in sorted(pages) if name.startswith(kind)] for kind in ("index", "team", "workload")
    ]
    for name in (next(name for name in each if name.endswith(".html")) for each in kinds):
        page = tmp_path / name
        page.parent.mkdir(exist_ok=True)
        page.write_bytes(pages[name])
        for width in (360, 768, 1280):
            tab.emulate(width)
            tab.open(page)
            wanted = {
                event["request"]["url"]
                for method, event in tab.events
                if method == "Network.requestWillBeSent"
            }
            assert wanted <= {page.as_uri(), "data:,"}
            assert [event for event in tab.events if event[0] in LOUD] == []
            assert tab.evaluate("document.documentElement.scrollWidth") <= width, f"{name} at {width}"
