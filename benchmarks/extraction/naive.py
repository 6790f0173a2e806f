"""The peer that most people begin with: prometheus-api-client's range query, its data frame, and Parquet.

usage: python -m extraction.naive URL FOLDER    prints seconds, samples and bytes as JSON
"""

import sys
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path

import orjson
from prometheus_api_client import MetricRangeDataFrame, PrometheusConnect

from extraction.workload import PART, WINDOW


def main(url: str, folder: str) -> None:
    """Fetch the part that fits into memory."""
    warnings.simplefilter("ignore")  # of pandas, about the client
    (selector,) = PART.selectors.values()
    start, end = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (WINDOW.start_ms, WINDOW.end_ms - 1000))
    begun = time.perf_counter()
    answer = PrometheusConnect(url).custom_query_range(str(selector), start, end, step="30")
    frame = MetricRangeDataFrame(answer)
    file = Path(folder) / "naive.parquet"
    frame.to_parquet(file)
    seconds = time.perf_counter() - begun
    print(orjson.dumps([{"seconds": seconds, "samples": len(frame), "bytes": file.stat().st_size}]).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
