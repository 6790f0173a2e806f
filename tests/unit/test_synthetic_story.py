"""Everything that the story promises is in the samples of its last day (or where it says otherwise)."""

import re
from collections import Counter

import numpy as np
import pytest

from costlab.domain.time import HOUR_MS, MINUTE_MS, Window
from costlab.domain.units import GIB
from costlab.sources import RawSeries
from costlab.sources.synthetic import SyntheticCluster
from costlab.sources.synthetic.cast import Pod

CLUSTER = SyntheticCluster()
DAY = CLUSTER.days[-1].window
CPU, MEMORY = "container_cpu_usage_seconds_total", "container_memory_working_set_bytes"
UTILIZATION, ENGINE = "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF_GR_ENGINE_ACTIVE"


def at(hour: float, day: int = -1) -> int:
    return CLUSTER.days[day].window.start_ms + round(hour * HOUR_MS)


def series(metric: str, window: Window = DAY, **labels: str) -> list[RawSeries]:
    """Series whose labels match in full, as regular expressions."""
    return [
        found
        for found in CLUSTER.raw(metric, window)
        if all(re.fullmatch(pattern, found.labels.get(label, "")) for label, pattern in labels.items())
    ]


def only(metric: str, window: Window = DAY, **labels: str) -> RawSeries:
    (found,) = series(metric, window, **labels)
    return found


def mean_between(found: RawSeries, start_hour: float, end_hour: float) -> float:
    inside = (found.at_ms >= at(start_hour)) & (found.at_ms < at(end_hour))
    return float(found.values[inside].mean())


def test_a_mid_size_platform() -> None:
    noon = Window(at(12), at(12) + 2 * MINUTE_MS)
    assert 60 <= len(series("kube_pod_info", noon)) <= 80
    nodes = series("kube_node_labels", noon)
    assert 9 <= len(nodes) <= 12
    teams = {found.labels.get("label_team", "") for found in series("kube_pod_labels", noon)}
    teams |= {found.labels.get("label_team", "") for found in series("kube_namespace_labels", noon)}
    assert teams == {"", "nlp", "vision", "recsys", "data", "platform"}


def test_recsys_is_named_on_its_namespace_only_and_kube_system_nowhere() -> None:
    assert all("label_team" not in found.labels for found in series("kube_pod_labels", namespace="recsys"))
    assert all(
        found.labels["label_team"] == "recsys"
        for found in series("kube_namespace_labels", namespace="recsys")
    )
    for metric in ("kube_pod_labels", "kube_namespace_labels"):
        assert all("label_team" not in found.labels for found in series(metric, namespace="kube-system"))


def test_spot_nodes_come_and_go_and_take_work_with_them() -> None:
    spot = series("kube_node_labels", label_karpenter_sh_capacity_type="spot")
    lives = sorted({(found.at_ms[0], found.at_ms[-1]) for found in spot})
    assert len({found.labels["node"] for found in spot}) == 2
    assert all(DAY.start_ms < start and end < DAY.end_ms - HOUR_MS for start, end in lives)
    lost = series("kube_pod_info", pod="feature-backfill-.*", node="spot-.*")
    again = series("kube_pod_info", pod="feature-backfill-.*", node="cpu-3")
    assert len(lost) == 2
    assert len(again) == 1
    assert max(found.at_ms[-1] for found in lost) < again[0].at_ms[0]


