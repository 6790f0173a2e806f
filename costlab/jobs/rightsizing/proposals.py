"""What the rules propose for the containers of workloads, by the rules' names."""

from collections.abc import Callable, Mapping

import numpy as np

from costlab.config.faults import meant
from costlab.core.rightsizing.decisions import CODE, Proposals
from costlab.domain.advice import Reason
from costlab.domain.errors import ConfigError
from costlab.domain.units import Resource
from costlab.jobs.rightsizing.subjects import ADVISED, Subjects

_MARGIN = 1.15

Proposing = Callable[[Subjects], Mapping[Resource, Proposals]]


def proposals_of(policy: str, subjects: Subjects) -> Mapping[Resource, Proposals]:
    """What the rule of that name proposes; raises ConfigError when there is none."""
    if policy not in RULES:
        raise ConfigError(
            f"there is no policy {policy!r}{meant(policy, RULES)}", f"one of {', '.join(sorted(RULES))}"
        )
    return RULES[policy](subjects)


def _peaks(subjects: Subjects) -> Mapping[Resource, Proposals]:
    """The peak of the window and a margin."""
    return {resource: _peak(subjects, resource) for resource in ADVISED}


def _peak(subjects: Subjects, resource: Resource) -> Proposals:
    peak = subjects.used[resource].peak
    unknown = np.full(subjects.count, np.nan)
    reason = np.where(np.isnan(peak), CODE[Reason.NOT_OBSERVED], np.int8(0)).astype(np.int8)
    return Proposals(
        peak * _MARGIN, unknown, unknown, unknown, reason, (f"peak × {_MARGIN}",) * subjects.count
    )


RULES: dict[str, Proposing] = {"costlab": _peaks}
