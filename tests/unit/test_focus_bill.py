"""Bills read: shared over the lake's days by time, to the last micro-unit; whatever is wrong with one is told."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_bill import COMMON, line, written

from costlab.domain.bills import CostKind
from costlab.domain.errors import ConfigError
from costlab.domain.time import Day, milliseconds
from costlab.store.focus_bill import read_bill

ZONES = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"]
FIRST = datetime(2026, 10, 20, tzinfo=UTC)

charges = st.tuples(
    st.sampled_from(["i-1", "i-2", ""]),
    st.decimals(0, 100_000, places=9, allow_nan=False),
    st.integers(0, 20 * 24).map(lambda hours: FIRST + timedelta(hours=hours)),
    st.sampled_from([1, 24, 30 * 24]).map(lambda hours: timedelta(hours=hours)),
)


@settings(max_examples=25)
@given(st.lists(charges, min_size=1, max_size=12), st.sampled_from(ZONES))
def test_a_charge_is_shared_over_the_days_by_time_and_its_parts_add_up(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[tuple[str, Decimal, datetime, timedelta]],
    timezone: str,
) -> None:
    file = written(
        tmp_path_factory.mktemp("bill") / "b.csv",
        *(
            line(name, cost, f"{at:%Y-%m-%dT%H}", f"{at + length:%Y-%m-%dT%H}")
            for name, cost, at, length in lines
        ),
    )
    bill = read_bill([file], timezone, CostKind.EFFECTIVE, "USD")
    due: dict[tuple[str | None, object], Fraction] = defaultdict(Fraction)
    for name, cost, at, length in lines:
        day = Day(at.astimezone(ZoneInfo(timezone)).date(), timezone)
        start_ms, end_ms = milliseconds(at), milliseconds(at + length)
        while day.window.start_ms < end_ms:
            part_ms = min(end_ms, day.window.end_ms) - max(start_ms, day.window.start_ms)
            due[name or None, day.date] += Fraction(cost) * part_ms / (end_ms - start_ms)
            day = day.next
    got = {(row["resource_id"], row["date"]): row["cost"] for row in bill.rows.to_pylist()}
    assert got.keys() == due.keys()
    assert all(abs(got[key] - due[key] * 10**6) <= 1 for key in due)
    assert abs(sum(got.values()) - sum(cost for _, cost, *_ in lines) * 10**6) <= Decimal("0.5")
    for row in bill.rows.to_pylist():
        window = Day(row["date"], timezone).window
        assert window.start_ms <= milliseconds(row["start"]) < milliseconds(row["end"]) <= window.end_ms


@pytest.mark.parametrize("name", ["b.csv", "b.parquet"])
@pytest.mark.parametrize(("kind", "cost"), [(CostKind.EFFECTIVE, 1_250_000), (CostKind.BILLED, 2_000_000)])
def test_either_form_and_either_cost_is_read(tmp_path: Path, name: str, kind: CostKind, cost: int) -> None:
    bill = read_bill([written(tmp_path / name, line("i-1", "1.25", BilledCost="2"))], "UTC", kind, "USD")
    [row] = bill.rows.to_pylist()
    assert (row["cost"], row["cost_kind"], row["file"], row["charge_class"]) == (
        cost,
        kind.column,
        name,
        None,
    )
    assert (row["start"], row["end"]) == (
        datetime(2026, 11, 20, tzinfo=UTC),
        datetime(2026, 11, 21, tzinfo=UTC),
    )


def test_columns_are_found_in_any_case_and_optional_ones_may_be_missing(tmp_path: Path) -> None:
    told = line("i-1", "1")
    lower = {name.lower(): text for name, text in told.items() if name not in ("ServiceName", "ChargeClass")}
    bill = read_bill([written(tmp_path / "b.csv", lower)], "UTC", CostKind.EFFECTIVE, "USD")
    assert bill.rows.to_pylist()[0]["service"] is None


FAULTS = [
    ({"EffectiveCost": "free"}, r"EffectiveCost of row 2 is no amount of money \(b\.csv\)"),
    ({"EffectiveCost": ""}, "EffectiveCost of row 2 is no amount of money"),
    ({"EffectiveCost": "1e12"}, "EffectiveCost of row 2 is no amount of money"),
    ({"EffectiveCost": "nan"}, "EffectiveCost of row 2 is no amount of money"),
    ({"EffectiveCost": "-0.01"}, "EffectiveCost of row 2 is negative, and the line is neither Credit"),
    ({"ChargePeriodStart": "yesterday"}, "ChargePeriodStart of row 2 is no time such as 2026-11-01T00:00:00Z"),
    ({"ChargePeriodEnd": "2026-11-20T00:00:00Z"}, "ChargePeriodEnd of row 2 is not later than ChargePeriodStart"),
    ({"BillingPeriodStart": ""}, "BillingPeriodStart of row 2 is no time"),
    ({"BillingAccountId": " "}, "BillingAccountId of row 2 is empty"),
    ({"ChargeCategory": "Gift"}, "ChargeCategory of row 2 is none of Usage, Purchase, Tax, Credit, Adjustment"),
    ({"BillingCurrency": "EUR"}, "BillingCurrency is EUR and USD, and the lake's is USD"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "said"), FAULTS, ids=[next(iter(wrong)) for wrong, _ in FAULTS])
def test_what_is_wrong_with_a_line_is_told_with_row_and_column(
    tmp_path: Path, wrong: dict[str, str], said: str
) -> None:
    file = written(tmp_path / "b.csv", line("i-1", "1"), {**line("i-2", "1"), **wrong})
    with pytest.raises(ConfigError, match=said) as caught:
        read_bill([file], "UTC", CostKind.EFFECTIVE, "USD")
    assert str(file) in caught.value.message
    assert caught.value.hint


def test_every_fault_is_told_at_once_and_counted(tmp_path: Path) -> None:
    lines = [{**line("i-1", "-1"), "BillingAccountId": ""} for _ in range(3)]
    with pytest.raises(ConfigError) as caught:
        read_bill([written(tmp_path / "b.csv", *lines)], "UTC", CostKind.EFFECTIVE, "USD")
    assert "2 faults" in caught.value.message
    assert "BillingAccountId of row 1, and of 2 more is empty" in caught.value.message


def test_a_file_that_is_no_bill_is_told(tmp_path: Path) -> None:
    without = {name: text for name, text in COMMON.items() if name not in ("ResourceId", "EffectiveCost")}
    ragged = tmp_path / "ragged.csv"
    ragged.write_text(written(tmp_path / "b.csv", line("i-1", "1")).read_text() + "1,2\n")
    (tmp_path / "x.parquet").write_text("no Parquet")
    cases = {
        written(
            tmp_path / "c.csv", without
        ): "the columns EffectiveCost, ResourceId are missing|ResourceId, EffectiveCost",
        written(tmp_path / "empty.csv"): "the bill has no line",
        tmp_path / "nowhere.csv": "is not there",
        tmp_path / "x.parquet": "cannot be read",
        ragged: r"cannot be read: .*Line: 3|cannot be read: .*line: 3",
    }
    for file, said in cases.items():
        with pytest.raises(ConfigError, match=said):
            read_bill([file], "UTC", CostKind.EFFECTIVE, "USD")
    with pytest.raises(ConfigError, match="either CSV or Parquet"):
        read_bill([tmp_path / "b.csv", tmp_path / "x.parquet"], "UTC", CostKind.EFFECTIVE, "USD")
