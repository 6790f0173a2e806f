"""Reads a bill in the FOCUS format, CSV or Parquet, versions 1.0 to 1.3, into rows of `bills`; DuckDB streams it.

https://focus.finops.org/focus-specification/ names the columns; those that are read have one name in all versions.
"""

import csv
import gzip
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from costlab.domain.bills import CostKind
from costlab.domain.errors import ConfigError
from costlab.domain.time import day_of, days_between, instant
from costlab.store.reading import connect, interruptible, name, text

CATEGORIES = ("Usage", "Purchase", "Tax", "Credit", "Adjustment")
# A bill with a larger amount in one line is no bill; 10^-12 of the currency are counted, in 128 bits.
_MOST = 10**12
_PARQUET = (".parquet", ".parq")
_NEEDED = (
    "BillingAccountId", "BillingPeriodStart", "BillingCurrency", "ChargeCategory", "ChargePeriodStart", "ChargePeriodEnd",
    "ResourceId",
)  # fmt: skip
_OPTIONAL = ("ResourceName", "ServiceName", "ChargeClass")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a bill is a bill of: an account's billing period, its charges or its corrections, and the time they are for."""

    billing_account: str
    billing_start: datetime
    corrections: bool
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Bill:
    """A bill by day. rows: the columns of `bills` without `cluster`; lines: how many the files have."""

    rows: pa.Table
    scopes: tuple[Scope, ...]
    lines: int


def read_bill(files: Sequence[Path], timezone: str, kind: CostKind, currency: str) -> Bill:
    """The files as one bill: each charge shared over the lake's days by time, its parts adding up to it exactly.

    Raises ConfigError, naming file, row and column, when they are no such bill.
    """
    with _said(files), interruptible(), connect() as connection:
        _read(connection, files, kind)
        scopes, lines = _examined(connection, files, kind, currency)
        first, last = (
            day_of(at, timezone) for at in (min(s.start for s in scopes), max(s.end for s in scopes))
        )
        days = days_between(first, last)
        connection.register("days", pa.table({
            "date": pa.array([day.date for day in days], pa.date32()),
            "first_ms": [day.window.start_ms for day in days],
            "past_ms": [day.window.end_ms for day in days],
        }))  # fmt: skip
        rows = connection.sql(_BY_DAY, params={"kind": kind.column}).to_arrow_table()
    return Bill(rows, scopes, lines)


def _read(connection: duckdb.DuckDBPyConnection, files: Sequence[Path], kind: CostKind) -> None:
    """The view `lines`: typed columns, null where a value is not of its type."""
    parquet = {file.suffix.lower() in _PARQUET for file in files}
    if len(parquet) > 1:
        raise ConfigError("a bill is either CSV or Parquet, not both", "import one after the other")
    listed = ", ".join(text(str(file)) for file in files)
    if True in parquet:
        source = f"read_parquet([{listed}], filename = true, union_by_name = true)"
        told = [row[0] for row in connection.sql(f"describe from {source}").fetchall()]
    else:
        told = _header(files)
        # Nothing is guessed: DuckDB would take a file with one short line for one without a header.
        columns_of = ", ".join(f"{text(column)}: 'VARCHAR'" for column in told)
        form = "auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"', filename = true"
        source = f"read_csv([{listed}], {form}, columns = {{{columns_of}}})"
    columns = {column.casefold(): column for column in told}
    missing = [column for column in (*_NEEDED, kind.column) if column.casefold() not in columns]
    if missing:
        raise ConfigError(
            f"{_named(files)}: the columns {', '.join(missing)} are missing",
            "export it as FOCUS 1.0 or later with all columns; --cost chooses between EffectiveCost and BilledCost",
        )

    def of(column: str, default: str = "null") -> str:
        return name(columns[column.casefold()]) if column.casefold() in columns else default

    def words(column: str) -> str:
        return f"nullif(trim(cast({of(column)} as varchar)), '')"

    connection.execute(f"""
        create view lines as
        select
            parse_filename(filename) as file,
            {words("BillingAccountId")} as billing_account,
            try_cast({of("BillingPeriodStart")} as timestamptz) as billing_start,
            {words("BillingCurrency")} as currency,
            {words("ChargeCategory")} as category,
            {words("ChargeClass")} as charge_class,
            epoch_ms(try_cast({of("ChargePeriodStart")} as timestamptz)) as start_ms,
            epoch_ms(try_cast({of("ChargePeriodEnd")} as timestamptz)) as end_ms,
            {words("ResourceId")} as resource_id,
            {words("ResourceName")} as resource_name,
            {words("ServiceName")} as service,
            try_cast({of(kind.column)} as decimal(38, 12)) as cost
        from {source}
    """)  # noqa: S608 - files and columns are quoted


def _header(files: Sequence[Path]) -> list[str]:
    """The names of the columns, which are the same in all files."""
    found = []
    for path in files:
        try:
            with (
                gzip.open(path, "rt", encoding="utf-8-sig")
                if path.suffix == ".gz"
                else path.open(encoding="utf-8-sig") as file
            ):
                found.append(next(csv.reader(file), []))
        except (OSError, UnicodeDecodeError, EOFError, csv.Error) as error:
            raise ConfigError(
                f"{path} cannot be read: {error}", "a bill is a CSV file with a header, or Parquet"
            ) from error
        twice = sorted({column for column in found[-1] if found[-1].count(column) > 1})
        if twice:
            raise ConfigError(f"{path}: the columns {', '.join(twice)} are there twice", "export it again")
        if found[-1] != found[0]:
            raise ConfigError(f"{path} has other columns than {files[0]}", "import them one after the other")
    return found[0]


