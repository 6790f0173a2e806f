import re
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from answers import BUDGETS, CLUSTER, HOSTILE, LAST_DAY, answers, files, tables
from hypothesis import given
from hypothesis import strategies as st

from costlab.config.advising import Forecasting
from costlab.domain.time import Day
from costlab.jobs.ahead import ahead
from costlab.render import evidence, figures, quota_headroom
from costlab.render.cells import parts_of
from costlab.render.context import Part, Report, Section, Spark
from costlab.render.html import report_html
from costlab.render.names import named
from costlab.render.page import build
from costlab.render.text import report_markdown
from costlab.store.warehouse import Warehouse


class Page(HTMLParser):
    """The texts and elements of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def rows() -> dict[str, list[dict[str, Any]]]:
    return answers()


@pytest.fixture(scope="module")
def report(rows: dict[str, list[dict[str, Any]]]) -> Report:
    return build(rows, "USD")


def section(report: Report, key: str) -> Section:
    return next(each for each in report.sections if each.key == key)


def number(text: str) -> Decimal:
    return Decimal(text.replace(",", "").replace("−", "-").replace("<1", "0"))


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("teams", 1),
        ("teams", 2),
        ("workloads", 2),
        ("changes", 5),
        ("changes", 6),
        ("unused", 5),
        ("gpus", 4),
    ],
)
def test_printed_rows_add_up_to_the_printed_total(report: Report, key: str, place: int) -> None:
    table = section(report, key).table
    parts = [number(row[place].text) for row in (*table.rows, *table.rest)]
    assert sum(parts) == number(table.total[place].text)


def test_the_reconciliation_adds_up_both_ways(report: Report) -> None:
    table = section(report, "reconciliation").table
    cells = [[number(cell.text) for cell in row[1:]] for row in table.rows]
    nodes = [number(cell.text) for cell in table.total[1:]]
    assert len(cells) == len(Part)
    assert [sum(column) for column in zip(*cells, strict=True)] == nodes
    of_nodes, (*none, beside) = cells[:-1], cells[-1]
    assert all(sum(line[:-1]) == line[-1] for line in of_nodes)
    assert none == [0] * len(none)
    assert sum(nodes[:-1]) + beside == nodes[-1]


CENT = figures.CENT
some = st.integers(10_000, 10**10)


def resources(micros: st.SearchStrategy[int]) -> st.SearchStrategy[list[list[int]]]:
    """Each part of one to three resources."""
    return st.lists(st.lists(micros, min_size=len(Part), max_size=len(Part)), min_size=1, max_size=3)


def added_up(amounts: list[list[int]]) -> tuple[list[list[Decimal]], list[list[Decimal]]]:
    """The printed lines, each with its total last, and the exact ones; the columns give what is printed below them."""
    columns = [[Decimal(micro).scaleb(-6) for micro in column] for column in amounts]
    rows: list[dict[str, Any]] = [
        {"resource": f"r{i}", "paid_cost": sum(column), "difference": Decimal(0), "unbounded_cost": None}
        | {f"{part}_cost": amount for part, amount in zip(Part, column, strict=True)}
        for i, column in enumerate(columns)
    ]
    table = evidence.reconciliation(rows, "USD").table
    lines = [[number(cell.text) for cell in row[1:]] for row in table.rows]
    assert [sum(column) for column in zip(*lines, strict=True)] == [number(c.text) for c in table.total[1:]]
    assert all(sum(line[:-1]) == line[-1] for line in lines)
    exact = [[row[f"{part}_cost"] for row in rows] for part in parts_of(rows)]
    return lines, [[*line, sum(line, Decimal(0))] for line in exact]


@given(resources(some))
def test_the_totals_of_a_reconciliation_are_those_of_a_column_by_itself(amounts: list[list[int]]) -> None:
    lines, exact = added_up(amounts)
    alone, _ = figures.column([line[-1] for line in exact], to=CENT)
    assert [f"{line[-1]:,}" for line in lines] == alone


@given(resources(st.just(0) | some | st.integers(0, 10_000)))
def test_a_reconciliation_adds_up_and_leaves_nothing_nothing(amounts: list[list[int]]) -> None:
    lines, exact = added_up(amounts)
    for printed, truths in zip(lines, exact, strict=True):
        assert all(abs(a - b) < 2 * CENT for a, b in zip(printed[:-1], truths[:-1], strict=True))
        assert all(a == 0 for a, b in zip(printed[:-1], truths[:-1], strict=True) if b == 0)


def test_a_day_that_does_not_add_up_is_not_made_to_look_as_if(rows: dict[str, list[dict[str, Any]]]) -> None:
    broken = [{**rows["reconciliation"][0], "idle_cost": Decimal(1), "difference": Decimal("-1511.008921")}]
    report = build({**rows, "reconciliation": broken}, "USD")
    assert report.notices[0].level == "error"
    assert f"see “{section(report, 'reconciliation').title}”" in report.notices[0].text
    assert section(report, "reconciliation").table.rest[0][1].text == "-1511.008921"


def test_the_tile_and_the_tables_print_the_same_total(report: Report) -> None:
    total = report.tiles[0].value.removeprefix("$")
    assert section(report, "teams").table.total[1].text == total
    assert report.daily.table.rows[-1][-2].text == total
    assert f"${total} on" in report.headline


def test_a_missing_day_is_missing_everywhere_and_never_zero(report: Report) -> None:
    (gap,) = [row for row in report.daily.table.rows if row[0].note == "missing"]
    assert {cell.text for cell in gap[1:7]} == {"–"}
    (bar,) = [bar for bar in report.daily.bars if bar.amounts is None]
    assert bar.date.isoformat() == "2026-11-04"
    assert any("missing: 4 Nov" in notice.text for notice in report.notices)
    assert report.tiles[3].note == "21 of 22 days; 1 not known, not counted"


def test_what_lies_before_a_young_lake_is_not_missing(rows: dict[str, list[dict[str, Any]]]) -> None:
    none = dict.fromkeys(rows["daily_costs"][0])
    days = [{**none, "date": row["date"], "status": "missing"} for row in rows["daily_costs"][:-2]]
    report = build({**rows, "daily_costs": [*days, *rows["daily_costs"][-2:]]}, "USD")
    assert len(report.daily.bars) == len(report.daily.table.rows) == 2
    assert report.daily.title == "Since 21 November"
    assert report.notices == ()


def test_a_team_that_was_away_is_zero_on_days_that_are_there(rows: dict[str, list[dict[str, Any]]]) -> None:
    days = [row for row in rows["team_days"] if row["team"] == "speech" and row["date"].day != 20]
    spark = section(build({**rows, "team_days": days}, "USD"), "teams").table.rows[1][3].mark
    assert isinstance(spark, Spark)
    assert spark.values[-3] == 0.0
    assert None not in spark.values


def test_a_clean_day_has_no_quality_strip(rows: dict[str, list[dict[str, Any]]]) -> None:
    whole = [{**row, "status": "complete"} for row in rows["daily_costs"]]
    report = build({**rows, "daily_costs": whole}, "USD")
    assert report.notices == ()
    assert b'class="notices"' not in report_html(report)


def test_what_is_not_clean_is_said_above_the_figures(rows: dict[str, list[dict[str, Any]]]) -> None:
    head = {
        **rows["headline"][0], "status": "incomplete", "coverage": 0.5, "unpriced_nodes": 2, "unobserved_cost": Decimal(4000),
    }  # fmt: skip
    run = {**rows["day_run"][0], "forced": "late <data>", "warnings": ["clock is 3 s off"]}
    owners = [{**rows["teams"][0], "team": "unallocated"}]
    texts = [
        n.text for n in build({**rows, "headline": [head], "day_run": [run], "teams": owners}, "USD").notices
    ]
    for part in (
        "for 50% of the time",
        "resource of 2 nodes",
        "$4,000 could not",
        "late <data>",
        "clock is",
        "no team",
    ):
        assert any(part in text for text in texts), part


def finding(rule: str, severity: str, subject: str, message: str) -> dict[str, Any]:
    return {
        "rule": rule,
        "severity": severity,
        "subject": subject,
        "message": message,
        "amount": None,
        "currency": "USD",
    }


def test_errors_and_guesses_among_the_findings_are_said_above_the_figures(
    rows: dict[str, list[dict[str, Any]]],
) -> None:
    found = [
        finding("signal_missing", "error", "cpu_seconds", "cAdvisor gave no sample of it"),
        finding("signal_missing", "error", "memory_bytes", "cAdvisor gave no sample of it"),
        finding("price_unknown", "error", "gpu-1 gpu", "24.000 GPU hours have no price"),
        finding("gpu_sharing_guessed", "warning", "gpu-1", "each is taken for shared by 4"),
        finding("gpu_sharing_guessed", "warning", "gpu-2", "each is taken for shared by 4"),
        finding("contention", "info", "gpu-2", "more was asked than the node has"),
        finding("usage_without_pod", "warning", "cAdvisor", "1 core-hour"),
    ]
    report = build({**rows, "day_findings": found}, "USD")
    assert [(notice.level, notice.text) for notice in report.notices] == [
        ("error", "cpu_seconds: cAdvisor gave no sample of it"),
        ("error", "memory_bytes: cAdvisor gave no sample of it"),
        ("warning", "gpu-1: each is taken for shared by 4 (1 more: see Findings)"),
        ("info", "1 day of the last 30 is missing: 4 Nov."),
    ]


def test_a_finding_is_never_cut(rows: dict[str, list[dict[str, Any]]]) -> None:
    sentence = "its exporter shows what nobody else does: " + "and more of it, " * 40 + "to the end"
    path = "/var/lib/" + "very-long/" * 40 + "lake"
    report = build({**rows, "day_findings": [finding("signal_missing", "error", path, sentence)]}, "USD")
    page, text = report_html(report).decode(), report_markdown(report).decode()
    for told in (page, text):
        assert sentence in told
        assert path in told
    assert f"{path}: {sentence}" in [notice.text for notice in report.notices]


def test_capacity_that_nobody_told_of_is_not_taken_for_none(rows: dict[str, list[dict[str, Any]]]) -> None:
    """Without it there is neither idle nor GPU capacity in the lake, and the page must not say that there was none."""
    head = {**rows["headline"][0], "idle_cost": Decimal(0), "system_cost": Decimal(0)}
    lost = finding("signal_missing", "error", "node_capacity", "kube-state-metrics gave no sample of it")
    each = finding("capacity_unknown", "warning", "n1 cpu", "its capacity is not known")
    no_advice: dict[str, list[dict[str, Any]]] = {"savings": [], "advice_refused": []}
    without = {
        **rows,
        **no_advice,
        "headline": [head],
        "gpu_models": [],
        "idle_gpus": [],
        "reconciliation": [],
    }
    report = build({**without, "day_findings": [lost, each]}, "USD")
    assert "Idle capacity is not in it: what the nodes have is not known." in report.headline
    tiles = {tile.label: (tile.value, tile.note) for tile in report.tiles}
    assert (
        tiles["Idle capacity"]
        == tiles["GPUs"]
        == (
            "–",
            "what the nodes have is not known",
        )
    )
    rest = {row[0].text: row[1].text for row in section(report, "teams").table.rest}
    assert (rest["Idle capacity"], rest["System"]) == ("–", "–")
    assert "Fees" in rest
    assert section(report, "gpus").empty == "What the nodes have is not known."
    assert [n.level for n in report.notices if "node_capacity" in n.text] == ["error"]
    assert not [n for n in report.notices if n.text.startswith("n1")]
    known = build({**without, "day_findings": []}, "USD")
    assert known.tiles[2].note == "no GPU capacity in this cluster"
    assert known.tiles[4].value == "$0.00"


def test_an_empty_day_is_a_page_too(rows: dict[str, list[dict[str, Any]]]) -> None:
    head = {
        key: None if key in {"currency", "usual_cost"} else value
        for key, value in rows["headline"][0].items()
    }
    head |= {"total_cost": Decimal(0), **{f"{part}_cost": Decimal(0) for part in Part}}
    few = {"headline", "daily_costs", "month_costs", "day_run", "energy_use"}
    bare = {name: rows[name] if name in few else [] for name in rows} | {"headline": [head]}
    report = build(bare, "EUR")
    assert report.tiles[0].value == "€0.00"
    assert "cost nothing" in report.headline
    assert b"No workload ran on this day." in report_html(report)
    assert b"No workload ran on this day." in report_markdown(report)


def test_the_month_s_end_is_what_was_spent_and_what_is_ahead(rows: dict[str, list[dict[str, Any]]]) -> None:
    warehouse = Warehouse.over_tables(tables())
    month, findings = ahead(warehouse, CLUSTER, Day(LAST_DAY), Forecasting(), BUDGETS)
    report = build(rows, "USD", ahead=month)
    spent, end = float(rows["month_costs"][-1]["running_cost"]), month.days[-1]
    assert [each.day for each in month.days] == list(range(LAST_DAY.day + 1, 31))
    assert spent < month.days[0].expected < end.expected
    assert end.lower < end.expected < end.upper
    tile = report.tiles[3]
    assert (tile.label, tile.value) == ("November's end, expected", f"${end.expected:,.0f}")
    assert f"{end.expected / BUDGETS[0].monthly:.0%} of the budget of $350,000" in tile.note
    assert f"${spent:,.0f} so far, 1 day not known" in tile.note
    told = {row[0].text: row[4].text for row in section(report, "budgets").table.rows}
    assert told == {
        CLUSTER: "▲\N{NO-BREAK SPACE}will be exceeded",
        "nlp-research": "✕\N{NO-BREAK SPACE}exceeded",
        "vision": "kept",
    }
    assert [row["rule"] for row in findings] == ["budget_will_be_exceeded", "budget_exceeded"]
    bare = build(rows, "USD")
    assert bare.tiles[3].label == "November so far"
    assert "budgets" not in {each.key for each in bare.sections}


def test_no_price_is_no_figure(rows: dict[str, list[dict[str, Any]]]) -> None:
    days = [{**row, "total_cost": None} for row in rows["daily_costs"]]
    report = build(
        {**rows, "headline": [{**rows["headline"][0], "total_cost": None}], "daily_costs": days}, "USD"
    )
    assert report.tiles[0].value == "–"
    assert "is not known" in report.headline
    report_html(report)


def test_the_page_is_one_small_accessible_file() -> None:
    html = files()["index.html"]
    page = Page(html.decode())
    tags = [tag for tag, _ in page.elements]
    assert len(html) < 300_000
    assert {"header", "main", "footer", "nav"} <= set(tags)
    assert tags.count("h1") == tags.count("title") == 1
    assert not set(tags) & {"script", "img", "iframe", "object", "embed", "base", "form"}
    assert tags.count("caption") == tags.count("table")
    assert all(attributes.get("scope") in {"col", "row"} for tag, attributes in page.elements if tag == "th")
    for _, attributes in page.elements:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        address = attributes.get("href") or "#"
        assert address.startswith(("#", "data:,", "../index.html#")) or address in files()
    named = [a for tag, a in page.elements if tag == "svg" and "chart" in (a.get("class") or "")]
    assert len(named) == 4
    assert all(a["role"] == "img" and a["aria-label"] for a in named)


def test_hostile_names_are_text() -> None:
    page = Page(files(hostile=True)["index.html"].decode())
    text = "\n".join(page.texts)
    assert not {tag for tag, _ in page.elements} & {"script", "img", "iframe"}
    shown = [name for name in HOSTILE if named(name) in text]
    assert len(shown) >= 20, "the tables show the first ones"
    assert CLUSTER in text


def test_hostile_names_break_no_markdown_table() -> None:
    text = files(hostile=True)["report.md"].decode()
    bare = re.sub(r"\\.", "", text)
    blocks = re.findall(r"(?:^\|.*\n)+", bare, flags=re.MULTILINE)
    assert len(blocks) >= 6
    for block in blocks:
        assert len({line.count("|") for line in block.split("\n")[:-1]}) == 1
    assert "<" not in bare
    assert "](" not in bare
    assert "://" not in bare


def test_templates_do_no_arithmetic() -> None:
    for template in (Path(__file__).parents[2] / "reports/templates").glob("*.html"):
        for expression in re.findall(r"{{(.*?)}}|{%(.*?)%}", template.read_text()):
            bare = re.sub(r'"[^"]*"', "", "".join(expression)).strip("-")
            assert not re.search(r"[-+*/%]|\bround\b|\bsum\b|\bsafe\b", bare), expression


def test_raises_stand_beside_cuts_and_what_is_not_advised_is_counted(
    rows: dict[str, list[dict[str, Any]]], report: Report
) -> None:
    """Of all changes the table shows those that save most and those that cost most; the tile sums the cuts up."""
    shown = section(report, "changes").table.rows
    savings = [number(row[5].text) for row in shown]
    assert max(savings) > 0 > min(savings)
    advised = rows["savings"]
    cuts = sum(row["monthly_saving_gross"] for row in advised if row["monthly_saving_gross"] > 0)
    assert report.tiles[4].label == "Savings to act on"
    assert report.tiles[4].value == figures.money(cuts, "USD")
    assert (
        section(report, "changes").table.total[5].text
        == figures.column([sum(r["monthly_saving_gross"] for r in advised)], signed=True)[1]
    )
    assert "too little data yet" in section(report, "changes").lead
    nothing = build({**rows, "savings": []}, "USD")
    assert (nothing.tiles[4].value, nothing.tiles[4].note) == ("$0.00", "no cut is advised")
    one = next(row for row in advised if row["monthly_saving_gross"] < 0)
    raised = build({**rows, "savings": [one]}, "USD").tiles[4].note
    assert raised.startswith("no cut is advised; 1 raise costs $")
    assert section(nothing, "changes").empty == "Nothing is worth changing, as far as can be told."
    none = section(build({**rows, "savings": [], "advice_refused": []}, "USD"), "changes")
    assert none.empty.startswith("No advice was made of this day")


def test_quotas_that_run_out_come_before_those_that_are_too_large() -> None:
    def row(namespace: str, key: str, reason: str, **changes: object) -> dict[str, Any]:
        amounts = {
            "hard_now": 8.0,
            "used_p99": 4.0,
            "used_ratio": 0.5,
            "suggested_hard": 9.0,
            "suggested_after": None,
        }
        dates = {"exhausted_on": None, "exhausted_earliest": None}
        return {"namespace": namespace, "resource": key, "reason": reason, **amounts, **dates, **changes}

    (section,) = quota_headroom.sections(
        [
            row("a", "pods", "runs_out", exhausted_on=date(2026, 12, 1)),
            row("b", "pods", "over_large", used_ratio=0.01),
            row("b", "requests.nvidia.com/gpu", "over_large", used_ratio=0.3),
            row("c", "pods", "fits"),
            row("d", "pods", "no_quota", hard_now=None, used_ratio=None),
        ],
        [],
    )
    assert [(line[0].text, line[0].note) for line in section.table.rows] == [
        ("a", "pods"),
        ("b", "requests.nvidia.com/gpu"),
        ("b", "pods"),
    ]
    assert section.table.rows[0][-1].text == "2026-12-01"
    assert [line[0].text for line in section.table.rest] == ["1 that fits", "1 namespace without a quota"]
    assert quota_headroom.sections([], []) == ()


def test_schedules_are_told_with_their_hours_and_only_where_there_are_some(
    rows: dict[str, list[dict[str, Any]]],
) -> None:
    def schedule(place: int, saving: Decimal | None) -> dict[str, Any]:
        return {
            "team": "nlp", "namespace": "ns", "workload_kind": "Deployment", "workload": f"w{place}", "down": "19:00 to 08:00",
            "timezone": "Europe/Berlin", "weekly_hours_down": 65, "evidence_days": 14, "coverage": 1.0, "currency": "USD",
            "monthly_cost": None, "monthly_saving": saving,
        }  # fmt: skip

    several = [schedule(place, Decimal(20 - place)) for place in range(9)] + [schedule(9, None)]
    report = build({**rows, "schedules": several}, "USD")
    table = section(report, "schedules").table
    assert [row[4].text.removesuffix(".00") for row in table.rows] == [
        f"{amount}" for amount in range(20, 12, -1)
    ]
    assert {(row[2].text, row[2].note) for row in table.rows} == {
        ("19:00 to 08:00", "65 of 168 hours, Europe/Berlin")
    }
    assert [row[0].text for row in table.rest] == ["2 other workloads"]
    assert "When nobody works" in Page(report_html(report).decode()).texts
    assert "19:00 to 08:00" in report_markdown(report).decode()
    assert "schedules" not in [each.key for each in build({**rows, "schedules": []}, "USD").sections]
