"""Levels, scores and episodes against a plain reading of their definition, and the laws that follow from it."""

import statistics

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from costlab.core.anomalies import Episode, Rule, episodes, levels, middle, scores

COSTS = st.one_of(st.just(float("nan")), st.just(0.0), st.integers(1, 400).map(lambda n: n / 4))
RULES = st.builds(
    Rule, period=st.integers(1, 4), cycles=st.integers(1, 5), least_cycles=st.integers(1, 3), threshold=st.floats(1, 6)
)  # fmt: skip


@st.composite
def worlds(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, Rule]:
    steps = draw(st.integers(1, 40))
    rows = draw(st.lists(st.lists(COSTS, min_size=steps, max_size=steps), min_size=1, max_size=3))
    least = draw(st.lists(COSTS, min_size=steps, max_size=steps))
    return np.array(rows), np.array(least), draw(RULES)


def plain_level(row: list[float], step: int, rule: Rule) -> float:
    past = [row[step - n * rule.period] for n in range(1, rule.cycles + 1) if step >= n * rule.period]
    seen = [cost for cost in past if cost == cost]  # noqa: PLR0124 - NaN, which alone differs from itself
    return statistics.median(seen) if len(seen) >= rule.least_cycles else float("nan")


def plain_score(row: list[float], step: int, least: float, rule: Rule) -> float:
    level = plain_level(row, step, rule)
    earlier = range(max(0, step - rule.cycles * rule.period), step)
    off = [abs(row[t] - plain_level(row, t, rule)) for t in earlier]
    off = [distance for distance in off if distance == distance]  # noqa: PLR0124 - as above
    if np.isnan(row[step] - level) or len(off) < max(1, rule.period // 2):
        return float("nan")
    smallest = 0.0 if np.isnan(least) else least / rule.threshold
    width = max(1.4826 * statistics.median(off), rule.least_share * level, smallest)
    if row[step] == level:
        return 0.0
    return (row[step] - level) / width if width else float("inf") * np.sign(row[step] - level)


@given(worlds())
def test_scores_are_what_the_definition_says(world: tuple[np.ndarray, np.ndarray, Rule]) -> None:
    values, least, rule = world
    told = scores(values, least, rule)
    plain = [[plain_score(list(row), t, least[t], rule) for t in range(len(row))] for row in values]
    np.testing.assert_allclose(told, plain, rtol=1e-12)


@given(worlds(), st.data())
def test_the_level_is_the_mean_of_the_days_that_are_named_for_it(
    world: tuple[np.ndarray, np.ndarray, Rule], data: st.DataObject
) -> None:
    values, _, rule = world
    step = data.draw(st.integers(0, values.shape[1] - 1))
    days = middle(values[0], step, rule)
    level = levels(values, rule)[0, step]
    assert len(days) <= 2
    assert all((step - day) % rule.period == 0 and day < step for day in days)
    assert np.isnan(level) if not days else level == np.mean(values[0, days])


@given(worlds(), st.data())
def test_no_score_depends_on_what_comes_later(
    world: tuple[np.ndarray, np.ndarray, Rule], data: st.DataObject
) -> None:
    values, least, rule = world
    now = data.draw(st.integers(1, values.shape[1]))
    later = values.copy()
    later[:, now:] = data.draw(COSTS)
    np.testing.assert_array_equal(scores(later, least, rule)[:, :now], scores(values, least, rule)[:, :now])


@given(worlds())
def test_another_currency_gives_the_same_scores(world: tuple[np.ndarray, np.ndarray, Rule]) -> None:
    values, least, rule = world
    np.testing.assert_array_equal(scores(values * 128, least * 128, rule), scores(values, least, rule))


@given(worlds())
def test_less_than_the_least_amount_is_no_alarm(world: tuple[np.ndarray, np.ndarray, Rule]) -> None:
    values, _, rule = world
    least = np.full(values.shape[1], 101.0)  # more than any two costs differ by
    assert not list(episodes(scores(values, least, rule), rule))


@given(st.lists(st.sampled_from([0.0, 9.0, -9.0, float("nan")]), min_size=1, max_size=40), st.integers(1, 5))
def test_every_step_beyond_the_threshold_is_in_one_episode_and_episodes_are_a_quiet_cycle_apart(
    row: list[float], period: int
) -> None:
    rule = Rule(period=period)
    found = list(episodes(np.array([row]), rule))
    loud = [step for step, score in enumerate(row) if abs(score) >= rule.threshold]
    assert [step for step in loud if sum(each.first <= step <= each.last for each in found) != 1] == []
    assert all(each.first in loud and each.last in loud for each in found)
    for one, other in zip(found, found[1:], strict=False):
        assert row[one.last + 1 : other.first].count(0.0) >= period
    for one in found:
        inside = row[one.first : one.last + 1]
        assert "0" * period not in "".join("0" if score == 0 else "x" for score in inside if score == score)  # noqa: PLR0124


def test_a_new_level_is_one_alarm_and_then_the_usual_one() -> None:
    costs = np.array([[10.0] * 70 + [30.0] * 70])
    scored = scores(costs, np.zeros(140))
    assert list(episodes(scored)) == [Episode(0, 70, 83)]
    assert scored[0, 91:].max() == 0


def test_weekends_are_no_anomaly_and_a_dear_weekend_is() -> None:
    week = [100.0] * 5 + [20.0] * 2
    costs = np.array([week * 10])
    assert not list(episodes(scores(costs, np.zeros(70))))
    costs[0, 69] = 100.0
    assert list(episodes(scores(costs, np.zeros(70)))) == [Episode(0, 69, 69)]
