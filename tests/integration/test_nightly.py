"""The main job from end to end: the synthetic cluster directly, and through a real Prometheus."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from real_world import CLUSTER, last_day_measured, settings_in

from costlab.config.book import PriceBook
from costlab.config.settings import Cluster, Settings
from costlab.domain.errors import (
    Busy,
    ConfigError,
    CostlabError,
    ExitCode,
    LakeError,
    ReconcileError,
    SourceRefused,
    SourceUnavailable,
    WorseDay,
)
from costlab.domain.signals import Series, Signal, join_series, no_series
from costlab.domain.time import HOUR_MS, Day, Window, milliseconds
from costlab.jobs.due import Asked, unreported
from costlab.jobs.measure import Held, Ready, compute_day, extract_day, measure_day, ready_day, refuse_open
from costlab.jobs.nightly import ClusterEnd, nightly
from costlab.jobs.outcome import Outcome
from costlab.jobs.posts import Post, State
from costlab.jobs.report import FILES
from costlab.sources import Source
from costlab.sources.prometheus.source import PrometheusSource
from costlab.sources.synthetic import SyntheticCluster, SyntheticSource
from costlab.store.content import content_hash
from costlab.store.lake import DayState, Lake
from costlab.store.posts import Slot
from costlab.store.rows import RowFolder
from costlab.store.warehouse import Warehouse

SourceOf = Callable[[Cluster, Day], Source]
MEASURED = ("containers", "nodes", "container_usage", "gpu_usage", "gpus", "charges", "findings")


class Hiding(SyntheticSource):
    """The synthetic cluster without some of its signals."""

    hidden: tuple[Signal, ...] = ()

    def fetch(self, signal: Signal, window: Window) -> Series:
        return no_series(signal) if signal in self.hidden else super().fetch(signal, window)


@pytest.fixture(scope="module")
def day(synthetic_cluster: SyntheticCluster) -> Day:
    return synthetic_cluster.days[-1]


@pytest.fixture
def measured(synthetic_cluster: SyntheticCluster, shared_folder: Path, tmp_path: Path) -> Lake:
    """A lake with that day, to be written."""
    return Lake.open(
        copytree(last_day_measured(synthetic_cluster, shared_folder) / "lake", tmp_path / "lake")
    )


def rows(lake: Lake, table: str, day: Day) -> tuple[int, str]:
    """How many rows there are, and their hash: NaN equals NaN, to the bit."""
    held = lake.read(table, CLUSTER, day)
    return held.num_rows, content_hash(held)


def stamps(folder: Path) -> dict[Path, int]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".lock"))
    return {path: path.stat().st_mtime_ns for path in files}


def night(
    settings: Settings, source_of: SourceOf, asked: Asked, said: list[str] | None = None
) -> tuple[Outcome, list[str]]:
    """How the night of 21 November ends, and what it said of each day."""
    said = [] if said is None else said
    now = datetime(2026, 11, 21, 3, tzinfo=UTC)
    return nightly(settings, asked, now=now, source_of=source_of, say=said.append), said


def later(settings: Settings, said: list[str]) -> None:
    """The night of 30 November, which can read nothing."""
    now = datetime(2026, 11, 30, 3, tzinfo=UTC)
    nightly(settings, Asked(), now=now, source_of=no_source, say=said.append)


def prometheus(cluster: Cluster, _: Day) -> Source:
    return PrometheusSource(cluster.prometheus)


@pytest.mark.prometheus
def test_prometheus_and_the_direct_way_give_identical_lakes(
    synthetic_prometheus: str, day: Day, measured: Lake, tmp_path: Path
) -> None:
    settings = settings_in(tmp_path, synthetic_prometheus)
    direct, through = measured, Lake.create(tmp_path / "prometheus")
    measure_day(PrometheusSource(settings.clusters[0].prometheus), through, settings, CLUSTER, day)
    for table in MEASURED:
        assert rows(direct, table, day) == rows(through, table, day), table
    ran, read = direct.run(CLUSTER, day), through.run(CLUSTER, day)
    assert ran is not None
    assert read is not None
    assert (ran["content"], ran["signals"]) == (read["content"], read["signals"])
    assert read["source"].startswith("Prometheus 2.")


@pytest.mark.prometheus
def test_a_second_night_commits_nothing(synthetic_prometheus: str, day: Day, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, synthetic_prometheus)
    first, _ = night(settings, prometheus, Asked(date=day))
    before = stamps(tmp_path)
    second, _ = night(settings, prometheus, Asked(date=day))
    assert first.exit_code is second.exit_code is ExitCode.DONE
    assert stamps(tmp_path) == before
    assert "nothing committed" in second.line
    assert (tmp_path / "reports" / CLUSTER / "latest" / "index.html").stat().st_size < 300_000
    third, said = night(settings, prometheus, Asked())
    assert (third.line, said) == ("nothing was due", [])


def test_extract_then_compute_is_the_same_day(
    synthetic_cluster: SyntheticCluster, day: Day, measured: Lake, tmp_path: Path
) -> None:
    settings, stepwise = settings_in(tmp_path), Lake.create(tmp_path / "stepwise")
    extract_day(SyntheticSource(synthetic_cluster), stepwise, settings, CLUSTER, day)
    assert stepwise.days(CLUSTER) == {day.date: DayState.EXTRACTED}
    assert Warehouse.over(stepwise).sql("select pod from containers").num_rows == 0
    compute_day(stepwise, settings, CLUSTER, day)
    for table in MEASURED:
        assert rows(measured, table, day) == rows(stepwise, table, day), table
    at_once, by_steps = measured.run(CLUSTER, day), stepwise.run(CLUSTER, day)
    assert at_once is not None
    assert by_steps is not None
    assert at_once["scrape_interval_s"] == by_steps["scrape_interval_s"]
    told = at_once["scrape_interval_s"]
    assert (told["pod_info"], told["gpu_power"]) == ("120", "60")
    assert float(told["cpu_seconds"]) == pytest.approx(
        60, abs=0.1
    )  # cAdvisor's samples have their own instants


def test_new_prices_change_the_money_and_nothing_else(day: Day, measured: Lake, tmp_path: Path) -> None:
    before = Warehouse.over(measured).sql(
        "select sum(cost) as cost, sum(billed_quantity) as quantity from charges"
    )
    twice = {"gpu_hour": 5.0, "cpu_core_hour": 0.2, "memory_gib_hour": 0.1, "storage_gib_hour": 0.0002}
    doubled = settings_in(tmp_path, prices=twice)
    compute_day(measured, doubled, CLUSTER, day)
    after = Warehouse.over(measured).sql(
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
    synthetic_cluster: SyntheticCluster, day: Day, measured: Lake, tmp_path: Path
) -> None:
    settings, lake = settings_in(tmp_path), measured
    before = stamps(Path(str(lake.path)))
    worse = Hiding(synthetic_cluster)
    worse.hidden = (Signal.MEMORY_BYTES,)
    with pytest.raises(WorseDay, match=r"memory_bytes is gone, coverage \d") as caught:
        measure_day(worse, lake, settings, CLUSTER, day)
    assert caught.value.exit_code == 3
    assert stamps(Path(str(lake.path))) == before
    outcome = measure_day(worse, lake, settings, CLUSTER, day, force="the kubelet was gone")
    assert outcome.exit_code is ExitCode.INCOMPLETE
    run = lake.run(CLUSTER, day)
    assert run is not None
    assert (run["forced"], run["status"]) == ("the kubelet was gone", "incomplete")


def test_samples_that_came_late_make_the_day_anew(
    synthetic_cluster: SyntheticCluster, day: Day, measured: Lake, tmp_path: Path
) -> None:
    class Early(SyntheticSource):
        """It was asked when a quarter of the day had not arrived."""

        def fetch(self, signal: Signal, window: Window) -> Series:
            arrived = Window(window.start_ms, window.end_ms - 6 * HOUR_MS)
            usage = signal in (Signal.CPU_SECONDS, Signal.MEMORY_BYTES)
            return super().fetch(signal, arrived if usage else window)

    settings, lake = settings_in(tmp_path), Lake.create(tmp_path / "early")
    assert (
        measure_day(Early(synthetic_cluster), lake, settings, CLUSTER, day).exit_code is ExitCode.INCOMPLETE
    )
    early = lake.run(CLUSTER, day)
    measure_day(SyntheticSource(synthetic_cluster), lake, settings, CLUSTER, day)
    late = lake.run(CLUSTER, day)
    whole = measured.run(CLUSTER, day)
    assert early is not None
    assert late is not None
    assert whole is not None
    assert early["coverage"] < late["coverage"]
    assert late["content"] == whole["content"] != early["content"]


UNUSED = (Signal.CPU_SECONDS, Signal.MEMORY_BYTES, Signal.CONTAINER_START_TIME)


def hiding(cluster: SyntheticCluster, hidden: tuple[Signal, ...], asked: list[Day]) -> SourceOf:
    """Sources without some signals, and the days that they were asked for."""

    def source_of(_: Cluster, day: Day) -> Source:
        asked.append(day)
        source = Hiding(cluster)
        source.hidden = hidden
        return source

    return source_of


def test_a_night_reads_incomplete_days_again_and_what_came_late_makes_them_anew(
    synthetic_cluster: SyntheticCluster, tmp_path: Path
) -> None:
    """Of its own accord those of the last three days."""
    days, settings, asked = synthetic_cluster.days, settings_in(tmp_path / "late"), list[Day]()
    early, whole = (hiding(synthetic_cluster, hidden, asked) for hidden in (UNUSED, ()))
    assert night(settings, early, Asked(since=days[-4]))[0].exit_code is ExitCode.INCOMPLETE
    assert asked == list(days[-4:])

    before, asked[:] = stamps(tmp_path / "late"), []
    again, said = night(settings, early, Asked())
    assert asked == list(days[-3:]), "and no fourth, though it is incomplete"
    assert (again.exit_code, said) == (ExitCode.DONE, []), "which was told before"
    assert stamps(tmp_path / "late") == before

    ends, asked[:] = list[ClusterEnd](), []
    now = datetime(2026, 11, 21, 3, tzinfo=UTC)
    late = nightly(
        settings, Asked(since=days[-4]), now=now, source_of=whole, say=said.append, ended=ends.append
    )
    assert (late.exit_code, ends) == (ExitCode.DONE, [ClusterEnd(CLUSTER, ExitCode.DONE, 4)])
    assert asked == list(days[-4:]), "--since reaches further"
    undisturbed = settings_in(tmp_path / "undisturbed")
    night(undisturbed, whole, Asked(since=days[-4]))
    ours, theirs = Lake.open(settings.lake), Lake.open(undisturbed.lake)
    for day in days[-4:]:
        assert ours.days(CLUSTER)[day.date] is DayState.COMPLETE
        assert ours.run(CLUSTER, day)["content"] == theirs.run(CLUSTER, day)["content"]  # type: ignore[index]  # they are there
    asked[:] = []
    night(settings, whole, Asked())
    assert asked == [], "whole days are not read again"


def test_an_incomplete_day_that_the_source_has_forgotten_stays_and_is_no_fault_of_the_night(
    synthetic_cluster: SyntheticCluster, tmp_path: Path
) -> None:
    days, settings, asked = synthetic_cluster.days, settings_in(tmp_path), list[Day]()
    night(settings, hiding(synthetic_cluster, UNUSED, asked), Asked(since=days[-2]))
    page = settings.report.out / CLUSTER / str(days[-1]) / "index.html"
    before, report = stamps(tmp_path / "lake"), page.read_bytes()
    page.unlink()
    kept, said = night(settings, hiding(synthetic_cluster, tuple(Signal), asked), Asked())
    assert kept.exit_code is ExitCode.DONE
    assert [line.partition(": kube")[0] for line in said if "read again" in line] == [
        f"{CLUSTER} {day}: read again, and it stays as it is" for day in days[-2:]
    ]
    assert stamps(tmp_path / "lake") == before
    assert page.read_bytes() == report, "it was due all the same"


@pytest.mark.parametrize(
    "fault", [SourceUnavailable("gone", "h"), LakeError("torn", "h"), ReconcileError("off", "h")]
)
def test_whatever_keeps_an_incomplete_day_from_being_read_again_the_due_ones_are_done(
    synthetic_cluster: SyntheticCluster, tmp_path: Path, fault: CostlabError
) -> None:
    days, settings = synthetic_cluster.days, settings_in(tmp_path)
    before = datetime(2026, 11, 20, 3, tzinfo=UTC)
    nightly(
        settings, Asked(days[-2]), now=before, source_of=hiding(synthetic_cluster, UNUSED, []), say=lambda _: None
    )  # fmt: skip

    def source_of(_: Cluster, day: Day) -> Source:
        if day == days[-2]:
            raise fault
        return SyntheticSource(synthetic_cluster)

    outcome, said = night(settings, source_of, Asked())
    assert outcome.exit_code is ExitCode.DONE
    assert f"{CLUSTER} {days[-2]}: read again, and it stays as it is: {fault.message}" in said
    assert Lake.open(settings.lake).days(CLUSTER) == {
        days[-2].date: DayState.INCOMPLETE,
        days[-1].date: DayState.COMPLETE,
    }


def test_a_day_that_failed_is_graver_to_its_cluster_than_one_that_is_incomplete(
    synthetic_cluster: SyntheticCluster, tmp_path: Path
) -> None:
    """The higher code is that of the incomplete one, with which a cluster counts as having had a success."""
    days = synthetic_cluster.days

    def source_of(_: Cluster, day: Day) -> Source:
        source = Hiding(synthetic_cluster)
        source.hidden = tuple(Signal) if day == days[-1] else UNUSED
        return source

    ends: list[ClusterEnd] = []
    now, asked = datetime(2026, 11, 21, 3, tzinfo=UTC), Asked(since=days[-2])
    with pytest.raises(SourceRefused, match=f"not measured: {CLUSTER} {days[-1]}; in the lake"):
        nightly(
            settings_in(tmp_path), asked, now=now, source_of=source_of, say=lambda _: None, ended=ends.append
        )
    assert ends == [ClusterEnd(CLUSTER, ExitCode.SOURCE_FAILED, 1)]


@pytest.mark.parametrize(
    "hidden", [tuple(Signal), (Signal.POD_INFO,), (Signal.POD_PHASE, Signal.CONTAINER_REQUEST)]
)
def test_without_kube_state_metrics_nothing_is_committed(
    synthetic_cluster: SyntheticCluster, day: Day, tmp_path: Path, hidden: tuple[Signal, ...]
) -> None:
    source = Hiding(synthetic_cluster)
    source.hidden = hidden
    lake = Lake.create(tmp_path / "lake")
    before = stamps(Path(str(lake.path)))
    with pytest.raises(SourceRefused, match="kube-state-metrics gives nothing for 2026-11-20") as caught:
        measure_day(source, lake, settings_in(tmp_path), CLUSTER, day)
    assert "costlab doctor" in caught.value.hint
    assert stamps(Path(str(lake.path))) == before


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


@pytest.mark.parametrize("code", [ExitCode.USAGE, ExitCode.BUSY])
def test_a_post_that_failed_outranks_an_incomplete_day(
    synthetic_cluster: SyntheticCluster, day: Day, tmp_path: Path, code: ExitCode
) -> None:
    """Code 4 means that all went well but for what the source lacks."""
    notify = [{"channel": "slack", "url_env": "A"}]

    def posts(_: Lake, cluster: str, day: Day) -> Iterator[Post]:
        yield Post(Slot(cluster, day.date, "nlp", "slack all"), State.FAILED, exit_code=code)

    outcome = nightly(
        settings_in(tmp_path, notify=notify), Asked(day), now=datetime(2026, 11, 21, 3, tzinfo=UTC),
        source_of=hiding(synthetic_cluster, UNUSED, []), say=lambda _: None, posts=posts,
    )  # fmt: skip
    assert outcome.exit_code is code


def test_nights_catch_up_and_end_when_nothing_is_missing(
    synthetic_cluster: SyntheticCluster, tmp_path: Path
) -> None:
    settings, days = settings_in(tmp_path), synthetic_cluster.days

    def direct(_: Cluster, __: Day) -> Source:
        return SyntheticSource(synthetic_cluster)

    night(settings, direct, Asked(date=days[-3]))
    outcome, said = night(settings, direct, Asked())
    assert [text.split(":")[0] for text in said] == [f"{CLUSTER} {day}" for day in days[-2:]]
    assert "complete" in outcome.line
    assert night(settings, direct, Asked())[1] == []
    home = settings.report.out / CLUSTER
    # An edition that cannot be written ends the night with a code, as a report does.
    (home / "week").write_text("in its place")
    with pytest.raises(ConfigError, match="not written: the pages that lead to the reports"):
        later(settings, [])
    (home / "week").unlink()
    # A week after the week was over, its last days are waited for no longer; what fails meanwhile does not keep it back.
    for wrote in ([f"{CLUSTER}: wrote the edition of 2026-W47"], []):
        said = []
        with pytest.raises(ConfigError, match="not measured: test 2026-11-23"):
            later(settings, said)
        assert [line for line in said if "edition" in line] == wrote
    assert (home / "week/latest.json").read_bytes() == (home / "week/2026-W47.json").read_bytes()
    assert 'href="week/2026-W47.html"' in (home / "index.html").read_text()
    shifted = settings_in(tmp_path, timezone="Europe/Berlin")
    with pytest.raises(ConfigError, match="are of UTC, and the configuration says Europe/Berlin"):
        night(shifted, direct, Asked())


@pytest.mark.parametrize(
    ("offset", "now", "settings", "said", "when"),
    [
        (1, "03:00", {}, "2026-11-21 is not over yet", "2026-11-22 01:00 UTC"),
        (0, "00:59", {}, "2026-11-20 is over, but samples of it may still come", "2026-11-21 01:00 UTC"),
        (0, "00:59", {"settle": "90m"}, "is over, but", "2026-11-21 01:30 UTC; prometheus.settle of test is 90m"),
        (0, "00:04", {"settle": "1s"}, "is over, but", "2026-11-21 00:05 UTC"),  # what max_gap needs
        (0, "01:00", {}, None, None),
        (0, "00:05", {"settle": "1s"}, None, None),
    ],
)  # fmt: skip
def test_a_day_whose_samples_may_still_come_is_for_later(
    day: Day,
    tmp_path: Path,
    offset: int,
    now: str,
    settings: dict[str, str],
    said: str | None,
    when: str | None,
) -> None:
    configured = settings_in(tmp_path, **settings)
    asked = (configured.clusters[0], milliseconds(datetime.fromisoformat(f"2026-11-21T{now}+00:00")))
    which = day.next if offset else day
    if said is None or when is None:
        refuse_open(which, configured, *asked)
        return
    with pytest.raises(Busy, match=said) as caught:
        refuse_open(which, configured, *asked)
    assert when in caught.value.hint


def test_a_night_that_is_too_early_ends_with_busy(
    synthetic_cluster: SyntheticCluster, day: Day, tmp_path: Path
) -> None:
    with pytest.raises(Busy, match="2026-11-21 is not over yet"):
        night(settings_in(tmp_path), lambda *_: SyntheticSource(synthetic_cluster), Asked(date=day.next))


def test_a_dead_prometheus_leaves_the_lake_as_it_was(tmp_path: Path, day: Day) -> None:
    settings = settings_in(tmp_path)
    with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1:9"):
        night(settings, prometheus, Asked(date=day))
    assert Lake.open(settings.lake).days(CLUSTER) == {}


@pytest.mark.parametrize(
    ("timezone", "when", "hours"),
    [("Europe/Berlin", date(2026, 10, 25), 25), ("Australia/Lord_Howe", date(2026, 11, 20), 24)],
)
def test_days_of_other_zones_reconcile(
    synthetic_cluster: SyntheticCluster, tmp_path: Path, timezone: str, when: date, hours: float
) -> None:
    settings, day = settings_in(tmp_path, timezone=timezone), Day(when, timezone)
    lake = Lake.create(settings.lake, timezone)
    measure_day(SyntheticSource(synthetic_cluster), lake, settings, CLUSTER, day)
    (node,) = (
        Warehouse.over(lake)
        .sql(
            "select sum(billed_quantity) as core_hours from charges where node = 'cpu-1' and resource = 'cpu'"
        )
        .to_pylist()
    )
    assert node["core_hours"] == pytest.approx(16 * hours)


def test_a_day_under_repair_is_not_charged(
    synthetic_cluster: SyntheticCluster, day: Day, measured: Lake, tmp_path: Path
) -> None:
    settings, lake = settings_in(tmp_path), measured
    lake.write("containers", CLUSTER, day, lake.read("containers", CLUSTER, day).slice(1))  # and then a crash
    with pytest.raises(ConfigError, match="not in the lake, or not as a whole"):
        compute_day(lake, settings, CLUSTER, day)
    measure_day(SyntheticSource(synthetic_cluster), lake, settings, CLUSTER, day)
    assert lake.days(CLUSTER) == {day.date: DayState.COMPLETE}


def test_a_day_that_cannot_be_measured_does_not_stop_the_next(
    synthetic_cluster: SyntheticCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, days = settings_in(tmp_path), synthetic_cluster.days

    def broken(
        source: Source, held: Held, settings: Settings, cluster: str, day: Day, rooms: RowFolder, **more: Any
    ) -> Ready:
        if day == days[-2]:
            raise ReconcileError("its parts are not its price", "report it")
        return ready_day(source, held, settings, cluster, day, rooms, **more)

    monkeypatch.setattr("costlab.jobs.crew.ready_day", broken)
    said: list[str] = []
    with pytest.raises(ReconcileError) as caught:
        night(settings, lambda *_: SyntheticSource(synthetic_cluster), Asked(since=days[-3]), said)
    assert list(Lake.open(settings.lake).days(CLUSTER)) == [days[-3].date, days[-1].date]
    # What failed is said when it does, and once; the last line tells what became of every day.
    failed = "its parts are not its price"
    assert [failed in line for line in said] == [False, True, False]
    assert caught.value.message == (
        f"not measured: {CLUSTER} 2026-11-19; in the lake: {CLUSTER} 2026-11-18, {CLUSTER} 2026-11-20"
    )
    assert caught.value.hint == "report it"


def test_what_is_wrong_with_all_days_ends_the_cluster(tmp_path: Path, day: Day) -> None:
    settings, said = settings_in(tmp_path), list[str]()
    with pytest.raises(ConfigError) as caught:
        night(settings, no_source, Asked(since=day.previous), said)
    assert caught.value.message == f"not measured: {CLUSTER} 2026-11-19; not tried: {CLUSTER} 2026-11-20"
    assert said == [f"{CLUSTER} 2026-11-19: its token cannot be read"]


def no_source(*_: object) -> Source:
    raise ConfigError("its token cannot be read", "write the token")


def test_the_fault_of_the_only_day_is_said_once(tmp_path: Path, day: Day) -> None:
    said: list[str] = []
    with pytest.raises(ConfigError, match=r"^its token cannot be read$"):
        night(settings_in(tmp_path), no_source, Asked(date=day), said)
    assert said == []


def test_a_report_that_failed_is_due_and_the_day_is_not_measured_again(
    synthetic_cluster: SyntheticCluster, day: Day, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise ConfigError("the report cannot be written", "make room")

    settings, said = settings_in(tmp_path), list[str]()
    with monkeypatch.context() as broken:
        broken.setattr("costlab.jobs.nightly.put_report", full)
        with pytest.raises(ConfigError, match="the report cannot be written"):
            night(settings, lambda *_: SyntheticSource(synthetic_cluster), Asked(), said)
    assert ["committed" in line for line in said] == [True]
    lake = stamps(Path(settings.lake))
    outcome, said = night(settings, no_source, Asked())
    assert (outcome.line, outcome.exit_code) == (f"{CLUSTER} {day}: its report was missing", ExitCode.DONE)
    assert stamps(Path(settings.lake)) == lake
    page = tmp_path / "reports" / CLUSTER / str(day) / "index.html"
    assert page.is_file()
    page.with_name("teams.csv").unlink()
    assert night(settings, no_source, Asked())[0].line == outcome.line
    assert night(settings, no_source, Asked())[0].line == "nothing was due"
    page.unlink()
    kept, later = Lake.open(settings.lake), datetime(2026, 11, 24, 3, tzinfo=UTC)
    asked = [unreported(kept, keeping_reports(settings, n), CLUSTER, Asked(), later) for n in (4, 3)]
    assert asked == [(day,), ()]


def test_old_reports_go_and_nothing_else(tmp_path: Path) -> None:
    settings = keeping_reports(settings_in(tmp_path), 3)
    home = settings.report.out / CLUSTER
    kept = [home / f"2026-11-{date}" / "index.html" for date in (18, 19)]
    kept += [home / name / "index.html" for name in ("latest", "2026-11", "2026-11-01.old")]
    kept += [home / "2026-11-02" / "notes.md", home.parent / "other" / "2026-11-02" / "index.html"]
    old = [home / f"2026-11-{date}" / name for date in ("02", "17") for name in FILES]
    for path in (*kept, *old):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (home / "2026-11-03").symlink_to(home / "2026-11-18")
    (home / "2026-11-17" / f".{FILES[0]}.4711").write_text("what a run was writing when it was killed")

    def clear() -> list[str]:
        said: list[str] = []
        with pytest.raises(ConfigError, match="token"):
            night(settings, no_source, Asked(), said)
        return said

    assert clear() == [f"{CLUSTER}: removed the reports of 2026-11-02, 2026-11-17, as report.keep says"]
    assert [path for path in old if path.exists()] == []
    assert all(path.read_text() == "x" for path in kept)
    assert not (home / "2026-11-17").exists()
    assert clear() == []


def keeping_reports(settings: Settings, days: int) -> Settings:
    kept = settings.report.model_copy(update={"keep_ms": days * 24 * HOUR_MS})
    return settings.model_copy(update={"report": kept})


def test_nothing_is_read_for_a_report_that_cannot_be_written(day: Day, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    (tmp_path / "reports").write_text("a file where the folder should be")
    with pytest.raises(ConfigError, match=r"the report cannot be written to .*reports") as caught:
        night(settings, no_source, Asked(date=day))
    assert "report.out" in caught.value.hint
    assert Lake.open(settings.lake).days(CLUSTER) == {}


def test_prices_there_and_back_leave_no_trace(day: Day, measured: Lake, tmp_path: Path) -> None:
    settings, lake = settings_in(tmp_path), measured
    before = [rows(lake, table, day) for table in MEASURED]
    rule = {"match": {"node": "cpu-1"}, "hourly": 9.0, "capacity_type": "spot"}
    book = PriceBook.model_validate({"nodes": [rule], "gpu_models": {"Tesla T4": 0.4}})
    compute_day(lake, settings.model_copy(update={"book": book}), CLUSTER, day)
    assert [rows(lake, table, day) for table in MEASURED] != before
    compute_day(lake, settings, CLUSTER, day)
    assert [rows(lake, table, day) for table in MEASURED] == before


def test_a_source_that_forgot_most_pods_does_not_replace_the_day(
    synthetic_cluster: SyntheticCluster, day: Day, measured: Lake, tmp_path: Path
) -> None:
    class Forgetful(SyntheticSource):
        def fetch(self, signal: Signal, window: Window) -> Series:
            whole = super().fetch(signal, window)
            parts = zip(whole.labels, whole.offsets[:-1], whole.offsets[1:], strict=True)
            kept = [
                (labels, whole.at_ms[low:high], whole.values[low:high])
                for labels, low, high in parts
                if labels.get("namespace", "nlp") == "nlp"
            ]
            return join_series(signal, kept)

    settings, lake = settings_in(tmp_path), measured
    before = stamps(Path(str(lake.path)))
    with pytest.raises(WorseDay, match=r"pod_info has [\d,]+ samples instead of"):
        measure_day(Forgetful(synthetic_cluster), lake, settings, CLUSTER, day)
    assert stamps(Path(str(lake.path))) == before


def test_compute_needs_an_extracted_day(tmp_path: Path, day: Day) -> None:
    with pytest.raises(ConfigError, match="is not in the lake") as caught:
        compute_day(Lake.create(tmp_path / "lake"), settings_in(tmp_path), CLUSTER, day)
    assert "costlab extract --date 2026-11-20" in caught.value.hint
