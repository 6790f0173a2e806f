"""Put a measured day into the lake: checked first, never worse than what is there, `runs` last."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from costlab import __version__
from costlab.config.prices import prices_hash
from costlab.config.settings import Settings
from costlab.domain.errors import ConfigError, ReconcileError, WorseDay
from costlab.domain.findings import Finding, Severity
from costlab.domain.signals import SIGNALS, Signal
from costlab.domain.time import Day
from costlab.jobs.charges import COMPUTE_RULES
from costlab.jobs.facts import BULKY, OBSERVED, Facts, unpriced_signals
from costlab.store.lake import PRUNED, READABLE, DayState, Lake
from costlab.store.memory import give_back
from costlab.store.rows import Rows
from costlab.store.runs import Run
from costlab.store.schema import conform, empty
from costlab.store.warehouse import Warehouse, queries

# Coverage that differs by less is the same: late samples at a day's edge move it in the fourth digit.
WORSE_BY = 0.001
# Of the samples of an inventory signal: fewer are pods or nodes that the source has forgotten.
KEPT = 0.9


def check(tables: Mapping[str, pa.Table]) -> None:
    """Hold the rows of a day to every query in queries/checks. Raises ReconcileError with the first guilty row."""
    # A check of tables that were not made of the day has nothing to find.
    checks = [
        query.name
        for query in queries().values()
        if query.folder == "checks" and not tables.keys().isdisjoint(query.inputs)
    ]
    warehouse = Warehouse.over_tables(tables, checks)
    for name in checks:
        guilty = warehouse.query(name).to_pylist()
        if guilty:
            row = ", ".join(f"{key} {value}" for key, value in guilty[0].items() if value not in (None, ""))
            raise ReconcileError(
                f"check {name} finds {len(guilty)} guilty rows, the first: {row}",
                "nothing was committed; report it with the day's log",
            )


def refuse_worse(
    before: Run | None, cluster: str, day: Day, facts: Facts, settings: Settings, force: str | None
) -> None:
    """Raise WorseDay when the source now gives less for the day than the lake holds; a reason in `force` lets it.

    before: the day's `runs` row, or None. A signal that is not read because it has no price any more is no loss.
    """
    if before is None or force:
        return
    lost = sorted(set(before["signals"]) - set(facts.samples) - unpriced_signals(settings))
    faults = [f"{name} is gone" for name in lost]
    faults += [
        f"{name} has {facts.samples[name]:,} samples instead of {int(count):,}"
        for name, count in sorted(before["signals"].items())
        if SIGNALS[Signal(name)].needed and facts.samples.get(name, 0) in range(1, int(int(count) * KEPT))
    ]
    if facts.coverage < before["coverage"] - WORSE_BY:
        faults.append(f"coverage {facts.coverage:.1%} instead of {before['coverage']:.1%}")
    if faults:
        raise WorseDay(
            f"{day} of cluster {cluster} would become worse than it is in the lake: {', '.join(faults)}",
            "nothing was committed; if it is right so, say why with --force REASON",
        )


def commit(
    lake: Lake, cluster: str, day: Day, tables: Mapping[str, Rows], facts: Facts, settings: Settings,
    state: DayState, force: str | None = None,
) -> bool:  # fmt: skip
    """Write the tables that changed, then `runs`. True when anything was committed; whatever fails leaves the lake as it was."""
    give_back()  # of what the day was made: Delta Lake's writer has heaps of its own
    before = lake.run(cluster, day)
    with lake.replacing(cluster, day, tables, before, afresh=bool(force)) as written:
        changed = any(table.changed for table in written.values())
        forced = force or (before["forced"] if before and not changed else None)
        # Tables that are not written keep what is said of them; those that are made anew have all their columns.
        unrecorded = without_tables(before, tables) | dict(facts.unrecorded)
        run = {
            **_run_of(facts, settings),
            "status": state.value,
            "forced": forced,
            "unrecorded": unrecorded or None,
        }
        return lake.commit_run(cluster, day, run, written, before) or changed


# What is made of a measured day and the days before it.
MADE_BESIDE = ("advice", "quota_advice")


@dataclass(frozen=True, slots=True)
class Beside:
    """Rows that were made of a measured day, to be put beside it; run: the day's when they were made."""

    rows: pa.Table
    run: Run


def commit_beside(lake: Lake, cluster: str, day: Day, table: str, rows: pa.Table, before: Run) -> bool:
    """Write a table that was made of a measured day, whose run is `before`. True when anything was committed.

    Raises what the lake raises.
    """
    with lake.replacing(cluster, day, {table: rows}, before) as written:
        run = {name: value for name, value in before.items() if name not in ("content", "files", "versions")}
        run["unrecorded"] = without_tables(before, [table]) or None
        lake.commit_run(cluster, day, run, written, before)
    return written[table].changed


