"""Fetching a big day into Parquet, beside the server's own serving rate and the client that most begin with.

A Prometheus holds a day at 30 s of 2,000 containers and 400 GPUs with churn. `part` is one metric of two namespaces:
prometheus-api-client takes 1.6 KB of memory a sample, which would be 29 GB for the day. Three rounds, a server each,
every peer in a process of its own; the table has the medians. $COSTLAB_BENCH_DIR keeps the day for the next time.
"""

import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from big_day.cast import Scale
from big_day.day import BigDay, big_day, kept_under
from big_day.server import serving, thrown_away
from extraction.peers import Reading, Round, peers

ROUNDS = 3
Readings = dict[tuple[str, str], list[Reading]]  # by peer and workload
_CURL, _FRESH, _COMPILED = (
    "curl: the server alone",
    "costlab, in a fresh process",
    "costlab, kernels compiled",
)
_EXTRACT = "costlab extract, all of it"
_JSON, _NAIVE = "costlab by JSON", "prometheus-api-client"
_HEADINGS = (
    "seconds", "M samples/s", "of curl", "× naive", "CPU s", "peak MiB", "server CPU s", "MiB before", "peak", "after",
    "bytes/sample",
)  # fmt: skip


def main() -> None:
    """Print the table, and what must be reached."""
    day = big_day(Scale(), kept_under())
    print(
        f"{day.noisy_samples:,} noisy samples in {sum(day.series.values()):,} series, and {day.further_samples:,} "
        f"samples of the cluster around them; medians of {ROUNDS} rounds"
    )
    readings: Readings = defaultdict(list)
    for _ in range(ROUNDS):
        for reading in _round(day):
            readings[reading.peer, reading.workload].append(reading)
    figures = Figures(readings)
    print(f"{'':30}{'workload':>10}" + "".join(f"{heading:>{_width(heading)}}" for heading in _HEADINGS))
    for peer, workload in readings:
        cells = zip(_HEADINGS, figures.row(peer, workload), strict=True)
        print(f"{peer:30}{workload:>10}" + "".join(f"{cell:>{_width(heading)}}" for heading, cell in cells))
    print("\nmust reach")
    for words, reached, bound, enough in figures.verdicts():
        print(f"  {words:58}{reached:9.1f}  {'reached' if enough else 'missed':8} ({bound})")


class Figures:
    """Medians over the rounds."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings
        self._samples = {
            reading.workload: reading.samples
            for several in readings.values()
            for reading in several
            if reading.samples is not None
        }

    def row(self, peer: str, workload: str) -> tuple[str, ...]:
        """The cells of a line of the table."""
        rate = self.rate(peer, workload)
        curl = self.rate(_CURL, workload) if (_CURL, workload) in self._readings else None
        return (
            f"{self._median(peer, workload, lambda r: r.seconds):.2f}",
            f"{rate / 1e6:.2f}",
            f"{rate / curl:.0%}" if curl else "",
            f"{rate / self.rate(_NAIVE, 'part'):.1f}",
            f"{self._median(peer, workload, lambda r: r.cost.cpu_s):.2f}",
            f"{self._median(peer, workload, lambda r: r.cost.peak_mib):.0f}",
            f"{self._median(peer, workload, lambda r: r.cost.server_cpu_s):.2f}",
            f"{self._median(peer, workload, lambda r: r.cost.server_before.resident):.0f}",
            f"{self._median(peer, workload, lambda r: r.cost.server_after.peak):.0f}",
            f"{self._median(peer, workload, lambda r: r.cost.server_after.resident):.0f}",
            f"{self._median(peer, workload, lambda r: r.bytes) / self._samples[workload]:.2f}",
        )

    def rate(self, peer: str, workload: str) -> float:
        """Samples a second."""
        return self._samples[workload] / self._median(peer, workload, lambda r: r.seconds)

    def verdicts(self) -> list[tuple[str, float, str, bool]]:
        """What is measured, the figure, its bound in words, and whether it keeps to it."""
        curl, naive = self.rate(_CURL, "full"), self.rate(_NAIVE, "part")
        compiled, fresh = (100 * self.rate(peer, "full") / curl for peer in (_COMPILED, _FRESH))
        times = self.rate(_COMPILED, "full") / naive
        json = min(self.rate(_JSON, workload) for workload in ("full", "part")) / naive
        peak = max(self._median(peer, "full", lambda r: r.cost.peak_mib) for peer in (_COMPILED, _JSON))
        whole = self._median(_EXTRACT, "everything", lambda r: r.cost.peak_mib)
        grew = self._median(_COMPILED, "full", lambda r: r.cost.server_grew_mib)
        size = self._median(_COMPILED, "full", lambda r: r.bytes) / self._samples["full"]
        return [
            ("% of the server's own rate, kernels compiled", compiled, "at least 40, aim 50", compiled >= 40),
            ("% of the server's own rate, in a fresh process", fresh, "at least 30", fresh >= 30),
            ("times prometheus-api-client, by remote read", times, "at least 60", times >= 60),
            ("times prometheus-api-client, by JSON", json, "at least 10", json >= 10),
            ("MiB of client memory at most, by either way", peak, "under 500 MB", peak * 2**20 < 500e6),
            ("MiB of the whole command at most", whole, "under 500 MB", whole * 2**20 < 500e6),
            (
                "MiB by which the server grew at most, by remote read",
                grew,
                "within 50 MB",
                grew * 2**20 <= 50e6,
            ),
            ("bytes a sample on the disk, by remote read", size, "at most 5", size <= 5),
        ]

    def _median(self, peer: str, workload: str, figure: Callable[[Reading], float]) -> float:
        return statistics.median(figure(reading) for reading in self._readings[peer, workload])


def _round(day: BigDay) -> list[Reading]:
    thrown_away(day.folder / "tsdb")
    with serving(day.folder) as server, tempfile.TemporaryDirectory(dir=day.folder) as folder:
        return [reading for peer in peers() for reading in peer(Round(server, day, Path(folder)))]


def _width(heading: str) -> int:
    return len(heading) + 2


if __name__ == "__main__":
    main()
