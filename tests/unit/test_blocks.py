"""Facts do not depend on how much of a day is looked at together, nor on where their rows are kept meanwhile."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small_world import DAY, START, World, at, shift

from costlab.config.settings import Settings
from costlab.domain.signals import Signal
from costlab.domain.time import HOUR_MS
from costlab.domain.units import GIB
from costlab.jobs.facts import Facts, observe_day
from costlab.store.content import content_hash
from costlab.store.lake import Lake
from costlab.store.rows import StoredRows, whole

CGROUP = "/kubepods/pod00000000-0000-0000-0000-00000000000{}/c"


def crowded() -> World:
    """Nodes with shared GPUs; pods that follow each other under a name, several cgroups of one container, and nobodys."""
    world = World().node("n1", nvidia_com_gpu=4.0).node("n2", nvidia_com_gpu=1.0)
    for number in range(6):
        uid = CGROUP.format(number).split("pod")[2].split("/")[0]
        world.pod(
            f"p{number}", uid=uid, requests={"cpu": shift(1.0, 2.0), "memory": GIB, "nvidia_com_gpu": 1.0}
        )
        world.use(f"p{number}", cpu=0.1 * number + 0.3, id=CGROUP.format(number), end_ms=at(23 - number))
        world.use(f"p{number}", cpu=0.7, id=f"{CGROUP.format(number)}/inner", start_ms=at(3))
        world.use(f"p{number}", cpu=0.2, container="side", id=f"/other/{number}")
    # A StatefulSet's pod comes back under its name, and nobody tells its uid: one series is of two lives.
    world.pod("db-0", uid="", start_ms=START, end_ms=at(8))
    world.pod("db-0", uid="", node="n2", start_ms=at(10), end_ms=at(20))
    world.use("db-0", cpu=0.6, instance="a").use("db-0", cpu=0.5, instance="b", id="/again")
    for ghost in range(4):
        world.use(f"ghost-{ghost}", cpu=0.1 + ghost)
    for number in range(4):
        user = f"p{number}" if number < 3 else ""
        world.gpu(f"GPU-{number}", 0.1 + 0.2 * number, pod=user, start_ms=at(number))
        world.gpu(f"GPU-{number}", 0.9, pod="p5", start_ms=at(number + 1), end_ms=at(20))
        world.add(Signal.GPU_POWER, {"gpu_uuid": f"GPU-{number}", "node": "n1"}, 300.0 + number)
        rising = {
            "gpu_uuid": f"GPU-{number}",
            "node": "n1",
            **({"namespace": "ns", "pod": user} if user else {}),
        }
        world.add(Signal.GPU_ENERGY, rising, lambda t: (t - START) * 0.3 + 1e9, start_ms=at(number))
    for number, pod in enumerate(("p0", "p1", "db-0", "ghost-0", "ghost-1")):
        for signal in (Signal.PACKAGE_ENERGY, Signal.DRAM_ENERGY):
            told = {"namespace": "ns", "pod": pod, "container": "app", "node": "n1", "mode": "dynamic"}
            world.add(signal, told, rising_by(number + 1))
            world.add(signal, {**told, "mode": "idle"}, lambda t: (t - START) / 3000 + 1e9)
    world.gpu("GPU-9", 0.5, node="n2")
    # A second kube-state-metrics that lags behind, and was away for hours.
    labels = {
        "namespace": "ns",
        "pod": "p1",
        "uid": CGROUP.format(1).split("pod")[2].split("/")[0],
        "instance": "b",
    }
    asked = {**labels, "container": "app", "resource": "cpu"}
    world.add(
        Signal.CONTAINER_REQUEST, asked, shift(1.0, 3.0, 12.5), start_ms=at(2) + 7, step_ms=HOUR_MS // 90
    )
    world.add(Signal.POD_INFO, {**labels, "node": "n1"}, 1, start_ms=at(5) + 11)
    # Traffic over two interfaces, of one of which two cgroups tell; and volumes of which two kubelets tell.
    for number in range(6):
        uid = CGROUP.format(number)
        world.send(f"p{number}", 1000.0 + number, id=uid, end_ms=at(22 - number)).send(
            f"p{number}", id=f"{uid}/inner"
        )
        world.send(f"p{number}", 7.0, interface="net1", start_ms=at(4))
    world.send("db-0", 300.0).send("ghost-0", 1e5).send("ghost-1", 1e4)
    for claim in range(3):
        world.claim(f"c{claim}", shift(10.0, 20.0), end_ms=at(20 + claim))
        used = {"namespace": "ns", "persistentvolumeclaim": f"c{claim}", "node": "n2"}
        world.add(Signal.VOLUME_USED, used, shift(GIB / 8, 3 * GIB, 13), start_ms=at(claim))
        lost = {"namespace": "ns", "persistentvolumeclaim": f"c{claim}", "phase": "Lost"}
        world.add(Signal.CLAIM_PHASE, lost, shift(0.0, 1.0, 20), start_ms=at(claim))
    world.pod("mounts", claims=["c0", "c1", "none"])
    part = {"namespace": "ns", "pod": "mounts", "uid": "mounts-uid", "container": "app"}
    return world.add(Signal.CONTAINER_REQUEST, {**part, "resource": "nvidia_com_gpumem"}, 8000.0)


def rising_by(watts: float) -> Callable[[int], float]:
    return lambda t: (t - START) / 1000 * watts + 1e9


def told(facts: Facts) -> dict[str, object]:
    rest = {name: getattr(facts, name) for name in Facts.__slots__ if name != "tables"}
    return {**rest, **{name: content_hash(rows) for name, rows in facts.tables.items()}}


PRICED = Settings.model_validate({"prices": {"network_gib": 0.01}})


@pytest.fixture(scope="module")
def at_once() -> Facts:
    return observe_day(crowded(), PRICED, "test", DAY, block_samples=10**9)


@pytest.mark.parametrize("block_samples", [1, 5_000, 20_000])
def test_a_day_in_blocks_is_the_day_at_once(at_once: Facts, block_samples: int, tmp_path: Path) -> None:
    lake = Lake.create(tmp_path)
    with lake.observing("test", DAY) as room_of:
        found = observe_day(crowded(), PRICED, "test", DAY, room_of=room_of, block_samples=block_samples)
        assert told(found) == told(at_once)
        for name, rows in found.tables.items():
            assert isinstance(rows, StoredRows) == (name in ("container_usage", "gpu_usage"))
            assert content_hash(whole(rows)) == content_hash(rows)
    assert [path.name for path in tmp_path.iterdir()] == ["lake.json"]


def test_the_crowd_is_one(at_once: Facts) -> None:
    usage = whole(at_once.tables["container_usage"])
    assert len(np.unique(usage.column("container_key").to_numpy())) == 14
    # Before noon the one kubelet tells of more, after it the other.
    assert set(whole(at_once.tables["volumes"]).column("used_bytes").to_pylist()) == {GIB / 4, 3 * GIB}
    assert all(sent for sent in whole(at_once.tables["pods"]).column("sent_bytes").to_pylist()[:6])
    assert {finding.rule for finding in at_once.findings} >= {
        "claim_lost",
        "gpu_fraction_not_charged",
        "mounted_claim_unknown",
        "traffic_without_pod",
        "usage_without_pod",
    }
