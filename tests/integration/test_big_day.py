"""The benchmarks' big day, made small: a real Prometheus holds what was told, and answers the benchmark's questions."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from big_day import samples
from big_day.cast import Scale, cast_of
from big_day.day import BigDay, big_day
from big_day.server import Server, direct, serving
from extraction.questions import write_questions
from extraction.workload import FULL, PART, Workload

pytestmark = pytest.mark.prometheus
SMALL = Scale(lasting=10, brief=5, gpu_slots={4: 1, 1: 4}, hours=1)
KUBELET = {"job", "instance", "node", "namespace", "pod", "container", "id", "image", "name"}


@pytest.fixture(scope="module")
def day(
    prometheus_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[BigDay, Server, Path]]:
    under = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COSTLAB_PROMETHEUS_DIR", str(prometheus_folder))
        made = big_day(SMALL, under)
        assert big_day(SMALL, under) == made
        with serving(made.folder) as server:
            yield made, server, prometheus_folder


def ask(server: Server, query: str) -> list[dict[str, Any]]:
    at = f"{SMALL.window.end_ms / 1000 - 0.001:.3f}"
    with direct() as session:
        answer = session.post(f"{server.url}/api/v1/query", data={"query": query, "time": at}, timeout=20)
    answer.raise_for_status()
    result: list[dict[str, Any]] = answer.json()["data"]["result"]
    return result


def test_twenty_containers_and_eight_gpus_are_there_at_any_time(day: tuple[BigDay, Server, Path]) -> None:
    made, server, _ = day
    assert 18 * 118 < made.samples[samples.CPU] <= 20 * 121
    assert made.samples[samples.POWER] == 8 * 120
    for metric, count in made.samples.items():
        (counted,) = ask(server, f"sum(count_over_time({metric}[1h]))")
        assert int(counted["value"][1]) == count
        assert len(ask(server, f"{metric}[1h]")) == made.series[metric]


def test_the_blocks_hold_nothing_else(day: tuple[BigDay, Server, Path]) -> None:
    made, _, folder = day
    command = [str(folder / "promtool"), "tsdb", "list", str(made.folder / "tsdb")]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    heading, *blocks = (line.split("  ") for line in listed)
    place = [name.strip() for name in heading if name.strip()].index("NUM SAMPLES")
    counts = [[cell.strip() for cell in cells if cell.strip()][place] for cells in blocks]
    assert sum(map(int, counts)) == made.noisy_samples + made.further_samples


def test_samples_are_those_that_the_seed_gives(day: tuple[BigDay, Server, Path]) -> None:
    _, server, _ = day
    told = list(samples.container_series(cast_of(SMALL)))[:6] + list(samples.gpu_series(cast_of(SMALL)))[:6]
    assert {series.labels["__name__"] for series in told} == {*samples.NOISY, samples.START}
    for series in told:
        pairs = ",".join(f'{name}="{text}"' for name, text in series.labels.items() if name != "__name__")
        (held,) = ask(server, f"{series.labels['__name__']}{{{pairs}}}[1h]")
        at_ms, values = zip(*((round(s * 1000), float(v)) for s, v in held["values"]), strict=True)
        np.testing.assert_array_equal(at_ms, series.at_ms)
        np.testing.assert_array_equal(values, series.values)
    assert told[0].labels.keys() >= KUBELET
    assert sum(len(name) + len(text) for name, text in told[0].labels.items()) > 500


def test_a_pod_is_in_one_phase_and_asks_for_what_its_node_has(day: tuple[BigDay, Server, Path]) -> None:
    _, server, _ = day
    (most,) = ask(server, "max(max_over_time((sum by (uid) (kube_pod_status_phase))[1h:1m]))")
    (least,) = ask(server, "min(min_over_time((sum by (uid) (kube_pod_status_phase))[1h:1m]))")
    assert (most["value"][1], least["value"][1]) == ("1", "1")
    (held,) = ask(server, 'max_over_time(sum(kube_node_status_capacity{resource="nvidia_com_gpu"})[1h:1m])')
    assert held["value"][1] == "8"


@pytest.mark.parametrize("workload", [FULL, PART], ids=lambda workload: workload.name)
def test_remote_read_takes_the_questions(
    day: tuple[BigDay, Server, Path], tmp_path: Path, workload: Workload
) -> None:
    _, server, _ = day
    for question in write_questions(workload, SMALL.window, tmp_path):
        headers = {"Content-Encoding": "snappy", "X-Prometheus-Remote-Read-Version": "0.1.0"}
        with direct() as session:
            answer = session.post(
                f"{server.url}/api/v1/read", data=question.read_bytes(), headers=headers, timeout=20
            )
        assert answer.status_code == requests.codes.ok, answer.text
        assert "application/x-streamed-protobuf" in answer.headers["Content-Type"]
        assert len(answer.content) > 1000
