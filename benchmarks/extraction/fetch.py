"""costlab's own fetching, from the first request to the mark that makes a signal count: what `extract` does first.

usage: python -m extraction.fetch URL ENGINE WORKLOAD FOLDER [RUNS]    prints seconds, samples and bytes of each run
"""

import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson

from costlab.config.servers import Prometheus
from costlab.sources.prometheus.backend import enter
from costlab.sources.prometheus.gate import Gate
from costlab.sources.prometheus.planning import pieces, series_at_once
from costlab.sources.prometheus.selector import Selector
from costlab.sources.prometheus.tasks import Reader, Task
from costlab.store.spool import Spool
from extraction.workload import DAY, WINDOW, WORKLOADS, Workload


def fetch(settings: Prometheus, workload: Workload, spool: Spool) -> int:
    """Fetch the workload into the spool, as `PrometheusSource` reads signals; how many samples there were."""
    backend = enter(settings)
    engine = backend.engine()
    gate = Gate(settings.max_in_flight)
    reader = Reader(engine, gate, backend, settings.max_series)
    most_samples = engine.most_samples
    known = (
        series_at_once(backend.client, list(workload.selectors), workload.matchers, WINDOW)
        if most_samples
        else {}
    )

    def read_one(metric: str, selector: Selector) -> int:
        room, deadline = spool.room(metric), time.monotonic() + settings.signal_timeout
        parts = pieces(WINDOW, known.get(metric), most_samples)
        count = sum(reader.read(Task(selector, part, deadline), room) for part in parts)
        room.commit(str(selector))
        return count

    with ThreadPoolExecutor(settings.max_in_flight) as pool:
        return sum(pool.map(read_one, workload.selectors, workload.selectors.values()))


def main(url: str, engine: str, name: str, folder: str, runs: str = "1") -> None:
    """Fetch the workload several times, each time anew; the first time compiles or loads what is compiled."""
    settings = Prometheus.model_validate({"url": url, "engine": engine})
    told = []
    for _ in range(int(runs)):
        shutil.rmtree(folder, ignore_errors=True)
        begun = time.perf_counter()
        samples = fetch(settings, WORKLOADS[name], Spool(Path(folder), "big", DAY))
        seconds = time.perf_counter() - begun
        size = sum(file.stat().st_size for file in Path(folder).rglob("*.parquet"))
        told.append({"seconds": seconds, "samples": samples, "bytes": size})
    print(orjson.dumps(told).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
