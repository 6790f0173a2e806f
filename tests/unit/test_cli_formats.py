"""Answers in every format read back as they were, and cannot be taken for something else."""

import csv
import json
import math
import re
import sys
import zipfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO, StringIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from costlab.cli.fitting import Column, fitted, width_of
from costlab.cli.formats import Answer, written
from costlab.cli.options import Format
from costlab.cli.show import _drawn, _print, show
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.jobs.cost import Quality
from costlab.render.envelope import unique
from costlab.render.workbook import MOST_COLUMNS

SCHEMA = pa.schema(
    [
        ("name", pa.string()), ("cost", pa.decimal128(18, 6)), ("hours", pa.float64()), ("count", pa.int64()),
        ("day", pa.date32()), ("at", pa.timestamp("us", "UTC")), ("labels", pa.map_(pa.string(), pa.string())),
    ]
)  # fmt: skip
names = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    [
        "=1+1",
        "+x",
        "-x",
        "@SUM(A1)",
        "\tx",
        "\rx",
        "a,b",
        'a"b',
        "a\r\nb",
        "a|b",
        "\x1b[31mred",
        "null",
        "NaN",
        "'x",
        "",
    ]
)
money = st.decimals(-(10**11), 10**11, places=6, allow_nan=False)
rows = st.fixed_dictionaries(
    {
        "name": st.none() | names,
        "cost": st.none() | money,
        "hours": st.none() | st.floats(),
        "count": st.none() | st.integers(-(2**63), 2**63 - 1),
        "day": st.none() | st.dates(),
        "at": st.none() | st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - made aware
        "labels": st.none()
        | st.dictionaries(names, names, max_size=2).map(lambda found: list(found.items())),
    }
)
answers = st.lists(rows, max_size=4).map(
    lambda found: Answer("costlab.test/1", pa.Table.from_pylist(found, SCHEMA))
)


def same(a: float | None, b: float | None) -> bool:
    return a == b or (a is not None and b is not None and math.isnan(a) and math.isnan(b))


@given(answers)
def test_json_says_everything_again(answer: Answer) -> None:
    told = json.loads(written(answer, Format.JSON))
    assert list(told) == ["schema", "window", "currency", "quality", "rows"]
    lines = [json.loads(line) for line in written(answer, Format.JSONL).split(b"\n") if line]
    assert told["rows"] == lines
    assert yaml.safe_load(written(answer, Format.YAML)) == told
    for row, truth in zip(told["rows"], answer.rows.to_pylist(), strict=True):
        assert row["name"] == truth["name"]
        assert row["count"] == truth["count"]
        assert (row["cost"] and Decimal(row["cost"])) == truth["cost"] or truth["cost"] == 0
        assert isinstance(row["cost"], str | None)
        finite = truth["hours"] is not None and math.isfinite(truth["hours"])
        assert row["hours"] == (truth["hours"] if finite else None)
        assert (row["day"] and date.fromisoformat(row["day"])) == truth["day"]
        assert (row["at"] and datetime.fromisoformat(row["at"])) == truth["at"]
        assert row["labels"] == (None if truth["labels"] is None else (dict(truth["labels"]) or []))


@given(answers)
def test_csv_reads_back_and_holds_no_formula(answer: Answer) -> None:
    found = list(csv.reader(StringIO(written(answer, Format.CSV).decode(), newline="")))
    assert found[0] == SCHEMA.names
    truths = answer.rows.to_pylist()
    assert len(found) == 1 + len(truths)
    for line, truth in zip(found[1:], truths, strict=True):
        row = dict(zip(SCHEMA.names, line, strict=True))
        name = truth["name"] or ""
        assert not row["name"].startswith(("=", "+", "-", "@", "\t", "\r"))
        assert row["name"] in (name, f"'{name}")
        assert (row["cost"] and Decimal(row["cost"])) == (truth["cost"] if truth["cost"] is not None else "")
        assert row["hours"] == "" if truth["hours"] is None else same(float(row["hours"]), truth["hours"])
        assert row["count"] == ("" if truth["count"] is None else str(truth["count"]))


SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def sheet(content: bytes, number: int = 1) -> tuple[dict[str, str | float | bool], ET.Element]:
    """The cells of a sheet by their address, as the file's own XML has them, and all of its XML."""
    book = zipfile.ZipFile(BytesIO(content))
    shared = []
    if "xl/sharedStrings.xml" in book.namelist():
        strings = ET.fromstring(book.read("xl/sharedStrings.xml"))  # noqa: S314 - written by ourselves
        shared = ["".join(text.text or "" for text in each.iter(f"{SHEET}t")) for each in strings]
    tree = ET.fromstring(book.read(f"xl/worksheets/sheet{number}.xml"))  # noqa: S314 - the same
    cells: dict[str, str | float | bool] = {}
    for cell in tree.iter(f"{SHEET}c"):
        value, kind = cell.findtext(f"{SHEET}v"), cell.get("t")
        if value is None:
            continue
        if kind == "s":
            value = re.sub("_x([0-9A-F]{4})_", lambda found: chr(int(found[1], 16)), shared[int(value)])
        cells[str(cell.get("r"))] = value if kind == "s" else value == "1" if kind == "b" else float(value)
    return cells, tree


@given(answers)
def test_a_workbook_holds_numbers_dates_and_names_by_their_types_and_no_formula(answer: Answer) -> None:
    content = written(answer, Format.XLSX)
    assert content == written(answer, Format.XLSX)
    cells, tree = sheet(content)
    assert [cells[f"{column}1"] for column in "ABCDEFG"] == [
        *SCHEMA.names[:5], "at (UTC)", "labels"
    ]  # fmt: skip
    assert tree.findall(f".//{SHEET}f") == []
    assert tree.findall(f".//{SHEET}hyperlink") == []
    for line, truth in enumerate(answer.rows.to_pylist(), 2):
        told = [cells.get(f"{column}{line}") for column in "ABCDEF"]
        lost = {"\ufffe": "\ufffd", "\uffff": "\ufffd"}
        name = "".join(lost.get(sign, sign) for sign in truth["name"] or "")
        assert (told[0] or "") == name
        for found, value in ((told[1], truth["cost"]), (told[3], truth["count"])):
            assert (None if found is None else Decimal(str(found))) == value
            digits = 0 if value is None else len(Decimal(value).normalize().as_tuple().digits)
            assert isinstance(found, str) == (digits > 15), "what a spreadsheet would round is text"
        if truth["hours"] is not None:
            assert math.isclose(float(told[2] or 0), truth["hours"], rel_tol=1e-15) or math.isnan(
                truth["hours"]
            )
        if truth["day"] is not None and truth["day"] >= date(1900, 3, 1):
            assert date(1899, 12, 30) + timedelta(days=float(told[4] or 0)) == truth["day"]
        if truth["at"] is not None:
            at = datetime(1899, 12, 30, tzinfo=UTC) + timedelta(days=float(told[5] or 0))
            assert abs(at - truth["at"]) < timedelta(milliseconds=2)


def test_a_workbook_says_what_it_is_about() -> None:
    table = pa.table(
        {
            "date": ["2026-11-01", "(total)"],
            "cost": pa.array([Decimal("1.5"), Decimal("1.5")], pa.decimal128(18, 6)),
        }
    )
    window = Dates(date(2026, 11, 1), date(2026, 11, 8))
    content = written(
        Answer("costlab.cost/1", table, window, "EUR", Quality(6, 7, 0.98), total=True), Format.XLSX
    )
    cells, tree = sheet(content)
    assert (cells["A2"], cells["A3"], cells["B1"], cells["B3"]) == (46327.0, "(total)", "cost (EUR)", 1.5)
    [pane] = tree.iter(f"{SHEET}pane")
    assert (pane.get("ySplit"), pane.get("state")) == ("1", "frozen")
    about, _ = sheet(content, 2)
    assert [about[f"B{line}"] for line in range(1, 8)] == [
        "costlab.cost/1",
        46327.0,
        46333.0,
        "EUR",
        6,
        7,
        0.98,
    ]
    assert "[$€-2]" in zipfile.ZipFile(BytesIO(content)).read("xl/styles.xml").decode()


