"""Charges as FOCUS rows: a linter of others finds nothing, and no micro-unit is lost on the way."""

import csv
import json
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from costlab.cli.app import app
from costlab.cli.frame import Desk
from costlab.domain.dates import Dates
from costlab.jobs.focus_export import focus_rows
from costlab.store.schema import arrow_schema
from costlab.store.warehouse import Warehouse

NOW = datetime(2026, 11, 21, 1, tzinfo=UTC)  # after the synthetic cluster's last day
WINDOW = "2026-11-19..2026-11-21"
DAY = date(2026, 11, 20)
LINTER = Path(sys.executable).with_name("focus-toolkit")
Row = dict[str, str]


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args], obj=Desk({"HOME": "/nonexistent"}, NOW))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "d"
    assert run("demo", folder, "--days", "2").exit_code == 0
    return folder / "lake"


@pytest.fixture(scope="module")
def exported(lake: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    file = tmp_path_factory.mktemp("focus") / "focus.csv"
    done = run("export", "focus", "--lake", lake, "--window", WINDOW, "--out", file)
    assert (done.exit_code, done.output) == (0, "")
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


def written(rows: list[Row], path: Path) -> Path:
    with path.open("w", newline="") as text:
        file = csv.DictWriter(text, rows[0])
        file.writeheader()
        file.writerows(rows)
    return path


def lints(rows: list[Row], folder: Path) -> subprocess.CompletedProcess[str]:
    """The linter knows version 1.4: it takes 1.3 there, without inventing anything, and lints what it gets."""
    source = written(rows, folder / "focus.csv")
    form = ("--source-version", "1.3", "--source-dataset", "cost-and-usage", "--exit-policy", "pipeline")
    return subprocess.run(
        [LINTER, "convert", "--cost-and-usage", source, *form, "--out", folder / "1.4"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def splits(rows: list[Row], folder: Path) -> subprocess.CompletedProcess[str]:
    """Its check of splits wants a consumer in every row, which FOCUS leaves out for what nobody consumed."""
    named = [
        {**row, "AllocatedResourceId": row["AllocatedResourceId"] or row["x_Kind"]}
        for row in rows
        if row["x_Kind"] != "origin"
    ]
    older = [{k: v for k, v in row.items() if k not in ("ProviderName", "PublisherName")} for row in named]
    return subprocess.run(
        [LINTER, "validate-bundle", "--cost-and-usage", written(older, folder / "split.csv")],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_a_linter_of_others_finds_nothing(exported: list[Row], tmp_path: Path) -> None:
    linted, split = lints(exported, tmp_path), splits(exported, tmp_path)
    assert (linted.returncode, "lint OK" in linted.stdout) == (0, True), linted.stdout + linted.stderr
    assert (split.returncode, "bundle validation: OK" in split.stdout) == (0, True), split.stdout


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        pytest.param("BillingCurrency", "EURO", "bad_currency", id="a currency that is none"),
        pytest.param("ListCost", "1.5", "cost_not_unit_price_times_quantity", id="a cost that is no product"),
        pytest.param("ServiceSubcategory", "Block Storage", "wrong_parent_category", id="another's child"),
        pytest.param(
            "AllocatedMethodDetails", '{"Elements":[]}', "official_schema", id="a split into nothing"
        ),
    ],
)
def test_the_linter_finds_what_is_planted(
    exported: list[Row], tmp_path: Path, column: str, value: str, said: str
) -> None:
    linted = lints([{**exported[0], column: value}, *exported[1:]], tmp_path)
    assert linted.returncode != 0
    assert said in linted.stdout + linted.stderr


def test_the_check_of_splits_finds_what_is_planted(exported: list[Row], tmp_path: Path) -> None:
    place = next(i for i, row in enumerate(exported) if float(row["BilledCost"]) > 1)
    without = exported[:place] + exported[place + 1 :]
    assert splits(without, tmp_path).returncode != 0


def test_sums_are_those_of_the_charges(lake: Path, exported: list[Row]) -> None:
    answer = run(
        "sql", "--lake", lake, "-o", "csv", "select kind, sum(cost) as cost from charges group by kind"
    )
    wanted = {row["kind"]: Decimal(row["cost"]) for row in csv.DictReader(answer.stdout.splitlines())}
    found: dict[str, Decimal] = {}
    for row in exported:
        for column in ("BilledCost", "EffectiveCost"):
            assert Decimal(row[column]) == Decimal(row["BilledCost"])
        found[row["x_Kind"]] = found.get(row["x_Kind"], Decimal(0)) + Decimal(row["BilledCost"])
    assert found.pop("origin") == 0
    assert found == wanted


def test_parquet_holds_the_same_rows(lake: Path, exported: list[Row], tmp_path: Path) -> None:
    file = tmp_path / "focus.parquet"
    assert run("export", "focus", "--lake", lake, "--window", WINDOW, "--out", file).exit_code == 0
    table = pq.read_table(file)
    assert table.column_names == list(exported[0])
    assert [str(cost) for cost in table["BilledCost"].to_pylist()] == [row["BilledCost"] for row in exported]
    starts = [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in table["ChargePeriodStart"].to_pylist()]
    assert starts == [row["ChargePeriodStart"] for row in exported]
    assert pq.read_metadata(file).metadata[b"focus_version"] == b"1.3"


def test_what_is_not_whole_is_said(lake: Path, tmp_path: Path) -> None:
    done = run("export", "focus", "--lake", lake, "--window", "3d", "--out", tmp_path / "f.csv")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "2 of 3 days are complete" in done.stderr
    nowhere = run("export", "focus", "--lake", lake, "--out", tmp_path / "none" / "f.csv")
    assert nowhere.exit_code == 2
    assert "cannot be written" in nowhere.stderr
    assert not list(tmp_path.glob(".f*"))


MICROS = st.integers(0, 10**9).map(lambda n: Decimal(n).scaleb(-6))


@st.composite
def charges(draw: st.DrawFn) -> pa.Table:
    """Some nodes with a few charges each, without regard to how a day comes by them."""
    rows = []
    for node in range(draw(st.integers(1, 3))):
        free = draw(st.booleans())
        for pod in range(draw(st.integers(0, 9))):
            cost = Decimal(0) if free else draw(MICROS)
            rows.append(_row(kind="workload", node=f"n{node}", namespace="ns", pod=f"p{pod}", pod_uid=f"u{pod}",
                             cost=cost, billed_quantity=float(draw(MICROS))))  # fmt: skip
        rows.append(_row(kind="idle", node=f"n{node}", cost=Decimal(0) if free else draw(MICROS)))
    return pa.Table.from_pylist(rows, arrow_schema("charges"))


def _row(**values: object) -> dict[str, object]:
    blank = dict.fromkeys(arrow_schema("charges").names)
    return blank | {
        "cluster": "c", "date": DAY, "resource": "cpu", "unit": "core_hour", "billed_quantity": 0.0, "unit_price": 0.1,
        "currency": "USD",
    } | values  # fmt: skip


@settings(max_examples=50)
@given(charges())
def test_ratios_of_a_split_are_one_and_its_costs_the_origins(table: pa.Table) -> None:
    reader = focus_rows(
        Warehouse.over_tables({"charges": table}), Dates(DAY, date(2026, 11, 21)), None, "UTC", "us"
    )
    ratios: dict[str, Decimal] = {}
    costs: dict[str, Decimal] = {}
    origins: dict[str, Decimal] = {}
    for row in reader.read_all().to_pylist():
        origin = row["x_SplitOriginId"]
        costs[origin] = costs.get(origin, Decimal(0)) + row["BilledCost"]
        origins[origin] = row["x_SplitOriginCost"]
        if row["x_Kind"] != "origin":
            [element] = json.loads(row["AllocatedMethodDetails"], parse_float=Decimal)["Elements"]
            assert 0 <= Decimal(element["AllocatedRatio"]) <= 1
            ratios[origin] = ratios.get(origin, Decimal(0)) + Decimal(element["AllocatedRatio"])
    assert set(ratios.values()) == {Decimal(1)}
    assert costs == origins
    assert sum(costs.values()) == sum(table["cost"].to_pylist())
