"""CPU above the request, at a bill 5 % above KRR's: what is left by one share for all, by a learner, and by who knows the day.

usage: scripts/bench unserved --usage FILE

FILE as in `scripts/bench rightsizing`. At one bill the least is left unserved where the same share of the time is above
every request, so that what is left to gain is in foreseeing the day. The learner, boosted stumps, moves each day off the
share that all have, by what was known at midnight; it learns from one half of the machines and is judged on the other.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine_days.cores import SHARES, Days, days_of
from machine_days.stumps import Step, boosted, values_of
from machine_days.usage import read, samples_of
from numpy.typing import NDArray

from costlab.core.rightsizing.policies import policy_of
from costlab.core.rightsizing.samples import Circumstances

Floats = NDArray[np.float64]
Requests = Callable[[float], Floats]
FIRST = 16  # days that are only learnt from
BUDGET, GOAL = 1.05, 0.5  # of KRR's bill, and of what it leaves unserved
STEPS, RATE = (40, 150), 0.1
LEAST = 1e-3  # of a machine's highest, below which levels are not told apart
AIMED_ABOVE = 0.025  # the share of the time above the request, where the learner stands
LEAST_DEARER = 0.002  # of a machine's highest: where a rung costs nothing, there is no slope
DRAWS = 5
RESAMPLED, SEED = 500, 0


def main() -> None:
    """Print what is left unserved by each way, and the bill at which it is the goal."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--usage", type=Path)
    options = asked.parse_args()
    if options.usage is None:
        print("left out, no usage to judge by: scripts/bench unserved --usage FILE.parquet")
        return
    warnings.filterwarnings(
        "ignore", "All-NaN|invalid value|Mean of empty|Degrees of freedom", RuntimeWarning
    )
    begun = time.perf_counter()
    usage = read(options.usage)
    judged = usage.judged.copy()
    judged[:, :FIRST] = False
    nothing = Circumstances.nothing_known(len(usage.workloads))
    krr = policy_of("krr-simple").advise(samples_of(usage), nothing, usage.midnights_ms).cpu_request.T
    days = days_of(usage, judged, krr)
    largest = int(np.argmax(np.bincount(days.machine, days.krr)))
    for words, some in (
        ("", days),
        (f"without workload {usage.workloads[largest]}, the largest by CPU: ", days.chosen(days.machine != largest)),
    ):  # fmt: skip
        print(f"{words}{len(set(some.machine.tolist()))} workloads, {len(some.krr):,} days")
        print(
            f"{f'at {BUDGET} of KRR’s bill':42}{'unserved':>9}{'of the draws':>15}{'95 % of it':>15}  {GOAL} of it costs"
        )
        for name, draws in ways(some).items():
            _tell(name, some, draws)
        _tell_where(some)
    print(f"{time.perf_counter() - begun:.0f} s")


def ways(days: Days) -> dict[str, list[Requests]]:
    """Each way's requests, by a number from 0 to 1 that they rise with; a learner's for each draw of half of the machines."""
    told = {
        words: np.column_stack([days.figures, np.log(np.maximum(level / days.scale, LEAST))])
        for words, level in (("mean", np.nanmean(days.cpu, axis=1)), ("peak", days.own(1.0)))
    }
    learnt = {
        f"learner of {steps} steps": [_crossed(days, days.figures, draw, steps) for draw in range(DRAWS)]
        for steps in STEPS
    } | {
        f"learner told the day's {words}": [_crossed(days, figures, draw, STEPS[-1]) for draw in range(DRAWS)]
        for words, figures in told.items()
    }
    on_the_same = values_of(_learnt(days, days.figures, STEPS[-1]), days.figures)
    return {
        "one share, of 14 days or yesterday": [_moved(days, np.zeros(len(days.krr)))],
        **{name: [_moved(days, by) for by in draws] for name, draws in learnt.items()},
        "learner, judged on what it learnt from": [_moved(days, on_the_same)],
        "one level a machine, in hindsight": [_in_hindsight(days)],
        "the day itself known": [days.own],
    }


def _moved(days: Days, by: Floats) -> Requests:
    """The same place among the rungs for all, but for what each day is moved by."""
    rungs = days.rungs.shape[1] - 1
    return lambda at: days.requested((2 * at - 0.5) * rungs + by)


