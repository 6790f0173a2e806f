"""How advice is scored: against sums over single seconds, and by laws."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from costlab.core.rightsizing.samples import Samples
from costlab.core.rightsizing.score import APART_MS, ContainerDays, exceeded, used
from costlab.core.rightsizing.summary import in_force, summarise

DAY_S, DAY_MS = 86_400, 86_400_000
START_MS = 20_000 * DAY_MS


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Samples, ContainerDays]:
    """A few containers with stretches of minutes to hours, gaps and NaN, over three days that are all scored."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    replicas = draw(st.integers(1, 4))
    subject = np.sort(random.integers(0, replicas, replicas))
    subject = np.unique(subject, return_inverse=True)[1].astype(np.int64)
    columns: list[list[np.ndarray]] = [[], [], [], []]
    for _ in range(replicas):
        edges = np.sort(random.choice(3 * DAY_S, random.integers(2, 60), replace=False)) * 1000
        kept = random.random(len(edges) - 1) < 0.9
        cores, memory = random.gamma(2, 0.3, kept.sum()), random.gamma(3, 1e9, kept.sum())
        for values in (cores, memory):
            values[random.random(len(values)) < 0.1] = np.nan
        for column, values in zip(
            columns, (START_MS + edges[:-1][kept], np.diff(edges)[kept], cores, memory), strict=True
        ):
            column.append(values)
    at_ms, lasted_ms, cores, memory = (np.concatenate(column) for column in columns)
    offsets = np.cumsum([0, *map(len, columns[0])]).astype(np.int64)
    samples = Samples(subject, offsets, at_ms, lasted_ms, cores.astype(np.float32), memory.astype(np.float32))
    replica, day = (grid.ravel().astype(np.int64) for grid in np.mgrid[:replicas, :3])
    shape = len(replica)
    days = ContainerDays(
        replica, subject[replica], day, START_MS + day * DAY_MS, START_MS + (day + 1) * DAY_MS, np.full(shape, 24.0),
        random.choice([0.5, 1.0, np.nan], shape), random.choice([2e9, 4e9, np.nan], shape),
        np.full(shape, 1.2), np.full(shape, 6e9), np.full(shape, 0.1), np.full(shape, 0.05),
    )  # fmt: skip
    return samples, days


def seconds(samples: Samples, days: ContainerDays, i: int) -> tuple[np.ndarray, np.ndarray]:
    """Cores and bytes of each second of a container-day, NaN where nothing is known."""
    cores, memory = np.full(DAY_S, np.nan), np.full(DAY_S, np.nan)
    own = slice(samples.offsets[days.replica[i]], samples.offsets[days.replica[i] + 1])
    for at, lasted, c, m in zip(
        samples.at_ms[own],
        samples.lasted_ms[own],
        samples.cpu_cores[own],
        samples.memory_bytes[own],
        strict=True,
    ):
        first = (at - days.begin_ms[i]) // 1000
        within = slice(max(first, 0), max(min(first + lasted // 1000, DAY_S), 0))
        cores[within], memory[within] = c, m
    return cores, memory


@given(worlds())
def test_scores_are_those_of_single_seconds(world: tuple[Samples, ContainerDays]) -> None:
    samples, days = world
    found = exceeded(samples, days, days.cpu_request, days.memory_request)
    use = used(samples, days)
    over_until: dict[int, float] = {}
    for i in range(len(days)):
        cores, memory = seconds(samples, days, i)
        over = memory > days.memory_request[i]
        np.testing.assert_allclose(found.violation_minutes[i] * 60, over.sum(), rtol=1e-12)
        episodes, last = 0, over_until.get(int(days.replica[i]), -np.inf)
        for second in np.flatnonzero(over) + days.day[i] * DAY_S:
            episodes += second - last >= APART_MS // 1000
            last = second + 1
        over_until[int(days.replica[i])] = last
        assert found.episodes[i] == episodes
        with np.errstate(invalid="ignore"):
            excess = np.nan_to_num(np.maximum(cores - days.cpu_request[i], 0))
        np.testing.assert_allclose(found.unserved[i], excess.sum(), rtol=1e-9, atol=1e-6)
        known = np.isfinite(cores)
        np.testing.assert_allclose(
            found.over_share[i], (excess > 1e-9).sum() / max(known.sum(), 1), rtol=1e-9
        )
        np.testing.assert_allclose(use.cpu_used[i], np.nansum(cores), rtol=1e-9)
        assert use.observed[i] == min(known.sum(), np.isfinite(memory).sum()) / DAY_S
        if known.any():
            bins = [part[np.isfinite(part)] for part in cores.reshape(-1, 300)]
            np.testing.assert_allclose(
                use.cpu_p95[i], np.percentile([part.mean() for part in bins if len(part)], 95), rtol=1e-6
            )
        else:
            assert np.isnan(use.cpu_p95[i])


@given(worlds(), st.floats(0.1, 0.99))
def test_less_is_never_exceeded_less_and_no_request_is_never_exceeded(
    world: tuple[Samples, ContainerDays], part: float
) -> None:
    samples, days = world
    full = exceeded(samples, days, days.cpu_request, days.memory_request)
    less = exceeded(samples, days, part * days.cpu_request, part * days.memory_request)
    for name in ("violation_minutes", "shortfall", "over_share", "unserved"):
        assert np.all(getattr(less, name) >= getattr(full, name))
    nothing = np.full(len(days), np.nan)
    assert not exceeded(samples, days, nothing, nothing).violated.any()


@given(worlds())
def test_savings_are_what_the_bills_differ_by(world: tuple[Samples, ContainerDays]) -> None:
    samples, days = world
    use = used(samples, days)
    now = in_force(days, use)
    summary, _ = summarise(samples, days, use, now)
    assert summary.savings_net == summary.savings_gross == 0 or np.isnan(summary.savings_net)
    assert summary.coverage_cw == 0 or np.isnan(summary.coverage_cw)
    half = replace(now, cores=now.cores / 2, memory_bytes=now.memory_bytes / 2)
    halved, _ = summarise(samples, days, use, half)
    if np.isfinite(summary.cost):
        np.testing.assert_allclose(halved.savings_net, summary.cost / 2)
        np.testing.assert_allclose(halved.cpu_cost + halved.memory_cost, halved.cost)
