"""The report in a real Chromium: it asks for nothing, complains of nothing, and shows names as they are."""

import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

import chromium
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from answers import CLUSTER, HOSTILE, LAST_DAY, SETTINGS, edition, files, tables
from conftest import unpacked

from costlab.config.charging import Share
from costlab.domain.dates import month_of, week_of
from costlab.domain.sharing import ShareIdle
from costlab.domain.time import Day
from costlab.jobs.site import asked, render_cluster
from costlab.jobs.statement import Asked as StatementAsked
from costlab.jobs.statement import statement_of
from costlab.publish.pdf import printed
from costlab.render.html import page_html, statement_html
from costlab.render.names import named
from costlab.render.site import clusters_page
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
def hostile(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(scope="module")
def page(hostile: bool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    for name, content in files(hostile=hostile).items():
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


@pytest.mark.parametrize("kind", ["day", "week"])
def test_hostile_names_are_text_to_the_browser(tab: chromium.Tab, tmp_path: Path, kind: str) -> None:
    made = {
        "day": lambda: files(hostile=True)["index.html"],
        "week": lambda: edition("2026-W47", hostile=True)["html"],
    }
    (tmp_path / "index.html").write_bytes(made[kind]())
    tab.open(tmp_path / "index.html")
    assert tab.evaluate("document.querySelectorAll('script, img, iframe, [onerror], [onload]').length") == 0
    texts = set(
        json.loads(
            tab.evaluate("JSON.stringify([...document.querySelectorAll('bdi')].map(e => e.textContent))")
        )
    )
    shown = [name for name in HOSTILE if named(name) in texts]
    assert len(shown) >= 15, "the tables show the first ones"
    assert tab.evaluate("document.querySelectorAll('h1').length") == 1


@pytest.mark.parametrize("width", [360, 390, 768, 1280, 1920])
def test_the_page_never_scrolls_sideways(tab: chromium.Tab, page: Path, width: int) -> None:
    tab.emulate(width)
    tab.open(page)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_an_amount_of_billions_stays_in_its_tile(tab: chromium.Tab, page: Path) -> None:
    for width in (360, 700, 1280):
        tab.emulate(width)
        tab.open(page)
        lines = tab.evaluate(
            "[...document.querySelectorAll('.value')].map(value => { value.className = 'value long';"
            " value.textContent = '4,105,824,192'; const across = document.createRange();"
            " across.selectNodeContents(value); return across.getClientRects().length; })"
        )
        assert set(lines) == {1}, width
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


@pytest.fixture(scope="module")
def beside(hostile: bool, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The first page of each kind that lies around the reports."""
    warehouse = Warehouse.over_tables(tables(hostile=hostile))
    answers = asked(warehouse, CLUSTER, Day(LAST_DAY), [LAST_DAY])
    editions = [week_of(LAST_DAY), month_of(LAST_DAY).before]
    pages = render_cluster(warehouse, SETTINGS, CLUSTER, answers, [LAST_DAY], editions)
    pages["clusters.html"] = page_html(
        clusters_page([(CLUSTER, answers["daily_costs"][-1]), ("another", None)])
    )
    pages["week.html"] = edition("2026-W47", hostile=hostile)["html"]
    pages["month.html"] = edition("2026-10")["html"]
    folder, found = tmp_path_factory.mktemp("site"), {}
    for kind in ("clusters", "index", "team", "workload", "week", "month"):
        name = next(name for name in sorted(pages) if name.startswith(kind) and name.endswith(".html"))
        found[kind] = folder / name
        found[kind].parent.mkdir(exist_ok=True)
        found[kind].write_bytes(pages[name])
    return found


def test_the_pages_around_the_reports_ask_for_nothing_and_never_scroll_sideways(
    tab: chromium.Tab, beside: dict[str, Path]
) -> None:
    for name, page in beside.items():
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


def test_axe_finds_nothing_on_any_page(tab: chromium.Tab, page: Path, beside: dict[str, Path]) -> None:
    if not os.environ.get("COSTLAB_AXE"):
        pytest.skip("no axe-core: scripts/axe-core fetches it with npm")
    axe = Path(os.environ["COSTLAB_AXE"]).read_text()
    run = (
        "axe.run(document, {resultTypes: ['violations']}).then(found => JSON.stringify(found.violations.flatMap("
        "rule => rule.nodes.map(node => rule.id + ' ' + node.target.join(' ')))))"
    )
    for looked_at in (page, *beside.values()):
        for width, scheme in ((1280, "light"), (390, "dark")):
            tab.emulate(width, scheme=scheme)
            tab.open(looked_at)
            tab.evaluate("document.querySelectorAll('details').forEach(folded => { folded.open = true; })")
            tab.evaluate(axe)
            assert json.loads(tab.evaluate(run)) == [], f"{looked_at.name}, {width} pixels, {scheme}"


SHOWN = "JSON.stringify([...document.querySelectorAll('[aria-labelledby=workloads] tbody tr:not([hidden], .rest)')].map(row => {}))"
NAME = "row.cells[0].querySelector('bdi').textContent"
HEAD = "document.querySelectorAll('[aria-labelledby=workloads] thead button')"


def amount(text: str) -> float:
    """A printed amount, by other means than the page's."""
    if not any(character.isdigit() for character in text):
        return -math.inf
    digits = "".join(character for character in text if character in "0123456789.")
    return float(digits) * (0.5 if "<" in text else 1) * (-1 if "\N{MINUS SIGN}" in text else 1)


def test_a_table_is_sorted_by_its_heads_and_comes_back(tab: chromium.Tab, beside: dict[str, Path]) -> None:
    tab.open(beside["index"])
    as_written = json.loads(tab.evaluate(SHOWN.format(NAME)))
    titles = json.loads(tab.evaluate(f"JSON.stringify([...{HEAD}].map(head => head.firstChild.textContent))"))
    place = titles.index("Cost")
    column = f"row.cells[{tab.evaluate(f'{HEAD}[{place}].parentElement.cellIndex')}].querySelector('bdi').textContent"
    tab.evaluate(f"{HEAD}[{place}].focus()")
    for sort in ("descending", "ascending"):
        tab.press("Enter")
        assert tab.evaluate(f"{HEAD}[{place}].parentElement.getAttribute('aria-sort')") == sort
        amounts = [amount(text) for text in json.loads(tab.evaluate(SHOWN.format(column)))]
        known = [number for number in amounts if number > -math.inf]
        assert amounts[: len(known)] == sorted(known, reverse=sort == "descending"), (
            "what is not known is last"
        )
        assert len(set(known)) > 3
    tab.press("Enter")
    assert json.loads(tab.evaluate(SHOWN.format(NAME))) == as_written
    tab.evaluate(f"{HEAD}[0].click()")
    names = json.loads(tab.evaluate(SHOWN.format(NAME)))
    assert sorted(names) == sorted(as_written)
    assert names != as_written
    assert [event for event in tab.events if event[0] in LOUD] == []


def test_a_filter_leaves_the_rows_that_have_all_of_its_words(
    tab: chromium.Tab, beside: dict[str, Path]
) -> None:
    tab.open(beside["index"])
    rows = json.loads(tab.evaluate(SHOWN.format("row.textContent")))
    word = json.loads(tab.evaluate(SHOWN.format(NAME)))[0].split()[0]
    box = "document.querySelector('[aria-labelledby=workloads] .filter input')"
    tab.evaluate(f"{box}.focus()")
    for character in word:
        tab.press(character)
    left = json.loads(tab.evaluate(SHOWN.format("row.textContent")))
    assert left == [row for row in rows if word.lower() in row.lower()]
    assert 0 < len(left) < len(rows)
    assert (
        tab.evaluate(f"{box}.closest('.filter').querySelector('output').textContent")
        == f"{len(left)} of {len(rows)}"
    )


def test_without_script_nothing_is_missing_and_nothing_is_dead(
    tab: chromium.Tab, beside: dict[str, Path]
) -> None:
    tab.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(beside["index"])
        assert tab.evaluate("document.querySelectorAll('button, input').length") == 0
        assert tab.evaluate("document.querySelectorAll('#tables tbody tr').length") > 10
    finally:
        tab.send("Emulation.setScriptExecutionDisabled", value=False)
    tab.open(beside["index"])
    assert tab.evaluate("document.querySelectorAll('button, input').length") > 5


def test_a_statement_is_one_page_of_a4_whatever_the_names(tab: chromium.Tab, tmp_path: Path) -> None:
    browser = unpacked(chromium.program)
    made = tables(hostile=True)
    charges = made["charges"]
    place = charges.column_names.index("team")
    one = pa.array(["everyone"] * charges.num_rows, charges.schema.field(place).type)
    every = {**made, "charges": charges.set_column(place, charges.schema.field(place), one)}
    for warehouse, team in (
        (Warehouse.over_tables(every), "everyone"),  # more workloads than are shown, of the longest names
        (Warehouse.over_tables(made), max(HOSTILE, key=len)),
    ):
        asked = StatementAsked(month_of(LAST_DAY), ShareIdle.COST)
        page = statement_html(statement_of(warehouse, SETTINGS, team, asked, LAST_DAY).page)
        paper = printed(page, browser)
        assert len(re.findall(rb"/Type /Page\b", paper)) == 1, team[:40]
        assert re.findall(rb"/MediaBox \[0 0 59[45][.0-9]* 84[12]", paper)
        (tmp_path / "statement.html").write_bytes(page)
        for width in (360, 1280):
            tab.emulate(width)
            tab.open(tmp_path / "statement.html")
            assert [event for event in tab.events if event[0] in LOUD] == []
            assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_a_printed_statement_cuts_no_number_and_no_note(tab: chromium.Tab, tmp_path: Path) -> None:
    charges = tables()["charges"]
    for name, times in (("billed_quantity", 100), ("cost", 1300), ("cost_used", 1300), ("cost_unused", 1300)):
        place, column = charges.column_names.index(name), charges[name]
        larger = pc.multiply(column, pa.scalar(times, pa.int32())).cast(column.type)
        charges = charges.set_column(place, charges.schema.field(place), larger)
    large = {**tables(), "charges": charges}
    share = SETTINGS.billing.model_copy(update={"share": Share(teams=("platform",), fees=True)})
    settings = SETTINGS.model_copy(update={"billing": share})
    asked = StatementAsked(month_of(LAST_DAY), ShareIdle.COST)
    (tmp_path / "statement.html").write_bytes(
        statement_html(statement_of(Warehouse.over_tables(large), settings, "platform", asked, LAST_DAY).page)
    )
    tab.emulate(688, media="print")  # A4 within its margins
    tab.open(tmp_path / "statement.html")
    cut = tab.evaluate(
        "[...document.querySelectorAll('.number, .rest th')].filter(cell => cell.scrollWidth > cell.clientWidth"
        " && getComputedStyle(cell).overflow === 'hidden').map(cell => cell.textContent)"
    )
    assert cut == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= 688
