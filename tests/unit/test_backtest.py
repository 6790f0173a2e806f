"""A backtest over a small lake whose figures are known by hand, and how it refuses."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from test_cli import demo, run, says

from costlab.config.advising import Rightsizing
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.domain.tables import TABLES
from costlab.domain.units import GIB
from costlab.jobs.asked import Filters
from costlab.jobs.rightsizing import samples
from costlab.jobs.rightsizing.backtest import AS_REQUESTED, Backtest, backtest, policies_named
from costlab.render.frontier import Point, frontier
from costlab.store.schema import conform
from costlab.store.warehouse import Warehouse

FIRST = date(2026, 11, 20)
WINDOW = Dates(FIRST, FIRST + timedelta(days=3))
__all__ = ["demo"]


def lake(last_day_gib: float) -> dict[str, pa.Table]:
    """One container for three days: it requests 2 cores and 4 GiB, uses half a core and 1 GiB, the last day more memory."""
    midnights = [datetime(2026, 11, 20 + day, tzinfo=UTC) for day in range(3)]
    whose = {
        "cluster": "c", "container_key": 1, "namespace": "ns", "workload_kind": "Deployment", "workload": "web",
        "pod": "web-1", "pod_uid": "u", "container": "app", "team": "x", "class": "service", "node": "n",
        "labels": [], "kind": "workload", "unit": "", "billed_quantity": 1.0,
    }  # fmt: skip
    occupied = [
        {**whose, "date": at.date(), "start": at, "end": at + timedelta(days=1), "cpu_request": 2.0,
         "memory_request": 4.0 * GIB}
        for at in midnights
    ]  # fmt: skip
    used = [
        {"cluster": "c", "date": at.date(), "container_key": 1, "ts": at + timedelta(minutes=minute), "dt_s": 60.0,
         "cpu_cores": 0.5, "memory_bytes": (last_day_gib if day == 2 and 60 <= minute < 90 else 1.0) * GIB}
        for day, at in enumerate(midnights) for minute in range(1440)
    ]  # fmt: skip
    charged = [
        {**whose, "date": at.date(), "resource": resource, "unit_price": price, "currency": "USD"}
        for at in midnights for resource, price in (("cpu", 0.1), ("memory", 0.05))
    ]  # fmt: skip
    tables = {"containers": occupied, "container_usage": used, "charges": charged}
    return {name: table(name, rows) for name, rows in tables.items()}


def table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    columns = TABLES[name].column_names
    return conform(name, {column: [row.get(column) for row in rows] for column in columns})


def result_of(tables: dict[str, pa.Table], *policies: str, train: int = 2, **filters: str) -> Backtest:
    warehouse = Warehouse.over_tables(tables)
    named = policies_named(policies)
    return backtest(warehouse, named, WINDOW, train, Filters(**filters), "UTC", Rightsizing(), worst=1)


def test_a_day_that_nobody_could_foresee_is_told_by_name() -> None:
    found = result_of(lake(2.0), "krr-simple", "kubecost")
    now, krr, kubecost = found.rows.to_pylist()
    assert [row["policy"] for row in (now, krr, kubecost)] == [AS_REQUESTED, "krr-simple", "kubecost"]
    assert (krr["container_days"], krr["memory_violation_share_cd"], krr["memory_episodes"]) == (1, 1.0, 1)
    assert krr["memory_violation_minutes_cd"] == pytest.approx(30)
    mib = 2**20
    # 1 GiB and 15 %, up to a whole MiB
    assert krr["memory_shortfall_max"] == pytest.approx(2 * GIB / (1178 * mib) - 1)
    assert krr["cost"] == pytest.approx(24 * (0.5 * 0.1 + 1178 / 1024 * 0.05))
    assert now["cost"] == pytest.approx(24 * (2 * 0.1 + 4 * 0.05))
    assert krr["savings_net"] == pytest.approx(now["cost"] - krr["cost"])
    assert (now["memory_violation_share_cd"], now["coverage_cw"], krr["coverage_cw"]) == (0, 0, 1)
    worst = found.worst[0]
    assert (worst.policy, worst.workload, worst.date) == ("krr-simple", "web", "2026-11-22")
    assert worst.peak_bytes == 2 * GIB


def test_a_quiet_day_has_no_violation_and_none_is_named() -> None:
    found = result_of(lake(1.1), "krr-simple")
    assert found.rows["memory_violation_share_cd"].to_pylist() == [0, 0]
    assert not found.worst


def test_without_enough_past_there_is_a_reason_and_the_request_stays() -> None:
    found = result_of(lake(1.0), "krr-simple", train=0)
    assert found.refusals["krr-simple"] == {"cpu: not_observed": 1, "memory: not_observed": 1}
    assert found.rows["coverage_cw"][1].as_py() == pytest.approx(2 / 3)
    assert [band.container_days for band in found.ages["krr-simple"]] == [1, 2, 0]


def test_what_cannot_be_tested_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="leaves none to be scored"):
        result_of(lake(1.0), train=3)
    with pytest.raises(ConfigError, match="no usage of such containers"):
        result_of(lake(1.0), namespace="other")
    with pytest.raises(ConfigError, match="no policy is called 'krr'"):
        policies_named(["krr"])
    monkeypatch.setattr(samples, "MOST_STRETCHES", 1000)
    with pytest.raises(ConfigError, match="4,320 stretches"):
        result_of(lake(1.0))


def test_the_command_says_what_is_wrong(demo: object) -> None:
    lake_of = ("--lake", f"{demo}/lake")
    says(run("backtest", "--policy", "vpa,krr-simpl", *lake_of), 2, "no policy is called", "krr-simple?")
    says(run("backtest", "--train", "two weeks", *lake_of), 2, "not a number of days", "14d")
    says(run("backtest", "--plot", "x.gif", *lake_of), 2, "x.gif", ".svg")
    window = ("--window", "2026-11-20", "--train", "1d")  # the demo has that day
    says(run("backtest", "--policy", "vpa", *window, *lake_of), 2, "leaves none to be scored", "--train")


def test_the_frontier_names_every_rule_and_is_the_same_twice() -> None:
    points = [Point("as requested", 1.0, 0.0, 0.0, 0.0), Point("a <rule>", 0.5, 0.02, 0.01, 0.03, own=True)]
    picture = frontier(points, "Rules", "svg")
    assert picture == frontier(points, "Rules", "svg")
    assert all(name in picture.decode() for name in ("as requested", "a &lt;rule&gt;", "none", "10%"))
    assert frontier(points, "Rules", "png").startswith(b"\x89PNG")