def test_what_no_sheet_can_hold_is_refused_and_no_workbook_goes_to_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wide = pa.table({f"c{i}": [1] for i in range(MOST_COLUMNS + 1)})
    with pytest.raises(ConfigError, match="more than a sheet"):
        written(Answer("x/1", wide), Format.XLSX)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(ConfigError, match="a workbook is nothing to look at"):
        show(Answer("x/1", pa.table({"a": [1]})), Format.XLSX, None)


@given(answers)
def test_parquet_is_the_very_table(answer: Answer) -> None:
    assert pq.read_table(BytesIO(written(answer, Format.PARQUET))).schema.equals(answer.rows.schema)


@given(answers)
def test_markdown_and_tables_keep_one_line_a_row(answer: Answer) -> None:
    text = written(answer, Format.MD).decode()
    assert len(text.split("\n")) == 3 + answer.rows.num_rows
    assert all(line.startswith("| ") for line in text.split("\n")[:-1])
    assert "\x1b" not in drawn(answer)
    assert len(drawn(answer).splitlines()) == 2 + answer.rows.num_rows


def test_markdown_mentions_nobody() -> None:
    told = written(Answer("x/1", pa.table({"a": ["@octocat", "a@b"]})), Format.MD).decode()
    assert re.findall(r"@(?=\w)", told) == []


def drawn(answer: Answer) -> str:
    return _drawn(answer).decode()


@given(st.lists(st.sampled_from(["a", "a_2", "b", ""]), max_size=8))
def test_columns_of_one_name_are_told_apart(given_names: list[str]) -> None:
    told = unique(given_names)
    assert len(set(told)) == len(told) == len(given_names)


def test_the_envelope_says_what_the_rows_are_about() -> None:
    answer = Answer(
        "costlab.cost/1", pa.table({"team": ["a"], "cost": pa.array([Decimal("1.5")], pa.decimal128(18, 6))}),
        Dates(date(2026, 11, 1), date(2026, 11, 8)), "EUR", Quality(6, 7, 0.98),
    )  # fmt: skip
    assert json.loads(written(answer, Format.JSON)) == {
        "schema": "costlab.cost/1",
        "window": {"start": "2026-11-01", "end": "2026-11-08"},
        "currency": "EUR",
        "quality": {"complete_days": 6, "days": 7, "coverage": 0.98},
        "rows": [{"team": "a", "cost": "1.500000"}],
    }


def table_words(answer: Answer) -> list[list[str]]:
    return [line.split() for line in drawn(answer).splitlines() if "─" not in line]


def test_a_table_tells_null_nan_and_zero_apart() -> None:
    table = pa.table({"a_name": ["x", "", None, "y"], "hours": [0.0, math.nan, None, 0.00012]})
    assert table_words(Answer("x/1", table)) == [
        ["a_name", "hours"], ["x", "0.000"], ["unobserved"], ["–", "–"], ["y", "0.00012"],
    ]  # fmt: skip


def test_the_printed_parts_of_a_bill_give_its_printed_total() -> None:
    cents = pa.array([Decimal("0.335"), Decimal("0.335"), None, Decimal("0.67")], pa.decimal128(18, 6))
    table = pa.table(
        {"team": ["a", "b", None, "(total)"], "cost": cents, "gpu_hours": [0.0, 1234.5, None, 1234.5]}
    )
    assert table_words(Answer("x/1", table, total=True)) == [
        ["team", "cost", "gpu", "hours"],
        ["a", "0.34", "0"],
        ["b", "0.33", "1,234"],
        ["–", "–", "–"],
        ["(total)", "0.67", "1,234"],
    ]


def printed(answer: Answer, width: int) -> str:
    paper = StringIO()
    _print(answer, Console(file=paper, width=width, color_system=None, highlight=False))
    return paper.getvalue()