def _crossed(days: Days, figures: Floats, draw: int, steps: int) -> Floats:
    """How many rungs each day is moved by a learner that never saw its machine."""
    machines = np.unique(days.machine)
    half = np.random.default_rng(draw).permutation(machines)[: len(machines) // 2]
    first, moved = np.isin(days.machine, half), np.zeros(len(days.krr))
    for learnt in (first, ~first):
        moved[~learnt] = values_of(_learnt(days.chosen(learnt), figures[learnt], steps), figures[~learnt])
    return moved


def _learnt(days: Days, figures: Floats, steps: int) -> tuple[Step, ...]:
    """Steps that lessen what is unserved + a core's price × cores."""
    start = 2 + float(np.interp(1 - AIMED_ABOVE, SHARES, np.arange(len(SHARES))))
    # A core counts for less on a large machine: by their cores alone four of fifty would be all that is learnt from.
    weight = 1 / np.sqrt(days.scale)
    weight /= (days.dearer(np.full(len(weight), start)) * weight).mean()

    def slopes(moved: Floats) -> tuple[Floats, Floats]:
        place = start + moved
        dearer = (days.dearer(place) + LEAST_DEARER * days.scale) * weight
        return dearer * (1 - days.above(days.requested(place)) / AIMED_ABOVE), dearer

    return boosted(figures, slopes, rounds=steps, rate=RATE)


def _in_hindsight(days: Days) -> Requests:
    """One level for all days of a machine, at the same share of its time."""
    used = {machine: days.cpu[days.machine == machine] for machine in np.unique(days.machine).tolist()}

    def requests(share: float) -> Floats:
        level = {machine: float(np.nanquantile(cpu, share)) for machine, cpu in used.items()}
        return np.array([level[machine] for machine in days.machine.tolist()])

    return requests


def _tell(name: str, days: Days, draws: list[Requests]) -> None:
    """A line, of the middle of the draws; the interval is over machines, with the requests as they are."""
    krr = _by_machine(days, days.unserved(days.krr))
    left = sorted(
        (
            _by_machine(days, days.unserved(requests(_at(_bill(requests), BUDGET * days.krr.sum()))))
            for requests in draws
        ),
        key=lambda each: float(each.sum()),
    )
    middle = left[len(left) // 2]
    drawn = np.random.default_rng(SEED).integers(0, len(krr), (RESAMPLED, len(krr)))
    low, high = np.percentile(middle[drawn].sum(axis=1) / krr[drawn].sum(axis=1), (2.5, 97.5))
    costs = [
        _bill(requests)(_at(_unserved(days, requests), -GOAL * krr.sum())) / days.krr.sum()
        for requests in draws
    ]
    least, most = (left[place].sum() / krr.sum() for place in (0, -1))
    print(
        f"{name:42}{middle.sum() / krr.sum():9.3f}{f'{least:.2f} … {most:.2f}' if len(draws) > 1 else '':>15}"
        f"{f'{low:.2f} … {high:.2f}':>15}{np.median(costs):12.3f}"
    )


def _tell_where(days: Days) -> None:
    """On which days lies what one share for all leaves."""
    requests = _moved(days, np.zeros(len(days.krr)))
    left = days.unserved(requests(_at(_bill(requests), BUDGET * days.krr.sum())))
    new = days.own(1.0) > days.scale
    worst = np.sort(left)[-10:]
    print(
        f"of what one share leaves, {left[new].sum() / left.sum():.0%} is on the {new.mean():.1%} of days with a peak above "
        f"those of 14 days, {worst.sum() / left.sum():.0%} on the ten worst\n"
    )


def _by_machine(days: Days, values: Floats) -> Floats:
    return np.asarray(np.bincount(np.unique(days.machine, return_inverse=True)[1], values), np.float64)


def _bill(requests: Requests) -> Callable[[float], float]:
    return lambda at: float(requests(at).sum())


def _unserved(days: Days, requests: Requests) -> Callable[[float], float]:
    return lambda at: -float(days.unserved(requests(at)).sum())


def _at(rising: Callable[[float], float], value: float) -> float:
    """Where between 0 and 1 it reaches the value."""
    low, high = 0.0, 1.0
    for _ in range(22):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < value else (low, middle)
    return low


if __name__ == "__main__":
    main()