def _examined(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Path], kind: CostKind, currency: str
) -> tuple[tuple[Scope, ...], int]:
    """What the bill is a bill of, and how many lines it has; raises ConfigError with everything that is wrong with them."""
    faults = _faults(kind)
    counts = ", ".join(f"count_if({condition})" for condition, *_ in faults)
    asked = f"""
        select
            billing_account, billing_start, charge_class is not null, min(start_ms), max(end_ms), count(*),
            list(distinct currency), {counts}
        from lines
        group by all
        order by all
    """  # noqa: S608 - fixed conditions
    groups = connection.sql(asked).fetchall()
    if not groups:
        raise ConfigError(f"{_named(files)}: the bill has no line", "export the billing period again")
    found = [sum(of) for of in zip(*(group[7:] for group in groups), strict=True)]
    told = [_told(connection, *fault, count) for fault, count in zip(faults, found, strict=True) if count]
    if told:
        message = told[0] if len(told) == 1 else f"{len(told)} faults\n  " + "\n  ".join(told)
        raise ConfigError(
            f"{_named(files)}: {message}",
            "nothing was imported; mend the export, rows are counted after the header",
        )
    currencies = sorted({each for group in groups for each in group[6]})
    if currencies != [currency]:
        raise ConfigError(
            f"{_named(files)}: BillingCurrency is {' and '.join(currencies)}, and the lake's is {currency}",
            "set prices.currency, or export the bill in that currency: nothing is converted",
        )
    scopes = tuple(
        Scope(account, billing_start, corrections, instant(start_ms), instant(end_ms))
        for account, billing_start, corrections, start_ms, end_ms, *_ in groups
    )
    return scopes, sum(group[5] for group in groups)


def _told(connection: duckdb.DuckDBPyConnection, condition: str, column: str, what: str, count: int) -> str:
    """A fault in words, with its first row. Only a bill at fault is numbered: it takes another reading."""
    numbered = f"""
        select file, number - first + 1
        from (
            select *, min(number) over (partition by file) as first
            from (select *, row_number() over () as number from lines)
        )
        where {condition}
        order by number
        limit 1
    """  # noqa: S608 - fixed conditions
    [(file, number)] = connection.sql(numbered).fetchall()
    further = f", and of {count - 1:,} more" if count > 1 else ""
    return f"{column} of row {number:,}{further} {what} ({file})"


def _faults(kind: CostKind) -> list[tuple[str, str, str]]:
    """What a line may not be: the condition, the column, and in words."""
    listed = ", ".join(text(category) for category in CATEGORIES)
    return [
        ("billing_account is null", "BillingAccountId", "is empty"),
        ("billing_start is null", "BillingPeriodStart", "is no time such as 2026-11-01T00:00:00Z"),
        ("currency is null", "BillingCurrency", "is empty"),
        (f"category is null or category not in ({listed})", "ChargeCategory", f"is none of {', '.join(CATEGORIES)}"),
        ("start_ms is null", "ChargePeriodStart", "is no time such as 2026-11-01T00:00:00Z"),
        ("end_ms is null", "ChargePeriodEnd", "is no time such as 2026-11-01T00:00:00Z"),
        ("end_ms <= start_ms", "ChargePeriodEnd", "is not later than ChargePeriodStart"),
        (f"cost is null or abs(cost) >= {_MOST}", kind.column, "is no amount of money"),
        # What is given back is a credit, an adjustment or a correction; a usage below nothing is a mistake.
        (
            "cost < 0 and category in ('Usage', 'Purchase') and charge_class is null", kind.column,
            "is negative, and the line is neither Credit nor Adjustment nor a Correction",
        ),
    ]  # fmt: skip


# Costs are whole 10^-12 until the last step. A charge is shared by the difference of what is due at two instants, and
# rounded by that of running sums: so the parts of each charge, and the micro-units of all rows, add up.
_BY_DAY = """
    with shared as (
        select
            lines.*, date,
            cast(cost * 1000000000000 as hugeint) as picos,
            greatest(start_ms, first_ms) as from_ms,
            least(end_ms, past_ms) as to_ms
        from lines
        inner join days on start_ms < past_ms and end_ms > first_ms
    ),
    summed as (
        select
            date, billing_account, billing_start, resource_id, resource_name, service, category, charge_class, currency,
            min(from_ms) as from_ms,
            max(to_ms) as to_ms,
            min(file) as file,
            sum(
                picos * (to_ms - start_ms) // (end_ms - start_ms)
                - picos * (from_ms - start_ms) // (end_ms - start_ms)
            ) as picos
        from shared
        group by all
    ),
    running as (
        select *, sum(picos) over (
            order by date, billing_account, billing_start, resource_id, resource_name, service, category, charge_class
            rows unbounded preceding
        ) as until
        from summed
    )
    select
        date, billing_account, billing_start, resource_id, resource_name, service, category, charge_class,
        to_timestamp(from_ms / 1000.0) as start,
        to_timestamp(to_ms / 1000.0) as "end",
        cast((until + 500000) // 1000000 - (until - picos + 500000) // 1000000 as bigint) as cost,
        $kind as cost_kind, currency, file
    from running
    order by date
"""


def _named(files: Sequence[Path]) -> str:
    return str(files[0]) if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"


@contextmanager
def _said(files: Sequence[Path]) -> Iterator[None]:
    """What DuckDB says of a file that it cannot read, as an error with a remedy."""
    for file in files:
        if not file.is_file():
            raise ConfigError(f"{file} is not there, or is no file", "name the files of the bill")
    try:
        yield
    except duckdb.Error as error:
        said = " ".join(line.strip() for line in str(error).splitlines()[:3] if line.strip())
        raise ConfigError(
            f"{_named(files)} cannot be read: {said[:300]}", "a bill is a CSV file with a header, or Parquet"
        ) from error
