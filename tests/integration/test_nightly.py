"""The main job from end to end: the synthetic cluster directly, and through a real Prometheus."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from real_world import CLUSTER, settings_in

from costlab.config.settings import Settings
from costlab.domain.errors import Busy, ConfigError, ExitCode, SourceRefused, SourceUnavailable, WorseDay
from costlab.domain.signals import Series, Signal, no_series
from costlab.domain.time import Day, Window
from costlab.jobs.measure import compute_day, extract_day, measure_day
from costlab.jobs.nightly import Asked, nightly
from costlab.sources.prometheus.source import PrometheusSource
from costlab.sources.synthetic import SyntheticCluster, SyntheticSource
from costlab.store.content import content_hash
from costlab.store.lake import DayState, Lake
from costlab.store.warehouse import Warehouse

MEASURED = ("containers", "nodes", "container_usage", "gpu_usage", "gpus", "charges", "findings")


class Hiding(SyntheticSource):
    """The synthetic cluster without some of its signals."""

    hidden: tuple[Signal, ...] = ()

    def fetch(self, signal: Signal, window: Window) -> Series:
        return no_series(signal) if signal in self.hidden else super().fetch(signal, window)


@pytest.fixture(scope="module")
def day(synthetic_cluster: SyntheticCluster) -> Day:
    return synthetic_cluster.days[-1]


def rows(lake: Lake, table: str, day: Day) -> tuple[int, str]:
    """How many rows there are, and their hash: NaN equals NaN, to the bit."""
    held = lake.read(table, CLUSTER, day)
    return held.num_rows, content_hash(held)


def stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if not path.name.startswith(".lock")}


def night(settings: Settings, synthetic_cluster: SyntheticCluster, **asked: object) -> tuple[str, list[str]]:
    said: list[str] = []
    after = datetime(2026, 11, 21, 3, tzinfo=UTC)
    outcome = nightly(
        settings,
        Asked(**asked),
        now=after,
        source_of=lambda _: SyntheticSource(synthetic_cluster),
        say=said.append,
    )  # type: ignore[arg-type] # the fields of Asked
    return outcome.line, said


@pytest.mark.prometheus
def test_prometheus_and_the_direct_way_give_identical_lakes(
    synthetic_cluster: SyntheticCluster, synthetic_prometheus: str, day: Day, tmp_path: Path
) -> None:
    settings = settings_in(tmp_path, synthetic_prometheus)
    lakes = [Lake.create(tmp_path / name) for name in ("direct", "prometheus")]
    sources = (SyntheticSource(synthetic_cluster), PrometheusSource(settings.clusters[0].prometheus))
    for lake, source in zip(lakes, sources, strict=True):
        measure_day(source, lake, settings, CLUSTER, day)
    direct, through = lakes
    for table in MEASURED:
        assert rows(direct, table, day) == rows(through, table, day), table
    ran, read = direct.run(CLUSTER, day), through.run(CLUSTER, day)
    assert ran is not None
    assert read is not None
    assert (ran["content"], ran["signals"]) == (read["content"], read["signals"])
    assert read["source"].startswith("Prometheus 2.")


@pytest.mark.prometheus
def test_a_second_night_commits_nothing(synthetic_prometheus: str, day: Day, tmp_path: Path) -> None:
    settings, said = settings_in(tmp_path, synthetic_prometheus), list[str]()
    asked = Asked(date=day)
    ways = {"now": datetime(2026, 11, 21, 3, tzinfo=UTC), "say": said.append}
    first = nightly(
        settings,
        asked,
        source_of=lambda c: PrometheusSource(c.prometheus),
        **ways,  # type: ignore[arg-type]
    )
    before = stamps(tmp_path)
    second = nightly(
        settings,
        asked,
        source_of=lambda c: PrometheusSource(c.prometheus),
        **ways,  # type: ignore[arg-type]
    )
    assert first.exit_code is second.exit_code is ExitCode.DONE
    assert stamps(tmp_path) == before
    assert "nothing committed" in second.line
    assert (tmp_path / "reports" / CLUSTER / "latest" / "index.html").stat().st_size < 300_000
    third = nightly(settings, Asked(), source_of=lambda c: PrometheusSource(c.prometheus), **ways)  # type: ignore[arg-type]
    assert third.line == "nothing was due"


def test_extract_then_compute_is_the_same_day(
    synthetic_cluster: SyntheticCluster, day: Day, tmp_path: Path
) -> None:
    settings = settings_in(tmp_path)
    whole, stepwise = Lake.create(tmp_path / "whole"), Lake.create(tmp_path / "stepwise")
    source = SyntheticSource(synthetic_cluster)
    measure_day(source, whole, settings, CLUSTER, day)
    extract_day(source, stepwise, settings, CLUSTER, day)
    assert stepwise.days(CLUSTER) == {day.date: DayState.EXTRACTED}
    assert Warehouse.over(stepwise).sql("select pod from containers").num_rows == 0
    compute_day(stepwise, settings, CLUSTER, day)
    for table in MEASURED:
        assert rows(whole, table, day) == rows(stepwise, table, day), table


def test_new_prices_change_the_money_and_nothing_else(
    synthetic_cluster: SyntheticCluster, day: Day, tmp_path: Path
) -> None:
    settings, lake = settings_in(tmp_path), Lake.create(tmp_path / "lake")
    measure_day(SyntheticSource(synthetic_cluster), lake, settings, CLUSTER, day)
    before = Warehouse.over(lake).sql(
        "select sum(cost) as cost, sum(billed_quantity) as quantity from charges"
    )
    doubled = settings_in(tmp_path, prices={"gpu_hour": 5.0, "cpu_core_hour": 0.2, "memory_gib_hour": 0.1})
    compute_day(lake, doubled, CLUSTER, day)
    after = Warehouse.over(lake).sql(
        "select sum(cost) as cost, sum(billed_quantity) as quantity from charges"
    )
    (old,), (new,) = before.to_pylist(), after.to_pylist()
    # Each node's price is rounded by itself, and a container's part by largest remainder: a micro-unit a row.
    assert abs(new["cost"] - 2 * old["cost"]) <= Decimal("0.0003")
    assert new["quantity"] == old["quantity"]


def test_a_price_that_nobody_knows_is_null_and_said(
    synthetic_cluster: SyntheticCluster, day: Day, tmp_path: Path
) -> None:
    settings, lake = settings_in(tmp_path, prices={"gpu_hour": None}), Lake.create(tmp_path / "lake")
    measure_day(SyntheticSource(synthetic_cluster), lake, settings, CLUSTER, day)
    door = Warehouse.over(lake)
    (unpriced,) = door.sql(
        "select count(*) as n, count(cost) as priced from charges where resource = 'gpu'"
    ).to_pylist()
    assert unpriced["n"] > 0 == unpriced["priced"]
    assert door.sql("select * from findings where rule = 'price_unknown'").num_rows == 4


def test_a_day_is_never_replaced_by_a_worse_one(
    synthetic_cluster: SyntheticCluster, day: Day, tmp_path: Path
) -> None:
    settings, lake = settings_in(tmp_path), Lake.create(tmp_path / "lake")
    measure_day(SyntheticSource(synthetic_cluster), lake, settings, CLUSTER, day)
    before = stamps(lake.path)
    worse = Hiding(synthetic_cluster)
    worse.hidden = (Signal.MEMORY_BYTES,)
    with pytest.raises(WorseDay, match=r"memory_bytes is gone, coverage \d") as caught:
        measure_day(worse, lake, settings, CLUSTER, day)
    assert caught.value.exit_code == 3
    assert stamps(lake.path) == before
    outcome = measure_day(worse, lake, settings, CLUSTER, day, force="the kubelet was gone")
    assert outcome.exit_code is ExitCode.INCOMPLETE
    run = lake.run(CLUSTER, day)
    assert run is not None
    assert (run["forced"], run["status"]) == ("the kubelet was gone", "incomplete")


@pytest.mark.parametrize(
    "hidden", [tuple(Signal), (Signal.POD_INFO,), (Signal.POD_PHASE, Signal.CONTAINER_REQUEST)]
)
def test_without_kube_state_metrics_nothing_is_committed(
    synthetic_cluster: SyntheticCluster, day: Day, tmp_path: Path, hidden: tuple[Signal, ...]
) -> None:
    source = Hiding(synthetic_cluster)
    source.hidden = hidden
    lake = Lake.create(tmp_path / "lake")
    before = stamps(lake.path)
    with pytest.raises(SourceRefused, match="kube-state-metrics gives nothing for 2026-11-20") as caught:
        measure_day(source, lake, settings_in(tmp_path), CLUSTER, day)
    assert "costlab doctor" in caught.value.hint
    assert stamps(lake.path) == before


def test_without_cadvisor_a_day_is_billed_by_requests_and_incomplete(
    synthetic_cluster: SyntheticCluster, day: Day, tmp_path: Path
) -> None:
    source, lake = Hiding(synthetic_cluster), Lake.create(tmp_path / "lake")
    source.hidden = (Signal.CPU_SECONDS, Signal.MEMORY_BYTES, Signal.CONTAINER_START_TIME)
    outcome = measure_day(source, lake, settings_in(tmp_path), CLUSTER, day)
    assert outcome.exit_code is ExitCode.INCOMPLETE
    door = Warehouse.over(lake)
    (seen,) = door.sql(
        "select sum(cost_used) as used, sum(cost_unobserved) as unobserved from charges "
        "where resource = 'cpu' and container <> ''"
    ).to_pylist()
    assert seen["used"] == 0 < seen["unobserved"]
    assert door.sql("select * from findings where rule = 'signal_missing'").num_rows == 2


def test_nights_catch_up_and_end_when_nothing_is_missing(
    synthetic_cluster: SyntheticCluster, tmp_path: Path
) -> None:
    settings = settings_in(tmp_path)
    night(settings, synthetic_cluster, date=synthetic_cluster.days[-3])
    line, said = night(settings, synthetic_cluster)
    assert [text.split(":")[0] for text in said] == [
        f"{CLUSTER} {day}" for day in synthetic_cluster.days[-2:]
    ]
    assert "complete" in line
    assert night(settings, synthetic_cluster) == ("nothing was due", [])


def test_a_day_that_is_not_over_is_for_later(
    synthetic_cluster: SyntheticCluster, day: Day, tmp_path: Path
) -> None:
    with pytest.raises(Busy, match="2026-11-21 is not over yet") as caught:
        night(settings_in(tmp_path), synthetic_cluster, date=day.next)
    assert "2026-11-22 00:05 UTC" in caught.value.hint


def test_a_dead_prometheus_leaves_the_lake_as_it_was(tmp_path: Path, day: Day) -> None:
    settings = settings_in(tmp_path)
    with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1:9"):
        nightly(
            settings,
            Asked(date=day),
            now=datetime(2026, 11, 21, 3, tzinfo=UTC),
            source_of=lambda c: PrometheusSource(c.prometheus),
            say=lambda _: None,
        )
    assert Lake.open(settings.lake).days(CLUSTER) == {}


def test_compute_needs_an_extracted_day(tmp_path: Path, day: Day) -> None:
    with pytest.raises(ConfigError, match="is not in the lake") as caught:
        compute_day(Lake.create(tmp_path / "lake"), settings_in(tmp_path), CLUSTER, day)
    assert "costlab extract --date 2026-11-20" in caught.value.hint
