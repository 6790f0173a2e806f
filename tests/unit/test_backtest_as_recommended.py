"""What a backtest scores is what `recommend` would have proposed that night: the same rule, told the same."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
from small_world import DAY, When, World
from test_autoscalers import target

from costlab.config.settings import Settings
from costlab.core.rightsizing.policies import policy_of
from costlab.domain.dates import Dates
from costlab.domain.signals import Signal
from costlab.domain.time import HOUR_MS, MINUTE_MS, Day
from costlab.domain.units import GIB, Resource
from costlab.jobs.asked import Filters
from costlab.jobs.measure import measure_day
from costlab.jobs.rightsizing.backtest import advised_of
from costlab.jobs.rightsizing.past import names_of
from costlab.jobs.rightsizing.recommend import proposed
from costlab.jobs.rightsizing.samples import past_of
from costlab.store.lake import Lake
from costlab.store.warehouse import Warehouse

DAYS = tuple(Day(DAY.date + timedelta(days=day)) for day in range(-3, 2))
ALL: When = {"start_ms": DAYS[0].window.start_ms - HOUR_MS, "end_ms": DAYS[-1].window.end_ms + HOUR_MS}
KILLED_MS = DAYS[1].window.start_ms + 9 * HOUR_MS


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Warehouse, Settings]:
    """Five days of four pods: one is killed on the second day, one is scaled, and the last day is like no other."""
    path: Path = tmp_path_factory.mktemp("lake")
    told = Settings.model_validate({"lake": path})
    lake = Lake.create(path)
    world = mixed()
    for day in DAYS:
        measure_day(world, lake, told, "test", day)
    return Warehouse.over(lake), told


def mixed() -> World:
    random = np.random.default_rng(7)
    world = World().node(cpu=64.0, memory=256.0 * GIB, **ALL)
    for name in ("killed", "scaled", "plain", "large"):
        size = float(random.uniform(1, 4)) * (4 if name == "large" else 1)
        noise = random.lognormal(0, 0.3, 24 * (len(DAYS) + 1))

        def memory(at_ms: int, size: float = size, noise: np.ndarray = noise) -> float:
            last = at_ms >= DAYS[-1].window.start_ms
            return size * GIB * (9 if last else 1) * float(noise[(at_ms - ALL["start_ms"]) // HOUR_MS])

        world.pod(name, requests={"cpu": 2.0, "memory": 2 * size * GIB}, **ALL)
        world.use(name, size / 8, memory, step_ms=2 * MINUTE_MS, **ALL)
    pod = {"namespace": "ns", "pod": "killed", "uid": "killed-uid", "container": "app"}
    world.add(Signal.CONTAINER_LIMIT, {**pod, "resource": "memory"}, 40 * GIB, **ALL)
    world.add(Signal.CONTAINER_RESTARTS, pod, lambda at_ms: float(at_ms >= KILLED_MS), **ALL)
    world.add(Signal.CONTAINER_TERMINATED, {**pod, "reason": "OOMKilled"}, 1, **ALL)
    scaled = {"namespace": "ns", "horizontalpodautoscaler": "x", "scaletargetref_kind": "Pod"}
    world.add(Signal.AUTOSCALER_INFO, {**scaled, "scaletargetref_name": "scaled"}, 1, **ALL)
    return world.add(Signal.AUTOSCALER_TARGET, target("x", "cpu", "average"), 1, **ALL)


@pytest.mark.parametrize("policy", ["costlab", "krr-simple", "vpa", "kubecost"])
def test_an_origin_of_a_backtest_proposes_what_that_night_would(
    nights: tuple[Warehouse, Settings], policy: str
) -> None:
    warehouse, told = nights
    rules, day = told.rightsizing, DAYS[-2]
    subjects, _, tonight = proposed(warehouse, rules, "test", day, rules.days, policy)
    scored = Dates(DAYS[-1].date, DAYS[-1].date + timedelta(days=1))
    window = Dates(DAYS[0].date, scored.end)
    past = past_of(warehouse, Filters("test"), window, scored, day.timezone, rules.days)
    found = advised_of(policy_of(policy), past, scored, day.timezone, rules)
    place = pc.index_in(names_of(subjects.rows), names_of(past.subjects)).to_numpy()
    # Of who is scaled a rule proposes tonight too; `decide` then refuses what no autoscaler would follow.
    scales = past.circumstances.cpu_autoscaled[0, place]
    assert scales.sum() == 1
    assert np.isnan(found.cpu_request[0, place][scales]).all()
    np.testing.assert_allclose(
        found.cpu_request[0, place][~scales], tonight[Resource.CPU].request[~scales], rtol=1e-5
    )
    np.testing.assert_allclose(found.memory_request[0, place], tonight[Resource.MEMORY].request, rtol=1e-6)
    np.testing.assert_allclose(found.memory_risk[0, place], tonight[Resource.MEMORY].promised_rate, rtol=1e-6)
    assert np.isfinite(tonight[Resource.MEMORY].request).all()
    if policy == "costlab":
        assert tonight[Resource.MEMORY].request.max() == 1.25 * 40 * GIB
