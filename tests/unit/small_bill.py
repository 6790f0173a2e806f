"""Small bills for tests: FOCUS lines with what they have in common filled in, written as CSV or Parquet."""

import csv
from pathlib import Path

import duckdb

COMMON = {
    "BillingAccountId": "123",
    "BillingPeriodStart": "2026-11-01T00:00:00Z",
    "BillingPeriodEnd": "2026-12-01T00:00:00Z",
    "BillingCurrency": "USD",
    "ChargeCategory": "Usage",
    "ChargeClass": "",
    "ChargePeriodStart": "2026-11-20T00:00:00Z",
    "ChargePeriodEnd": "2026-11-21T00:00:00Z",
    "ResourceId": "",
    "ResourceName": "",
    "ServiceName": "EC2",
    "EffectiveCost": "0",
    "BilledCost": "0",
}


def line(
    resource: str = "", cost: object = "0", start: str = "", end: str = "", **more: str
) -> dict[str, str]:
    """A line: of 20 November unless said; instants as 2026-11-20T06."""
    times = {
        column: f"{at}:00:00Z"
        for column, at in (("ChargePeriodStart", start), ("ChargePeriodEnd", end))
        if at
    }
    return {**COMMON, "ResourceId": resource, "EffectiveCost": str(cost), **times, **more}


def written(path: Path, *lines: dict[str, str]) -> Path:
    """The bill as a file, in the form that its name says; a column that is nowhere is left out."""
    columns = {column: None for each in lines or (COMMON,) for column in each}
    text = path if path.suffix == ".csv" else path.with_suffix(".csv")
    with text.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(lines)
    if path.suffix == ".parquet":
        kinds = (
            "{'EffectiveCost': 'DOUBLE', 'ChargePeriodStart': 'TIMESTAMP', 'ChargePeriodEnd': 'TIMESTAMP'}"
        )
        duckdb.sql(f"copy (from read_csv('{text}', types = {kinds})) to '{path}' (format parquet)")
    return path
