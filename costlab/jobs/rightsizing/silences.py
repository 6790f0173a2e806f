"""Who gets no advice because somebody said so: by labels of the pod, or in the configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

from costlab.config.advising import Silence
from costlab.domain.advice import Reason
from costlab.domain.units import Resource

_NO = ("", "false", "no")
_ALL = ("true", "yes", "all")


@dataclass(frozen=True, slots=True)
class Silenced:
    """That nothing is advised: IGNORED for good, or MUTED up to a day; `why` as it was given."""

    reason: Reason
    why: str = ""
    until: str = ""

    @property
    def facts(self) -> dict[str, str]:
        """As a row of advice tells it."""
        told = {"silenced_because": self.why, "silenced_until": self.until}
        return {name: text for name, text in told.items() if text}


def silenced(
    row: Mapping[str, Any], resource: Resource, day: date, rules: Sequence[Silence]
) -> Silenced | None:
    """Whether a container of a workload, a row of advisable_containers, gets no advice of a resource on a day."""
    return _by_label(row, resource, day) or next(
        (
            Silenced(Reason.MUTED if rule.until else Reason.IGNORED, rule.reason, str(rule.until or ""))
            for rule in rules
            if _meant(rule, row, resource) and (rule.until is None or day < rule.until)
        ),
        None,
    )


def _by_label(row: Mapping[str, Any], resource: Resource, day: date) -> Silenced | None:
    why = row["reason_label"] or ""
    ignored = (row["ignore_label"] or "").lower()
    if ignored not in _NO and (ignored in _ALL or resource.value in ignored.split("_")):
        return Silenced(Reason.IGNORED, why)
    until = _date(row["mute_until_label"])
    return Silenced(Reason.MUTED, why, str(until)) if until and day < until else None


def _date(text: str | None) -> date | None:
    """The date that a label tells; None when it tells none."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


def _meant(rule: Silence, row: Mapping[str, Any], resource: Resource) -> bool:
    return rule.resource in (None, resource.value) and all(
        fnmatchcase(row[name], getattr(rule, name)) for name in ("namespace", "workload", "container")
    )
