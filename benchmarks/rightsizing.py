"""Rules for requests on real machines: what each costs, and how often it is exceeded, on days that it had not seen.

usage: scripts/bench rightsizing --usage FILE [--first-day DATE] [--out FOLDER]

FILE is Parquet: Bitbrains' virtual machines (cite Shen, van Beek, Iosup, CCGrid 2015), or workloads in the columns that
machine_days/usage.py names. Advice for a day uses the days before it alone. FOLDER gets each rule's recommendations.
"""

import argparse
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from machine_days.judged import CPU_PRICE, GIB, MEMORY_PRICE, Judged, Totals, judge
from machine_days.usage import Usage, read, samples_of
from numpy.typing import NDArray

from costlab.core.rightsizing.costlab.rule import Costlab
from costlab.core.rightsizing.daily import daily_of
from costlab.core.rightsizing.policies import POLICIES, policy_of
from costlab.core.rightsizing.samples import Circumstances

Floats = NDArray[np.float64]
PRICES = (1, 2, 3, 5, 7, 10, 14, 20, 24, 28, 34, 40, 46, 52, 58, 70, 85, 110, 150, 220, 400, 800)
FEW = (2, 7, 20, 28, 40, 58, 85, 150, 400)
WINDOW = 14  # days, of the rules of others
BAND = 1000  # container-days
RESAMPLED, SEED = 500, 0


@dataclass(frozen=True, slots=True)
class Advice:
    """CPU in cores and memory in bytes, (workloads, days); NaN = none. promised: of memory, or None."""

    cpu: Floats
    memory: Floats
    promised: Floats | None = None