def without_tables(run: Run | None, tables: Iterable[str]) -> dict[str, str]:
    """What `runs` says was not recorded, but of these tables."""
    said = (run["unrecorded"] if run else None) or {}
    return {table: columns for table, columns in said.items() if table not in set(tables)}


def clear_beside(lake: Lake, cluster: str, day: Day) -> None:
    """Empty what is made of a measured day, before it is made anew: its files may be damaged, and it is read for that.

    Raises what the lake raises.
    """
    for table in MADE_BESIDE:
        commit_beside(lake, cluster, day, table, empty(table), measured_run(lake, cluster, day))


def measured_run(lake: Lake, cluster: str, day: Day) -> Run:
    """The run of a day that readers see; raises ConfigError when it is not there."""
    run = lake.run(cluster, day)
    if run is None or lake.days(cluster).get(day.date) not in READABLE:
        raise ConfigError(
            f"{day} of cluster {cluster} is not in the lake",
            f"measure it first: costlab nightly --date {day}{_newest(lake, cluster)}",
        )
    return run


def _newest(lake: Lake, cluster: str) -> str:
    """Which day could be asked for instead: a lake of the demo, or one whose night failed, has no yesterday."""
    days = [day for day, state in lake.days(cluster).items() if state in READABLE]
    return f"; the newest that is there is {max(days)}: --date {max(days)}" if days else ""


def _run_of(facts: Facts, settings: Settings) -> dict[str, Any]:
    """What `runs` says of how a day was observed and priced."""
    return {
        "coverage": facts.coverage,
        "signals": {name: str(count) for name, count in sorted(facts.samples.items())},
        "signal_coverage": {name: f"{share:.6f}" for name, share in sorted(facts.signal_coverage.items())},
        "scrape_interval_s": {
            name: f"{interval_s:.10g}" for name, interval_s in sorted(facts.scrape_interval_s.items())
        },
        "samples": sum(facts.samples.values()),
        "source": facts.source,
        "engine": facts.engine,
        "limits": dict(sorted(facts.limits.items())),
        "warnings": list(facts.warnings),
        "costlab_version": __version__,
        "config_hash": settings.config_hash,
        "prices_hash": prices_hash(settings.prices, settings.book),
    }


def findings_table(findings: list[Finding], cluster: str, day: Day) -> pa.Table:
    """Rows of `findings`."""
    if not findings:
        return empty("findings")
    columns = {
        "cluster": cluster, "date": day.date, "rule": [f.rule for f in findings],
        "severity": [f.severity.value for f in findings], "subject": [f.subject for f in findings],
        "message": [f.message for f in findings],
        "amount": pa.array([f.amount for f in findings], pa.decimal128(18, 6)),
    }  # fmt: skip
    return conform("findings", columns)


def facts_in(lake: Lake, cluster: str, day: Day) -> Facts | None:
    """The facts that an earlier extraction left in the lake; None when there are none of the day, or only parts.

    Raises ConfigError when some of them were deleted because of their age.
    """
    run = lake.run(cluster, day)
    if run is None or lake.days(cluster)[day.date] is DayState.REPAIR:
        return None
    if gone := [name for name in OBSERVED if run["files"].get(name) == PRUNED]:
        raise ConfigError(
            f"{day} of cluster {cluster} cannot be charged again: retention has deleted its {', '.join(gone)}",
            f"its charges stand as they are; if Prometheus still has the day: costlab nightly --date {day}",
        )
    return facts_of(lake, cluster, day, run)


def facts_of(lake: Lake, cluster: str, day: Day, run: Run) -> Facts:
    """The facts of a day by its `runs` row, whose observed tables all stand in the lake."""
    rows = lake.read("findings", cluster, day).to_pylist()
    return Facts(
        tables={
            name: lake.filed(name, cluster, day) if name in BULKY else lake.read(name, cluster, day)
            for name in OBSERVED
        },
        findings=tuple(
            Finding(row["rule"], Severity(row["severity"]), row["subject"], row["message"], row["amount"])
            for row in rows
            if row["rule"] not in COMPUTE_RULES
        ),
        coverage=run["coverage"],
        signal_coverage={name: float(share) for name, share in run["signal_coverage"].items()},
        samples={name: int(count) for name, count in run["signals"].items()},
        scrape_interval_s={name: float(text) for name, text in run["scrape_interval_s"].items()},
        source=run["source"],
        engine=run["engine"],
        limits=run["limits"],
        warnings=tuple(run["warnings"]),
        unrecorded={name: said for name, said in (run["unrecorded"] or {}).items() if name in OBSERVED},
    )