wide = st.lists(
    st.tuples(
        st.text("abcdef_ ", min_size=1, max_size=9),
        st.tuples(
            st.lists(
                st.sampled_from(["–", "x", "ranker", "a/b" * 9, "a sentence " * 5]), min_size=4, max_size=4
            ),
            st.booleans(),
            st.booleans(),
        ),
    ),
    min_size=1,
    max_size=12,
).map(lambda told: [Column(f"{n}{name}", *of) for n, (name, of) in enumerate(told)])


@given(wide, st.integers(20, 200), st.booleans())
def test_a_terminal_shows_what_it_has_room_for_and_names_the_rest(
    columns: list[Column], width: int, total: bool
) -> None:
    fit = fitted(columns, width, total=total)
    told = [column.heading for column in fit.shown] + [heading for heading, _ in fit.same] + [*fit.hidden]
    assert sorted(told) == sorted(column.heading for column in columns)
    assert width_of(fit.shown) <= width or len(fit.shown) == 1
    if width_of(columns) <= width:
        assert (fit.shown, fit.same, fit.hidden) == (columns, (), ())
    if not total:  # which moves a word from one column to another
        for column in (column for column in columns if column.heading in fit.hidden):
            assert width_of([*fit.shown, column]) > width, "there was room for it"
        money = [column for column in columns if column.money and column.heading in fit.hidden][:1]
        if money and money == [column for column in columns if column.money][:1]:
            assert width_of([fit.shown[0], *money]) > width, "what was paid goes last"


def test_on_a_narrow_terminal_money_stays_and_what_is_the_same_is_said_once() -> None:
    cost = pa.array([Decimal("8439.271"), Decimal(2), Decimal("8441.271")], pa.decimal128(18, 6))
    table = pa.table(
        {
            "cluster": ["demo", "demo", "(total)"], "workload": ["ranker", "segment-sweep-1119", None],
            "evidence": ["measured", "measured", None], "quota": pa.array([None] * 3, pa.string()),
            "reason": ["usage_below_request", "idle", None], "gpu_hours": [123456.7, 1.0, 123457.7], "monthly_cost": cost,
        }
    )  # fmt: skip
    answer = Answer("x/1", table, total=True)
    assert [line.split() for line in printed(answer, 36).splitlines() if line.strip("─ ")] == [
        ["cluster:", "demo,", "evidence:", "measured"], ["nothing", "in", "quota"], ["monthly"],
        ["workload", "cost"], ["ranker", "8,439.27"], ["segment-sweep-1119", "2.00"], ["(total)", "8,441.27"],
        ["no", "room", "for", "reason,", "gpu", "hours:", "a"], ["terminal", "of", "86", "columns,", "a", "pipe", "into"],
        ["less", "-S,", "or", "-o", "csv", "shows", "them"],
    ]  # fmt: skip
    assert "no room for reason: " in printed(answer, 40), (
        "what is narrower is shown although what is wider is not"
    )
    named = printed(Answer("x/1", table.select(["workload", "gpu_hours", "monthly_cost"])), 38)
    assert "no room for gpu_hours" in named
    whole = printed(answer, 86)
    assert "no room" not in whole
    assert "usage_below_request" in whole
    record = printed(Answer("x/1", table.slice(0, 1)), 30)
    assert ["gpu_hours", "123,456.700"] in [line.split() for line in record.splitlines()]


def test_a_wide_table_is_not_cut() -> None:
    assert "x" * 90 in drawn(Answer("x/1", pa.table({f"c{i}": ["x" * 90] for i in range(20)})))


def test_a_file_is_written_whole_or_not_at_all_in_the_format_of_its_name(tmp_path: Path) -> None:
    answer = Answer("x/1", pa.table({"a": [1]}))
    show(answer, None, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "a\n1\n"
    show(answer, Format.JSONL, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == '{"a":1}\n'
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        show(answer, None, tmp_path / "none" / "a.csv")
    with pytest.raises(ConfigError, match="cannot be written: Is a directory"):
        show(answer, None, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
