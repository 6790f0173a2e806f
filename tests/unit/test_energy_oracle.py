"""An oracle that goes through an hour in steps of ten seconds, and shares no code, finds the same energy of everybody."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from math import isnan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import Measured, World, at

from costlab.domain.signals import Signal

STEP_S, STEPS, HOLD = 10, 360, 30  # a sample holds for 300 s
PODS = ("a", "b", "stranger")  # of the last nothing else is known
NOBODY = "nobody"


@dataclass(frozen=True)
class Scrape:
    """What an exporter told of one GPU at a step: its counter and its power, and by instance who used it."""

    step: int
    joules: float | None
    watts: float | None
    users: dict[str, frozenset[str]]


Gpu = list[Scrape]


@st.composite
def gpus(draw: st.DrawFn) -> Gpu:
    """A whole GPU, or one that is cut up; with a counter that may start anew, with power, or both by turns.

    A new start is far below the old level: one that is overtaken by the next sample looks like a sample that came late.
    """
    profiles = draw(st.sampled_from([("",), ("1g.10gb", "2g.20gb"), ("3g.40gb", "3g.40gb/2", "1g.10gb")]))
    steps = sorted(draw(st.sets(st.integers(0, STEPS - 1), min_size=1, max_size=24)))
    scrapes: Gpu = []
    counted = 1e6 + draw(st.integers(0, 1000))
    for step in steps:
        if scrapes and counted >= 1e6 and draw(st.integers(0, 9)) == 0:
            counted = 0.0
        counted += draw(st.integers(0, 500))
        shows = draw(st.sampled_from([(True, True), (True, False), (False, True)]))
        named = st.frozensets(st.sampled_from(PODS), max_size=3)
        scrapes.append(
            Scrape(
                step,
                counted if shows[0] else None,
                float(draw(st.integers(0, 400))) if shows[1] else None,
                {profile: draw(named) for profile in profiles},
            )
        )
    return scrapes


def written(several: list[Gpu]) -> World:
    """The same as an exporter shows it: each user's row has the value of the whole GPU."""
    world = World().node(nvidia_com_gpu=8.0)
    for pod in PODS[:2]:
        world.pod(pod, requests={"nvidia_com_gpu": 1.0}).use(pod)
    for number, gpu in enumerate(several):
        for scrape in gpu:
            when = at(1) + scrape.step * STEP_S * 1000
            for profile, users in scrape.users.items():
                device = {"gpu_uuid": f"GPU-{number}", "node": "n1"}
                if profile:
                    device |= {"mig_profile": profile.split("/")[0], "mig_instance": profile}
                rows = [{"namespace": "ns", "pod": pod, "container": "app"} for pod in sorted(users)] or [{}]
                for user in rows:
                    for signal, value in (
                        (Signal.GPU_ENERGY, scrape.joules),
                        (Signal.GPU_POWER, scrape.watts),
                    ):
                        if value is not None:
                            world.add(signal, device | user, value, when, when + 1, 1)
    return world


def watts_at(gpu: Gpu, step: int) -> float | None:
    counts = [(scrape.step, scrape.joules) for scrape in gpu if scrape.joules is not None]
    rises = [
        (begin, end, after - before if after >= before else after)
        for (begin, before), (end, after) in pairwise(counts)
        if end - begin <= HOLD
    ]
    for begin, end, rise in rises:
        if begin <= step < end and any(other for _, _, other in rises):
            return rise / ((end - begin) * STEP_S)
    drawn = [s for s in gpu if s.watts is not None and s.step <= step < s.step + HOLD]
    return drawn[-1].watts if drawn else None


def energy_of(several: list[Gpu]) -> tuple[dict[str, float], dict[str, float]]:
    """kWh by pod and NOBODY, and by GPU or instance; who is never observed is not there."""
    by_user: dict[str, float] = defaultdict(float)
    by_device: dict[str, float] = defaultdict(float)
    for number, gpu in enumerate(several):
        for step in range(STEPS + HOLD):
            watts = watts_at(gpu, step)
            told = [scrape for scrape in gpu if scrape.step <= step < scrape.step + HOLD]
            if watts is None or not told:
                continue
            slices = {profile: int(profile[0]) if profile else 1 for profile in gpu[0].users}
            for profile, part in slices.items():
                kwh = watts * part / sum(slices.values()) * STEP_S / 3.6e6
                by_device[f"GPU-{number} {profile.split('/')[0]}"] += kwh
                users = {user for scrape in told for user in scrape.users[profile]} - {"stranger"}
                for user in users or {NOBODY}:
                    by_user[user] += kwh / len(users or {NOBODY})
    return by_user, by_device


@settings(max_examples=30)
@given(st.lists(gpus(), min_size=1, max_size=2))
def test_energy_is_split_as_the_oracle_does_and_adds_up(several: list[Gpu]) -> None:
    by_user, by_device = energy_of(several)
    day = Measured(written(several))
    found = {row["pod"] or NOBODY: row["energy_kwh"] for row in day.rows("energy")}
    assert {who: kwh for who, kwh in found.items() if not isnan(kwh)} == pytest.approx(
        by_user, rel=1e-9, abs=1e-15
    )
    shown: dict[str, float] = defaultdict(float)
    for row in day.rows("gpus"):
        if not isnan(row["energy_kwh"]):
            shown[f"{row['uuid']} {row['mig_profile'] or ''}"] += row["energy_kwh"]
    assert shown == pytest.approx(by_device, rel=1e-9, abs=1e-15)
