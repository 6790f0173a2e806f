"""What a pipeline asks of advice: how it differs from an earlier one, and whether it is too much."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from costlab.domain.errors import ConfigError

SCHEMA = "costlab.recommend/1"
KEY = ("cluster", "namespace", "workload_kind", "workload", "container", "resource", "action")

_MEASURES = ("savings", "net", "raises", "changes")
_POLICY = re.compile(rf"\s*({'|'.join(_MEASURES)})\s*>\s*([0-9]+(?:\.[0-9]+)?)\s*")
_COMPARED = ("proposed_request", "proposed_limit")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FailOn:
    """A bound on advice, such as savings>100: money a month, or a number of changes."""

    measure: str
    bound: Decimal

    @classmethod
    def parse(cls, text: str) -> "FailOn":
        """What a text such as `savings>100` says; raises ConfigError."""
        match = _POLICY.fullmatch(text)
        if match is None:
            raise ConfigError(
                f"--fail-on {text!r} is not MEASURE>NUMBER",
                f"write --fail-on 'savings>100'; measures are {', '.join(_MEASURES)}",
            )
        return cls(match[1], Decimal(match[2]))

    def reached(self, rows: Sequence[Row]) -> Decimal:
        """What the advice comes to: saved by cuts (gross or net), spent on raises, or the number of changes."""
        advised = [row for row in rows if is_advice(row)]
        gross = [Decimal(row["monthly_saving_gross"] or 0) for row in advised]
        net = [Decimal(row["monthly_saving_net"] or 0) for row in advised]
        return {
            "savings": sum((amount for amount in gross if amount > 0), Decimal(0)),
            "net": sum((amount for amount in net if amount > 0), Decimal(0)),
            "raises": -sum((amount for amount in gross if amount < 0), Decimal(0)),
            "changes": Decimal(len(advised)),
        }[self.measure]


def is_advice(row: Row) -> bool:
    """Whether a row advises anything; the others say why nothing is."""
    return row["proposed_request"] is not None or row["monthly_saving_gross"] is not None


def differences(rows: Sequence[Row], before: Sequence[Row]) -> list[dict[str, Any]]:
    """The advice that is new, changed or gone since an earlier answer, in the order of their names.

    Each row has `difference`, and `request_before`, what was proposed then; of what is gone it is the earlier row.
    """
    now = {_key(row): row for row in rows if is_advice(row)}
    then = {_key(row): row for row in before if is_advice(row)}
    found = []
    for key in sorted(now.keys() | then.keys()):
        earlier = then.get(key)
        if key not in now:
            found.append({**then[key], "difference": "gone", "request_before": then[key]["proposed_request"]})
        elif earlier is None:
            found.append({**now[key], "difference": "new", "request_before": None})
        elif any(now[key][name] != earlier[name] for name in _COMPARED):
            found.append({**now[key], "difference": "changed", "request_before": earlier["proposed_request"]})
    return found


def baseline(document: Any, name: str) -> list[dict[str, Any]]:
    """The rows of an earlier answer of `costlab recommend -o json`; raises ConfigError when it is none."""
    rows = document.get("rows") if isinstance(document, dict) else None
    needed = {*KEY, *_COMPARED, "monthly_saving_gross", "monthly_saving_net"}
    if not isinstance(rows, list) or document.get("schema") != SCHEMA:
        raise ConfigError(
            f"{name} is no answer of costlab recommend", "write one: costlab recommend -o json --out FILE"
        )
    for row in rows:
        if not isinstance(row, dict) or needed - row.keys() or not _sound(row):
            raise ConfigError(
                f"{name} has a row that is no advice", "write it anew: costlab recommend -o json --out FILE"
            )
    return rows


def _sound(row: Row) -> bool:
    try:
        for name in ("monthly_saving_gross", "monthly_saving_net"):
            Decimal(row[name] or 0)
    except (InvalidOperation, TypeError, ValueError):
        return False
    return all(isinstance(row[name], str) for name in KEY)


def _key(row: Row) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in KEY)
