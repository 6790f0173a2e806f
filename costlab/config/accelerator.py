"""Exporters of GPUs and other accelerators: the built-in ones, and what a configuration changes or adds."""

import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    WithJsonSchema,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from costlab.config.document import read_document
from costlab.config.faults import Place, meant
from costlab.config.section import Section
from costlab.domain.signals import SIGNALS, Exporter, Signal
from costlab.domain.units import UNITS, Unit

ACCELERATOR_SIGNALS = tuple(signal.value for signal, spec in SIGNALS.items() if spec.exporter is Exporter.GPU)
CANONICAL_LABELS = SIGNALS[Signal.GPU_UTILIZATION].labels


def _listed(found: object) -> object:
    """One text is a list of one."""
    return [found] if isinstance(found, str) else found


def _signal(word: object) -> object:
    if word not in ACCELERATOR_SIGNALS:
        hint = meant(str(word), ACCELERATOR_SIGNALS) or f": {', '.join(ACCELERATOR_SIGNALS)}"
        raise PydanticCustomError("signal", "is no signal of an accelerator{hint}", {"hint": hint})
    return word


def _canonical(word: object) -> object:
    if word not in CANONICAL_LABELS:
        hint = meant(str(word), CANONICAL_LABELS) or f": {', '.join(CANONICAL_LABELS)}"
        raise PydanticCustomError("label", "is no label of an accelerator's signals{hint}", {"hint": hint})
    return word


def _unit(word: str) -> str:
    if word not in UNITS:
        hint = meant(word, UNITS) or f": {', '.join(UNITS)}"
        raise PydanticCustomError("unit", "is no unit{hint}", {"hint": hint})
    return word


def _one_or_more(pattern: str) -> dict[str, Any]:
    """The JSON schema of a text or a list of texts."""
    text = {"type": "string", "pattern": pattern}
    return {"anyOf": [text, {"type": "array", "items": text}]}


_METRIC, _LABEL = r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", r"^[a-zA-Z_][a-zA-Z0-9_]*$"
LabelName = Annotated[str, Field(pattern=_LABEL)]
MetricNames = Annotated[
    tuple[Annotated[str, Field(pattern=_METRIC)], ...],
    BeforeValidator(_listed),
    WithJsonSchema(_one_or_more(_METRIC)),
]
LabelNames = Annotated[tuple[LabelName, ...], BeforeValidator(_listed), WithJsonSchema(_one_or_more(_LABEL))]
Texts = Annotated[
    tuple[str, ...], Field(min_length=1), BeforeValidator(_listed), WithJsonSchema(_one_or_more(""))
]