def test_a_memory_leak_is_killed_and_both_cgroups_are_seen_for_some_minutes() -> None:
    old, new = sorted(
        series(MEMORY, pod="feature-api-.*", container="api", node="cpu-2"), key=lambda found: found.at_ms[0]
    )
    assert old.labels["id"] != new.labels["id"]
    started_ms = only("container_start_time_seconds", id=re.escape(new.labels["id"])).values[0] * 1000
    assert 2 * MINUTE_MS <= old.at_ms[-1] - started_ms <= 4 * MINUTE_MS
    assert old.values[-1] > 7.5 * GIB
    assert new.values[0] < 1.5 * GIB
    hours = old.values[: len(old.values) // 60 * 60].reshape(-1, 60).mean(axis=1)
    assert (np.diff(hours) > 0).all()
    before, after = (only(CPU, id=re.escape(found.labels["id"])) for found in (old, new))
    assert after.values[0] < before.values[-1]
    assert len(set(before.values[before.at_ms > new.at_ms[0]])) == 1, "a dead cgroup uses nothing more"


def test_the_nightly_job_belongs_to_a_cron_job_and_lingers_after_its_end() -> None:
    runs = series("kube_job_owner", owner_kind="CronJob", owner_name="nightly-etl")
    assert len({found.labels["job_name"] for found in runs}) == 4
    for pod in {
        found.labels["pod"] for found in series("kube_pod_info", pod="nightly-etl-.*", node="spot-.*")
    }:
        done = series("kube_pod_completion_time", pod=pod)
        succeeded = series("kube_pod_status_phase", pod=pod, phase="Succeeded")
        assert sum(found.values.sum() for found in succeeded) > 30
        assert done[0].at_ms[0] >= done[0].values[0] * 1000
    assert (
        len({found.labels["job_name"] for found in series("kube_job_owner", owner_name="hourly-sync")}) >= 12
    )
    six_days_ago = CLUSTER.days[-7].window
    failed = series("kube_pod_status_phase", six_days_ago, pod="nightly-etl-.*", phase="Failed")
    assert sum(found.values.max() == 1 for found in failed) == 1


def test_an_hour_of_cadvisor_is_missing_on_one_node() -> None:
    hour = Window(at(13), at(14))
    assert series(CPU, hour, node="cpu-3") == []
    assert series(CPU, hour, node="cpu-2")
    assert series(CPU, Window(at(14), at(14.1)), node="cpu-3")
    assert series("kube_pod_info", hour, node="cpu-3")


def test_two_kube_state_metrics_answer_for_an_hour() -> None:
    instances = Counter(
        found.labels["instance"]
        for found in series("kube_pod_info", Window(at(9.1), at(9.9)), pod="gpu-test")
    )
    assert sorted(instances.values()) == [1, 1]
    for hour in (8, 11):
        assert len(series("kube_pod_info", Window(at(hour), at(hour + 0.2)), pod="gpu-test")) == 1


@pytest.mark.parametrize(("pod", "low", "high"), [("gpu-test", 0, 0), ("llm-pretrain-.*", 75, 100)])
def test_an_idle_gpu_and_busy_ones(pod: str, low: int, high: int) -> None:
    found = series(UTILIZATION, exported_pod=pod)
    assert found
    assert all(low <= one.values.mean() <= high for one in found)


def test_notebooks_hold_a_gpu_at_night_and_use_it_by_day() -> None:
    found = only(UTILIZATION, exported_pod="jupyter-anna")
    assert mean_between(found, 0, 7) == 0
    assert mean_between(found, 8, 19) > 5


def test_inference_has_a_day_curve_and_rests_on_weekends() -> None:
    friday = series(ENGINE, exported_pod="chat-api-.*")
    sunday = series(ENGINE, CLUSTER.days[-6].window, exported_pod="chat-api-.*")
    assert len(friday) == len(sunday) == 3
    assert all(mean_between(one, 12, 16) > 4 * mean_between(one, 1, 4) for one in friday)
    assert friday[0].values.mean() > 1.5 * sunday[0].values.mean()


def test_unallocated_gpus_are_rows_without_a_pod() -> None:
    free = [found for found in series(UTILIZATION, exported_pod="") if len(found.at_ms) > 1400]
    assert Counter(found.labels["modelName"] for found in free) == {"NVIDIA A100-SXM4-80GB": 5, "Tesla T4": 2}
    assert all(found.values.max() == 0 for found in free)


def test_shared_gpus_show_the_same_value_to_every_pod() -> None:
    shared = series(UTILIZATION, modelName="Tesla T4", exported_pod=".+")
    devices = Counter(found.labels["UUID"] for found in shared)
    assert sorted(devices.values()) == [3, 3]
    for uuid in devices:
        rows = [found for found in shared if found.labels["UUID"] == uuid]
        assert all((row.values == rows[0].values).all() and "vgpu" in row.labels for row in rows)
    assert only(
        "kube_node_status_capacity", Window(at(1), at(2)), node="gpu-t4-1", resource="nvidia_com_gpu"
    ).values[0] == 4 * len({found.labels["UUID"] for found in series(UTILIZATION, modelName="Tesla T4")})


def test_only_the_a100s_give_profiling_metrics_and_one_is_blank_for_ten_minutes() -> None:
    engine = series(ENGINE)
    assert {found.labels["modelName"] for found in engine} == {"NVIDIA A100-SXM4-80GB"}
    blank = sum(int((found.values >= 2.0**62).sum()) for found in engine)
    assert blank == 10
    assert all(found.values[found.values < 2.0**62].max() <= 1 for found in engine)


def test_gpu_memory_adds_up_to_the_device() -> None:
    used, free = (
        series(metric, modelName="NVIDIA.*") for metric in ("DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE")
    )
    assert all((one.values + two.values == 81_920 - 641).all() for one, two in zip(used, free, strict=True))


def test_a_training_run_arrives_with_its_own_node_four_days_before_the_end() -> None:
    arrival = [
        len(series(UTILIZATION, CLUSTER.days[day].window, Hostname="gpu-a100-3")) > 0 for day in (-5, -4, -1)
    ]
    assert arrival == [False, True, True]
    assert len(series(UTILIZATION, exported_pod="llm-pretrain-.*")) == 8


def test_training_jobs_start_and_end_within_the_day() -> None:
    started = [
        found
        for found in series("kube_pod_start_time", pod="detector-train-.*")
        if found.values[0] * 1000 > at(8)
    ]
    assert started
    done = series("kube_pod_completion_time", pod=started[0].labels["pod"])
    assert at(14) < done[0].values[0] * 1000 < at(15.5)
    over_midnight = series("kube_pod_start_time", pod="segment-sweep-.*")
    assert any(found.values[0] * 1000 < DAY.start_ms for found in over_midnight)


def test_a_stateful_pod_is_made_anew_under_its_name() -> None:
    lives = {found.labels["uid"]: found.at_ms for found in series("kube_pod_info", pod="redis-0")}
    assert len(lives) == 2
    cgroups = " ".join(found.labels["id"] for found in series(CPU, pod="redis-0"))
    assert {uid.replace("_", "-") for uid in re.findall("pod([0-9a-f_]{36})", cgroups)} == set(lives)


def test_a_pod_waits_without_a_node() -> None:
    waiting = series("kube_pod_info", pod="video-pretrain-.*")
    assert waiting
    assert all("node" not in found.labels for found in waiting)
    assert all(found.values.min() == 1 for found in series("kube_pod_status_phase", pod="video-.*", phase="Pending")
               if found.labels["pod"].startswith("video-pretrain"))  # fmt: skip
    assert series("kube_pod_status_scheduled_time", pod="video-pretrain-.*") == []


def test_requests_that_are_missing_exceeded_or_hidden() -> None:
    assert series("kube_pod_container_resource_requests", pod="jupyter-dev") == []
    labeler = series(CPU, pod="labeler-ui-.*", container="web")
    rates = [np.diff(found.values) / np.diff(found.at_ms / 1000) for found in labeler]
    assert all(rate.max() > 3 * 0.5 for rate in rates)
    init = series("kube_pod_init_container_resource_requests", pod="model-registry-.*", resource="cpu")
    assert {found.values[0] for found in init} == {4.0}
    assert only("kube_pod_overhead_cpu_cores", Window(at(1), at(2))).values[0] == 0.25


def test_rows_of_cadvisor_that_are_no_containers() -> None:
    hour = Window(at(1), at(2))
    twins = series(CPU, hour, pod=".+", container="")
    pods = {found.labels["pod"] for found in series(CPU, hour, pod=".+", container=".+")}
    assert {found.labels["pod"] for found in twins} == pods
    assert {found.labels["node"] for found in series(CPU, hour, container="POD")} == {"cpu-1"}
    assert len(series(CPU, hour, id="/")) == len(series("kube_node_labels", Window(at(1.5), at(1.6))))


def test_a_pods_own_cgroup_is_the_sum_of_its_containers() -> None:
    two = series(MEMORY, Window(at(1), at(3)), pod="model-registry-.*")
    for pod in {found.labels["pod"] for found in two}:
        means = {
            found.labels.get("container", ""): found.values.mean()
            for found in two
            if found.labels["pod"] == pod
        }
        assert means[""] == pytest.approx(means["registry"] + means["postgres"], rel=0.002)


def test_nothing_is_promised_twice() -> None:
    """On every node, whenever a pod comes, the requests fit and no whole device has two tenants."""
    story = CLUSTER.story
    for node in story.nodes:
        tenants = [pod for pod in story.pods if pod.node is node]
        for moment_s in {pod.scheduled_s for pod in tenants if pod.scheduled_s is not None}:
            present = [pod for pod in tenants if (pod.scheduled_s or 0) <= moment_s < pod.end_s]
            for resource, offered in node.allocatable.items():
                asked = sum(_effective_request(pod, resource) for pod in present)
                assert resource == "pods" or asked <= offered, (node.name, resource, moment_s)
            held = Counter(device for pod in present for device in pod.devices)
            assert all(count <= node.slices for count in held.values()), (node.name, held)
            assert all(len(pod.devices) == _effective_request(pod, "nvidia_com_gpu") for pod in present)


def _effective_request(pod: Pod, resource: str) -> float:
    apps = sum(container.requests.get(resource, 0) for container in pod.containers)
    init = max((container.requests.get(resource, 0) for container in pod.init_containers), default=0)
    overhead = {"cpu": pod.overhead_cpu, "memory": pod.overhead_memory_mib * 2**20}
    return max(apps, init) + overhead.get(resource, 0)