def main() -> None:
    """Print the frontier, and what of the goals is reached."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--usage", type=Path)
    asked.add_argument(
        "--first-day", type=np.datetime64, default=None, help="the first that is judged; default: the 16th"
    )
    asked.add_argument("--out", type=Path)
    options = asked.parse_args()
    if options.usage is None:
        print("left out, no usage to judge rules by: scripts/bench rightsizing --usage FILE.parquet")
        return
    warnings.filterwarnings("ignore", "All-NaN|invalid value", RuntimeWarning)
    usage = read(options.usage)
    first = (
        16
        if options.first_day is None
        else int(options.first_day.astype("datetime64[D]").astype(int)) - usage.first_day
    )
    judged = usage.judged.copy()
    judged[:, :first] = False
    begun = time.perf_counter()
    advice = {**of_others(usage), **of_costlab(usage, first)}
    took_s = time.perf_counter() - begun
    if options.out:
        for name, given in advice.items():
            _write(options.out / f"{name.replace(' ', '-')}.parquet", usage, given, first)
    found = {name: judge(usage, given.cpu, given.memory, judged) for name, given in advice.items()}
    count = len(usage.workloads)
    everyone = np.arange(count)
    largest = int(np.argmax(found["krr-simple"].memory_bill))
    print(f"{count} workloads, {int(judged.sum()):,} container-days; {took_s:.1f} s for {len(advice)} rules")
    _frontier(found, everyone)
    print(f"\nwithout workload {usage.workloads[largest]}, the largest by memory")
    _frontier(found, np.delete(everyone, largest))
    for words, chosen in (("", everyone), (" without the largest", np.delete(everyone, largest))):
        print(f"\nmust reach{words}")
        for goal, reached, enough in goals({name: each.of(chosen) for name, each in found.items()}):
            print(f"  {goal:78} {reached:34} {'reached' if enough else 'missed'}")
    worst = {
        name: worst_band(usage, given, judged) for name, given in advice.items() if given.promised is not None
    }
    name = max(worst, key=lambda name: worst[name])
    print(
        f"  {f'violations / promise, at most 1.25 in each band of {BAND} container-days':78} "
        f"{f'{worst[name]:.2f} at worst ({name})':34} {'reached' if worst[name] <= 1.25 else 'missed'}"
    )


def of_others(usage: Usage) -> dict[str, Advice]:
    """The rules that costlab is set against: those of others by name, plain ones by short formulas, and the bounds."""
    peaks, highest_cpu = _by_day(usage.memory), _by_day(usage.cpu)
    p95 = np.full(peaks.shape, np.nan)
    p97 = np.full(peaks.shape, np.nan)
    for day in range(1, peaks.shape[1]):
        p95[:, day] = np.nanpercentile(usage.cpu[:, max(0, day - WINDOW) : day], 95, axis=(1, 2))
        p97[:, day] = np.nanpercentile(usage.cpu[:, max(0, day - 28) : day], 97, axis=(1, 2))
    peak = _before(peaks, WINDOW)
    return {
        "as provisioned": Advice(usage.cpu_now, usage.memory_now),
        **{name: _named(name, usage) for name in POLICIES if not name.startswith("costlab")},
        "14 days × 1.3": Advice(p95, peak * 1.3),
        "28 days × 1.15": Advice(p97, _before(peaks, 28) * 1.15),
        "all days × 1.15": Advice(p97, _before(peaks, peaks.shape[1]) * 1.15),
        "yesterday's peak": Advice(_before(highest_cpu, 1), _before(peaks, 1)),
        "perfect foresight": Advice(np.nanpercentile(usage.cpu, 95, axis=2), peaks),
    }


def _named(name: str, usage: Usage) -> Advice:
    """What a rule advises by its name, knowing nothing but the usage."""
    given = policy_of(name).advise(
        samples_of(usage), Circumstances.nothing_known(len(usage.workloads)), usage.midnights_ms
    )
    return Advice(given.cpu_request.T, given.memory_request.T)


def of_costlab(usage: Usage, first: int) -> dict[str, Advice]:
    """The default rule at prices of risk from careless to careful; steady; and where it is not told what is paid now."""
    midnights_ms = usage.midnights_ms
    daily = daily_of(samples_of(usage), midnights_ms)
    nothing = Circumstances.nothing_known(len(usage.workloads))
    told = _paid(usage, nothing)
    midnights = np.arange(first, len(midnights_ms))
    advice = {}
    for steady, circumstances, words in (
        (False, told, ""),
        (True, told, " steady"),
        (False, nothing, " untold"),
    ):
        for price in PRICES if not words else FEW:
            given = Costlab(float(price), steady=steady).advise_daily(daily, circumstances, midnights)
            columns = [np.full(usage.cpu_now.shape, np.nan) for _ in range(3)]
            for column, values in zip(
                columns, (given.cpu_request, given.memory_request, given.memory_risk), strict=True
            ):
                column[:, first:] = values.T
            advice[f"costlab{words} {price}"] = Advice(*columns)
    return advice


def goals(totals: Mapping[str, Totals]) -> list[tuple[str, str, bool]]:
    """What is to be reached against KRR's rule: the goal, what was reached, whether it is enough."""
    krr, kubecost = totals["krr-simple"], totals["kubecost"]
    sweep = [totals[f"costlab {price}"] for price in PRICES]
    steady = [totals[f"costlab steady {price}"] for price in FEW]
    bills = np.log([each.memory_bill for each in sweep])

    def at_its_bill(name: str) -> float:
        """A share of violations, of KRR's, at the price between two of the sweep at which the bill is KRR's."""
        shares = np.log([max(getattr(each, name), 1e-9) for each in sweep])
        return float(np.exp(np.interp(np.log(krr.memory_bill), bills, shares)) / getattr(krr, name))

    fewer, weighted = at_its_bill("violated"), at_its_bill("violated_weighted")
    any_price = sweep[0]  # CPU does not depend on it
    at_risk = [
        each for each in sweep
        if each.violated <= krr.violated and each.violated_weighted <= krr.violated_weighted
    ]  # fmt: skip
    bill = min((each.memory_bill / krr.memory_bill for each in at_risk), default=np.nan)
    careful = min((each.bill / kubecost.bill for each in sweep if each.violated < 0.01), default=np.nan)
    dearer, unserved = any_price.cpu_bill / krr.cpu_bill, any_price.unserved / krr.unserved
    over = max(any_price.over / krr.over, any_price.over_weighted / krr.over_weighted)
    changes, cpu_changes = (
        max(getattr(each, name) for each in steady) for name in ("changes", "cpu_changes")
    )
    steady_bill = max(each.cpu_bill for each in steady) / krr.cpu_bill
    return [
        ("at KRR's memory bill, its violations by container-days and by cost, at most 0.667", f"{fewer:.3f}, {weighted:.3f}", max(fewer, weighted) <= 2 / 3),
        ("at KRR's violations, by both, its memory bill, at most 0.95", f"{bill:.3f}", bill <= 0.95),
        ("under 1 % of container-days with a violation, Kubecost's bill, below 1", f"{careful:.3f}", careful < 1),
        ("KRR's CPU bill, at most 1.05", f"{dearer:.3f}", dearer <= 1.05),
        ("KRR's unserved CPU, at most 0.5", f"{unserved:.3f}", unserved <= 0.5),
        ("KRR's samples above the CPU request, by both, below 1", f"{over:.3f}", over < 1),
        ("steady, changes of memory a container-day, at most 0.12", f"{changes:.3f}", changes <= 0.12),
        ("steady, changes of CPU a container-day, at most 0.12", f"{cpu_changes:.3f}", cpu_changes <= 0.12),
        ("steady, KRR's CPU bill, at most 1.05", f"{steady_bill:.3f}", steady_bill <= 1.05),
    ]  # fmt: skip