class Carrier(Section):
    """What carries a signal: the first of these metrics that has samples, in this unit.

    Without a unit the metric is in the signal's own: ratio, bytes or watts. `signal: metric` is short for it. An empty
    list of metrics takes the signal out of a built-in exporter.
    """

    metric: MetricNames | None = None
    unit: Annotated[str, AfterValidator(_unit)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, found: object) -> object:
        return {"metric": found} if isinstance(found, str | list | tuple) else found

    @model_serializer
    def _as_written(self) -> Any:
        names: Any = self.metric[0] if self.metric and len(self.metric) == 1 else self.metric
        long = {"metric": names, "unit": self.unit}
        return (
            names if self.unit is None else {key: value for key, value in long.items() if value is not None}
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> Any:
        """The long form or the short one: editors accept both."""
        return {"anyOf": [handler(core["schema"]), _one_or_more(_METRIC)]}


class Accelerator(Section):
    """An exporter: its metric for each signal, and where its labels say what the canonical ones do.

    An entry that has the name of a built-in exporter changes that one: signal by signal, label by label, key by key.

    prefix: before the name of each of its metrics.
    labels: by canonical label, the exporter's labels that may hold it, the surest first; none, when it has none.
        What is left out has its canonical name, and a node is also looked for in `instance`.
    matchers: labels that its series must have, each with one of these values; "" is a label that is not there.
    own_containers: of the exporter itself: its own name on a device without honor_labels means that nobody uses it.
    fallback: it counts only where no other exporter shows any device.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")]
    prefix: Annotated[str, Field(pattern=r"^([a-zA-Z_:][a-zA-Z0-9_:]*)?$")] = ""
    metrics: Mapping[Annotated[Signal, BeforeValidator(_signal)], Carrier] = {}
    labels: Mapping[Annotated[str, BeforeValidator(_canonical)], LabelNames] = {}
    matchers: Mapping[LabelName, Texts] = {}
    own_containers: tuple[str, ...] = ()
    fallback: bool = False

    @field_validator("metrics")
    @classmethod
    def _units_fit(cls, metrics: Mapping[Signal, Carrier]) -> Mapping[Signal, Carrier]:
        faults: list[tuple[Place, str]] = []
        for signal, carrier in metrics.items():
            base = SIGNALS[signal].unit
            if carrier.unit and UNITS[carrier.unit].base != base:
                known = ", ".join(name for name, unit in UNITS.items() if unit.base == base)
                text = f"measures {UNITS[carrier.unit].base}, and {signal} is in {base}: {known}"
                faults.append(((signal.value, "unit"), text))
        _refuse(faults)
        return metrics

    def names(self, signal: Signal) -> tuple[str, ...]:
        """Its metrics for the signal, the best first."""
        carrier = self.metrics.get(signal)
        return tuple(self.prefix + name for name in carrier.metric or ()) if carrier else ()

    def unit(self, signal: Signal) -> Unit:
        """The unit that its metrics for the signal are in."""
        return UNITS[self.metrics[signal].unit or SIGNALS[signal].unit]


@functools.cache
def builtin() -> tuple[Accelerator, ...]:
    """The exporters that are known without any configuration."""
    document = read_document(Path(str(files(__package__))) / "accelerators.yaml")
    return tuple(Accelerator.model_validate(entry) for entry in document.content["accelerators"])


def in_effect(own: Sequence[Accelerator]) -> tuple[Accelerator, ...]:
    """The built-in exporters, each as the own entry of its name changes it, then the other own ones."""
    by_name = {entry.name: entry for entry in own}
    known = {entry.name for entry in builtin()}
    changed = [
        _changed(entry, by_name[entry.name]) if entry.name in by_name else entry for entry in builtin()
    ]
    return (*changed, *(entry for entry in own if entry.name not in known))


def without_contradictions(own: tuple[Accelerator, ...]) -> tuple[Accelerator, ...]:
    """The entries as they are; raises ValidationError where they contradict each other or the built-in ones."""
    _refuse(list(_contradictions(own)))
    return own


def _contradictions(own: tuple[Accelerator, ...]) -> Iterator[tuple[Place, str]]:
    known = [entry.name for entry in builtin()]
    names = [entry.name for entry in own]
    for number, entry in enumerate(own):
        if (first := names.index(entry.name)) < number:
            yield (number, "name"), f"is that of accelerators[{first}] too"
        elif entry.name not in known and not entry.metrics:
            hint = meant(entry.name, known) or f"; built in are {', '.join(known)}"
            yield (number, "name"), f"names no built-in exporter, and the entry has no metrics{hint}"
    entries = {entry.name: entry for entry in in_effect(own)}
    for number, entry in enumerate(own):
        for signal, carrier in entries[entry.name].metrics.items():
            place = (number, "metrics", signal.value)
            if carrier.metric is None:
                yield (*place, "metric"), "is missing"
            for twice in _repeated(entries, entry.name, signal):
                yield place, f"{twice}, and a series counts once"


def _repeated(entries: Mapping[str, Accelerator], name: str, signal: Signal) -> Iterator[str]:
    """The metrics of an exporter that stand there twice, or in another one too."""
    mine = Counter(entries[name].names(signal))
    yield from (f"{metric} is there twice" for metric, count in mine.items() if count > 1)
    for other, entry in entries.items():
        for metric in entry.names(signal):
            if other != name and metric in mine:
                yield f"{metric} is the metric of the exporter {other} too"


def _changed(entry: Accelerator, own: Accelerator) -> Accelerator:
    metrics = {signal: own.metrics.get(signal, Carrier()) for signal in (*entry.metrics, *own.metrics)}
    given = {key: getattr(own, key) for key in own.model_fields_set - {"metrics", "labels"}}
    return entry.model_copy(
        update=given
        | {
            "metrics": {
                signal: _completed(carrier, entry.metrics.get(signal)) for signal, carrier in metrics.items()
            },
            "labels": {**entry.labels, **own.labels},
        }
    )


def _completed(carrier: Carrier, of: Carrier | None) -> Carrier:
    """The carrier, with what it does not say taken from the built-in one."""
    if of is None:
        return carrier
    return Carrier(
        metric=of.metric if carrier.metric is None else carrier.metric,
        unit=of.unit if carrier.unit is None else carrier.unit,
    )


def _refuse(faults: list[tuple[Place, str]]) -> None:
    """Raise ValidationError with every fault at its place, or do nothing when there is none."""
    if faults:
        raise ValidationError.from_exception_data(
            "accelerators",
            [
                InitErrorDetails(
                    type=PydanticCustomError("accelerator", "{text}", {"text": text}), loc=place, input=None
                )
                for place, text in faults
            ],
        )
