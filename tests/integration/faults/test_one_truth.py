"""What is told twice, late, wrongly or by somebody else makes no other bill: whole days, by either engine."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from fault_server import FaultServer
from small_prometheus import SmallPrometheus, Told, Value, a_day
from typer.testing import CliRunner

from costlab.cli.app import app
from costlab.cli.frame import Desk
from costlab.domain.time import Day
from costlab.store.content import content_hash
from costlab.store.lake import Lake
from costlab.store.warehouse import Warehouse

DAY, START_MS = Day(date(2026, 11, 20)), 1_795_132_800_000
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
Night = Callable[[Sequence[Told]], Lake]
KUBE_STATE = "kube_"


@pytest.fixture(scope="module", params=["remote-read", "json"])
def night(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """Measures a day of these series into a lake of its own; a day without faults is its first."""
    with FaultServer().running() as server:

        def measured(told: Sequence[Told]) -> Lake:
            folder: Path = tmp_path_factory.mktemp(request.param)
            server.answers(SmallPrometheus(told))
            prometheus = {"url": server.url, "engine": request.param}
            content = {
                "lake": "lake",
                "clusters": [{"id": "prod", "prometheus": prometheus}],
            }
            (folder / "costlab.yaml").write_text(json.dumps(content))
            for step in ("extract", "compute"):  # what a night writes beside them, bills nobody
                command = ["--config", str(folder / "costlab.yaml"), step, "--date", str(DAY)]
                done = CliRunner().invoke(app, command, obj=Desk({}, NOW))
                assert done.exit_code == 0, done.output
            return Lake.open(folder / "lake")

        yield measured


@pytest.fixture(scope="module")
def sound(night: Night) -> str:
    """The hash of the charges of a day on which nothing is odd."""
    lake = night(a_day(START_MS))
    assert warnings(lake) == found(lake) == []
    assert charges_of(lake, "billed_quantity") == pytest.approx({"cpu": 24, "memory": 24, "gpu": 24})
    return bill(lake)


def bill(lake: Lake) -> str:
    return content_hash(lake.read("charges", "prod", DAY))


def warnings(lake: Lake) -> list[str]:
    run = lake.run("prod", DAY)
    assert run is not None
    return list(run["warnings"])


def found(lake: Lake) -> list[str]:
    return [row["rule"] for row in Warehouse.over(lake).sql("select rule from findings").to_pylist()]


def charges_of(lake: Lake, column: str) -> dict[str, float]:
    """By resource, of the pod."""
    rows = lake.read("charges", "prod", DAY).to_pylist()
    return {row["resource"]: float(row[column]) for row in rows if row["pod"] == "train-0"}


def also(told: Sequence[Told], prefix: str = "", **labels: str) -> list[Told]:
    """The series whose metric begins so, with further labels."""
    return [replace(one, labels={**one.labels, **labels}) for one in told if one.metric.startswith(prefix)]


def test_replicas_under_a_label_that_nobody_configured_bill_nothing_twice_and_are_said(
    night: Night, sound: str
) -> None:
    day = a_day(START_MS)
    lake = night(also(day, ha="a") + also(day, ha="b"))
    assert bill(lake) == sound
    (said,) = warnings(lake)
    assert said.startswith("series that differ in ha alone (a, b) are taken for one: ")
    assert "prometheus.replica_labels" in said
    assert "prometheus.matchers" in said


def test_replicas_under_the_label_that_is_configured_need_no_word(night: Night, sound: str) -> None:
    day = a_day(START_MS)
    lake = night(also(day, prometheus_replica="a") + also(day, prometheus_replica="b"))
    assert (bill(lake), warnings(lake)) == (sound, [])


def test_replicas_out_of_step_bill_what_each_of_them_does(night: Night) -> None:
    """The second stamps later what it read earlier: taken for resets, such steps would cost a whole counter each."""
    day = a_day(START_MS)
    (cpu,) = (one for one in day if one.metric == "container_cpu_usage_seconds_total")
    behind = [max(float(value) - 0.01, 0.0) for value in cpu.values]
    for label in ("prometheus_replica", "ha"):
        second = Told({**cpu.labels, label: "b"}, [at + 40 for at in cpu.at_ms], behind)
        used = charges_of(night([*also(day, **{label: "a"}), second]), "used_quantity")
        assert used == pytest.approx({"cpu": 12, "memory": 12, "gpu": 6}, rel=1e-3)


def test_a_second_kube_state_metrics_and_another_exporter_of_its_metrics_bill_nothing_twice(
    night: Night, sound: str
) -> None:
    day = a_day(START_MS)
    own = also(day, KUBE_STATE, instance="10.0.0.1:8080", job="kube-state-metrics")
    others = [one for one in day if not one.metric.startswith(KUBE_STATE)]
    for instance, job in (("10.0.0.2:8080", "kube-state-metrics"), ("10.0.0.9:9003", "opencost")):
        lake = night(others + own + also(day, KUBE_STATE, instance=instance, job=job))
        assert bill(lake) == sound
        assert found(lake) == ["duplicate_kube_state_metrics"]


def test_a_label_that_changed_is_no_replica(night: Night, sound: str) -> None:
    """A pod that got its address an hour after it was bound: one series ends, and another begins."""
    day, before = a_day(START_MS), 60
    info = next(one for one in day if one.metric == "kube_pod_info")
    first = Told(info.labels, info.at_ms[:before], info.values[:before])
    second = Told({**info.labels, "pod_ip": "10.0.0.7"}, info.at_ms[before:], info.values[before:])
    lake = night([one for one in day if one is not info] + [first, second])
    assert (bill(lake), warnings(lake)) == (sound, [])


ODD: tuple[Value, ...] = (
    float("nan"),
    float("inf"),
    float("-inf"),
    -1.0,
    9223372036854775794.0,
    "0x1p3",
    "1e400",
    "1_0",
)


def test_values_that_are_none_are_left_out_and_said(night: Night, sound: str) -> None:
    """Between sound samples, a second behind each of some: nothing of them is in the bill."""
    day = []
    for one in a_day(START_MS):
        odd = dict(zip((at + 1000 for at in one.at_ms[200::50]), ODD, strict=False))
        samples = sorted([*zip(one.at_ms, one.values, strict=True), *odd.items()], key=lambda pair: pair[0])
        day.append(replace(one, at_ms=[at for at, _ in samples], values=[value for _, value in samples]))
    lake = night(day)
    assert bill(lake) == sound
    assert {text.partition(":")[0] for text in warnings(lake)} == {one.metric for one in day}
    assert all("not finite, negative or blank were left out" in text for text in warnings(lake))
