"""Which series of a metric are asked for: label matchers, as PromQL and as remote read know them."""

import re
from dataclasses import dataclass
from enum import StrEnum

from costlab.domain.signals import Labels


class Operator(StrEnum):
    """How a matcher compares; a regular expression has to match the whole value."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    NOT_MATCHES = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition on a label; a label that is not there has the empty value."""

    label: str
    operator: Operator
    value: str

    def holds(self, labels: Labels) -> bool:
        """Whether a series with these labels is selected."""
        value = labels.get(self.label, "")
        if self.operator is Operator.EQUAL:
            return value == self.value
        if self.operator is Operator.NOT_EQUAL:
            return value != self.value
        return (re.fullmatch(self.value, value) is not None) == (self.operator is Operator.MATCHES)

    def __str__(self) -> str:
        escaped = self.value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
        return f'{self.label}{self.operator}"{escaped}"'


@dataclass(frozen=True, slots=True)
class Selector:
    """The series of one metric that fulfil all matchers; as a text it is PromQL."""

    metric: str
    matchers: tuple[Matcher, ...] = ()

    def narrowed(self, *further: Matcher) -> "Selector":
        """The same with further conditions."""
        return Selector(self.metric, (*self.matchers, *further))

    def __str__(self) -> str:
        return f"{self.metric}{{{','.join(map(str, self.matchers))}}}"
