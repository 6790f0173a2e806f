"""The pages around the reports: whole, linked without a dead end, right after every change, and nobody else's."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import cast
from urllib.parse import unquote

import pytest
from answers import BUDGETS, CLUSTER, HOSTILE, LAST_DAY, tables
from hypothesis import given
from hypothesis import strategies as st

from costlab.config.charging import Prices
from costlab.config.settings import Settings
from costlab.domain.dates import month_of, week_of
from costlab.domain.time import Day, days_between
from costlab.jobs.report import clear_reports
from costlab.jobs.site import write_reports, write_site
from costlab.render import addresses
from costlab.store.lake import DayState, Lake
from costlab.store.warehouse import Warehouse

SETTINGS = Settings.model_construct(prices=Prices(), budgets=BUDGETS)
Write = Callable[..., Path]


class Held:
    """What the pages ask of a lake: its days."""

    timezone = "UTC"

    def states(self) -> dict[tuple[str, date], DayState]:
        days = days_between(Day(date(2026, 10, 1)), Day(LAST_DAY))
        return {(CLUSTER, day.date): DayState.COMPLETE for day in days if day.date != date(2026, 11, 4)}


LAKE = cast("Lake", Held())


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Reports of the last days, and the pages around them."""

    def written(days: int = 2, *, editions: int = 0, hostile: bool = False) -> Path:
        warehouse = Warehouse.over_tables(tables(hostile=hostile))
        monkeypatch.setattr(Warehouse, "over", lambda _: warehouse)
        whole = [(CLUSTER, Day(LAST_DAY - timedelta(days=ago))) for ago in range(days)]
        periods = [(CLUSTER, week_of(LAST_DAY)), (CLUSTER, month_of(LAST_DAY).before)][:editions]
        list(write_reports(LAKE, SETTINGS, whole, tmp_path / "out", periods))
        return tmp_path / "out"

    return written


class Page(HTMLParser):
    def __init__(self, file: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(file.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def values(self, name: str) -> list[str]:
        return [value for _, attributes in self.elements if (value := attributes.get(name))]


def content(out: Path) -> dict[str, bytes]:
    return {str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*") if file.is_file()}


@pytest.mark.parametrize("hostile", [False, True], ids=["ordinary", "hostile"])
def test_no_link_leads_nowhere_or_out_of_the_folder(write: Write, hostile: bool) -> None:
    out = write(1 if hostile else 2, editions=1 if hostile else 2, hostile=hostile)
    pages = {file: Page(file) for file in out.rglob("*.html")}
    assert {file.parent.name for file in pages} >= {"out", CLUSTER, "latest", "team", "workload"}
    for file, page in pages.items():
        tags = [tag for tag, _ in page.elements]
        assert {"header", "main", "footer", "h1", "nav"} <= set(tags)
        assert not set(tags) & {"img", "iframe", "object", "embed", "base", "form"}
        paper = (file.parent / "report.json").exists() or file.parent.name in ("week", "month")
        assert tags.count("script") == (0 if paper else 1)  # a report has none, and an edition neither
        assert tags.count("caption") == tags.count("table")
        assert len(file.read_bytes()) < 300_000
        for address in page.values("href"):
            if address.startswith(("#", "data:,")):
                continue
            path, _, anchor = address.partition("#")
            target = (file.parent / unquote(path)).resolve()
            assert target.is_relative_to(out.resolve())
            assert target.is_file(), f"{file}: {address}"
            if anchor and not anchor.startswith("20"):
                assert anchor in pages[target].values("id")
    assert "week/2026-W47.html" in pages[out / CLUSTER / "index.html"].values("href")
    shown = set(pages[out / CLUSTER / "index.html"].values("id"))
    assert str(LAST_DAY) in shown
    assert hostile or {str(LAST_DAY - timedelta(days=ago)) for ago in range(30)} <= shown


def test_each_page_has_its_json_whose_money_is_exact(write: Write) -> None:
    out = write()
    for file in out.rglob("*.html"):
        told = file.with_name("report.json") if file.parent.name.startswith(("20", "latest")) else None
        answer = json.loads((told or file.with_suffix(".json")).read_bytes())
        assert list(answer)[:4] == ["schema", "window", "currency", "quality"]
    index = json.loads((out / CLUSTER / "index.json").read_bytes())
    report = json.loads((out / CLUSTER / "latest" / "report.json").read_bytes())
    assert index["rows"][-1]["total_cost"] == report["answers"]["headline"][0]["total_cost"]
    assert sum(Decimal(row["total_cost"]) for row in index["teams"]) == sum(
        Decimal(row["total_cost"]) for row in report["answers"]["workloads"]
    )
    for row in index["teams"]:
        team = json.loads((out / CLUSTER / row["page"]).with_suffix(".json").read_bytes())
        assert sum(Decimal(each["total_cost"]) for each in team["workloads"]) == Decimal(row["total_cost"])
        assert team["rows"][-1]["total_cost"] == row["total_cost"]


def test_a_second_run_changes_no_byte_and_an_old_page_is_never_written_again(write: Write) -> None:
    out = write(1)
    before, at = content(out), (out / CLUSTER / str(LAST_DAY) / "index.html").stat().st_mtime_ns
    write(1)
    assert content(out) == before
    write(2)
    assert (out / CLUSTER / str(LAST_DAY) / "index.html").stat().st_mtime_ns == at
    assert content(out)[f"{CLUSTER}/index.html"] != before[f"{CLUSTER}/index.html"]


def test_what_is_no_more_is_led_to_no_more(write: Write) -> None:
    out = write(2)
    home = out / CLUSTER
    mine, gone = home / "team" / "notes.txt", home / "team" / "left-last-year.html"
    mine.write_text("kept")
    gone.write_text("old")
    assert clear_reports(out, CLUSTER, LAST_DAY) == [str(LAST_DAY - timedelta(days=1))]
    write_site(LAKE, SETTINGS, out)
    days = [a for a in Page(home / "index.html").values("href") if a.startswith("20")]
    assert days == [f"{LAST_DAY}/index.html"]
    assert (mine.is_file(), gone.exists()) == (True, False)


def test_a_folder_without_reports_gets_no_pages(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    assert write_site(LAKE, SETTINGS, tmp_path) == []
    assert write_site(LAKE, SETTINGS, tmp_path / "nowhere") == []
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


names = st.text(max_size=12) | st.sampled_from(
    [*HOSTILE, "a", "A", "a.b", "a-b", "..", "con", "Job", "CronJob"]
)


@given(st.lists(st.tuples(names, names, names), unique=True, max_size=8), st.sets(names))
def test_addresses_are_told_apart_whatever_the_case_and_lead_out_of_no_folder(
    keys: list[tuple[str, str, str]], teams: set[str]
) -> None:
    for found in ([addresses.workload(*key) for key in keys], [addresses.team(team) for team in teams]):
        assert len({address.lower() for address in found}) == len(found)
        assert all(addresses.ADDRESS.fullmatch(address) and ".." not in address for address in found)
        assert all(address.isascii() and len(address) <= 120 for address in found)