def worst_band(usage: Usage, given: Advice, judged: NDArray[np.bool_]) -> float:
    """The most that violations came to of what was promised, in bands of container-days in the order of the promise."""
    if given.promised is None:
        return 0.0
    told = judged & np.isfinite(given.promised)
    promised = given.promised[told]
    violated = (_by_day(usage.memory) > given.memory * (1 + 1e-6))[told]
    order = np.argsort(promised, kind="stable")
    edges = np.arange(0, max(len(order) - BAND, 0) + 1, BAND)
    sums = (np.add.reduceat(values[order].astype(np.float64), edges) for values in (violated, promised))
    came, promise = sums
    return float((came / promise).max())


def _frontier(found: Mapping[str, Judged], chosen: NDArray[np.int64]) -> None:
    krr = found["krr-simple"].of(chosen)
    drawn = np.random.default_rng(SEED).choice(chosen, (RESAMPLED, len(chosen)))
    print(
        f"{'':24}{'cost of now':>12}{'memory bill':>12}{'days violated':>14}{'95 % of it':>15}{'by cost':>9}"
        f"{'of KRR’s':>10}{'95 % of it':>14}{'CPU bill':>9}{'over':>8}{'unserved':>9}{'changes':>9}{'of CPU':>8}"
    )
    for name, judged in found.items():
        each = judged.of(chosen)
        resampled = [judged.of(some) for some in drawn]
        peers = [found["krr-simple"].of(some) for some in drawn]
        low, high = np.percentile([some.violated for some in resampled], (2.5, 97.5))
        ratios = [
            some.violated / max(peer.violated, 1e-9) for some, peer in zip(resampled, peers, strict=True)
        ]
        below, above = np.percentile(ratios, (2.5, 97.5))
        print(
            f"{name:24}{each.bill / each.now:12.3f}{each.memory_bill / krr.memory_bill:12.3f}{each.violated:14.2%}"
            f"{f'{low:.2%} … {high:.2%}':>15}{each.violated_weighted:9.2%}{each.violated / krr.violated:10.2f}"
            f"{f'{below:.2f} … {above:.2f}':>14}{each.cpu_bill / krr.cpu_bill:9.3f}{each.over:8.2%}"
            f"{each.unserved:9.2%}{each.changes:9.3f}{each.cpu_changes:8.3f}"
        )


def _paid(usage: Usage, otherwise: Circumstances) -> Circumstances:
    """What each workload costs a day as provisioned when it is first seen."""
    cost = 24 * (CPU_PRICE * usage.cpu_now + MEMORY_PRICE * usage.memory_now / GIB)
    seen = np.isfinite(cost).argmax(axis=1)
    return Circumstances(
        otherwise.containers_in_pod, otherwise.cpu_autoscaled, otherwise.memory_autoscaled,
        otherwise.killed_subject, otherwise.killed_at_ms, otherwise.killed_limit_bytes,
        cost[np.arange(len(cost)), seen],
    )  # fmt: skip


def _by_day(values: NDArray[np.float32]) -> Floats:
    return np.asarray(np.fmax.reduce(values, axis=2), np.float64)


def _before(daily: Floats, days: int) -> Floats:
    """The highest of so many days before each."""
    found = np.full(daily.shape, np.nan)
    for day in range(1, daily.shape[1]):
        found[:, day] = np.fmax.reduce(daily[:, max(0, day - days) : day], axis=1)
    return found


def _write(path: Path, usage: Usage, given: Advice, first: int) -> None:
    """A row for each workload and day with advice."""
    workload, day = np.nonzero(np.isfinite(given.cpu) & np.isfinite(given.memory))
    kept = day >= first
    workload, day = workload[kept], day[kept]
    dates = (usage.first_day + day).astype("datetime64[D]").astype(str)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.table({
            "workload": np.array(usage.workloads)[workload], "day": dates,
            "cpu_request_cores": given.cpu[workload, day], "memory_request_bytes": given.memory[workload, day],
        }), path,
    )  # fmt: skip


if __name__ == "__main__":
    main()
