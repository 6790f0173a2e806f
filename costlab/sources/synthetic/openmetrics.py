"""Writes series as OpenMetrics text that `promtool tsdb create-blocks-from openmetrics` takes back exactly."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol, TextIO

from costlab.domain.time import Window
from costlab.sources import RawSeries

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class RawMetrics(Protocol):
    """What can be written: metrics by name, with their raw series in a window."""

    def metrics(self) -> tuple[str, ...]:
        """Names of all metrics."""
        ...

    def raw(self, metric: str, window: Window) -> list[RawSeries]:
        """The metric's series with samples in the window."""
        ...


def write_openmetrics(
    cluster: RawMetrics, window: Window, path: Path, metrics: Iterable[str] | None = None
) -> int:
    """Writes all samples in the window (or those of some metrics) and answers how many.

    promtool wants `--max-block-duration=744h`, or it reads the file once for every two hours.
    Raises OSError where the file cannot be written.
    """
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for metric in cluster.metrics() if metrics is None else metrics:
            count += _write_family(file, metric, cluster.raw(metric, window))
        file.write("# EOF\n")
    return count


def _write_family(file: TextIO, metric: str, family: list[RawSeries]) -> int:
    """All samples of a metric in one piece, as the format demands; nothing for a metric without samples."""
    if not family:
        return 0
    counter = metric.endswith("_total")
    name = metric.removesuffix("_total")
    file.write(f"# HELP {name} Made up by costlab.\n# TYPE {name} {'counter' if counter else 'gauge'}\n")
    for series in family:
        file.writelines(_lines(series))
    return sum(len(series.at_ms) for series in family)


def _lines(series: RawSeries) -> Iterator[str]:
    """A line a sample: `name{label="value",…} value seconds`."""
    pairs = ",".join(f'{k}="{v.translate(_ESCAPES)}"' for k, v in series.labels.items() if k != "__name__")
    head = f"{series.labels['__name__']}{{{pairs}}} "
    # Prometheus multiplies the seconds by 1000 and cuts off the rest. From 2004-11 until 2038 that gives back
    # the very millisecond: half an ulp of the seconds, times 1000, is less than half an ulp of the product.
    for at_ms, value in zip(series.at_ms.tolist(), series.values.tolist(), strict=True):
        seconds, rest = divmod(at_ms, 1000)
        yield f"{head}{_number(value)} {seconds}.{rest:03d}\n"


def _number(value: float) -> str:
    """The shortest text that reads back as the same double."""
    text = repr(value)
    return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}.get(text, text)
