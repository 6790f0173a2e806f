"""Metrics in Prometheus' text format, version 0.0.4."""

from collections.abc import Iterable
from decimal import Decimal

from costlab.domain.metrics import Metric, Sample

_IN_LABELS = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def exposition(samples: Iterable[Sample]) -> bytes:
    """The samples, those of a metric together under its help and type, in the order in which metrics first come."""
    families: dict[Metric, list[Sample]] = {}
    for sample in samples:
        families.setdefault(sample.metric, []).append(sample)
    lines = []
    for metric, held in families.items():
        lines += [f"# HELP {metric.name} {metric.doc}", f"# TYPE {metric.name} gauge", *map(_line, held)]
    return "".join(f"{line}\n" for line in lines).encode()


def _line(sample: Sample) -> str:
    labels = ",".join(f'{name}="{value.translate(_IN_LABELS)}"' for name, value in sample.labels.items())
    return f"{sample.metric.name}{{{labels}}} {_number(sample.value)}"


def _number(value: Decimal | float) -> str:
    """Shortest text that reads back as the same number; not observed is NaN, as Prometheus writes it."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return "NaN" if value != value else repr(value)  # noqa: PLR0124 - only NaN differs from itself
