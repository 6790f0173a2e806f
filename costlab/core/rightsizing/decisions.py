"""What a rule proposes, held to what can be advised: refusals, minimums, steps, limits, and the advice before."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costlab.core.arrays import Floats, Ints
from costlab.core.rightsizing.policy import REASONS
from costlab.domain.advice import Reason

Flags = NDArray[np.bool_]
Codes = NDArray[np.int8]

# A request is raised where usage came this near to it; a raise for the rule's own caution would cost money for nothing
# that was ever seen.
_NEAR_REQUEST = 0.9
_LEAST_TARGET = 0.01

CODE = {reason: np.int8(code) for code, reason in enumerate(REASONS)}


@dataclass(frozen=True, slots=True)
class Proposals:
    """What a rule proposes of one resource for each subject; arrays (subjects,).

    request, limit: float64, cores or bytes; request NaN = none, and `reason` says why; limit NaN = as it is, infinity =
    none is to be set. promised_rate, violation_rate: float64, shares of days; NaN = not told. reason: int8, an index
    into REASONS, 0 where there is a request. chosen: what the rule chose, in words.
    """

    request: Floats
    limit: Floats
    promised_rate: Floats
    violation_rate: Floats
    reason: Codes
    chosen: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Present:
    """How one resource of each subject stands; arrays (subjects,).

    request, limit: float64, cores or bytes; NaN = none set. guaranteed: bool, its pod's requests all are its limits.
    evidence_days: int64. observed_hours, occupied_hours: float64, all replicas. mean, peak: float64; NaN = not observed.
    capped: bool, it was at its limit or throttled. startup: float64, what it uses while it starts, where that is more
    than ever later, else NaN. oom_kills: int64. autoscaled: bool; its target: float64, used / request, NaN = not known.
    silenced: int8, an index into REASONS, 0 = not. advised_before: float64, NaN = nothing was.
    """

    request: Floats
    limit: Floats
    guaranteed: Flags
    evidence_days: Ints
    observed_hours: Floats
    occupied_hours: Floats
    mean: Floats
    peak: Floats
    capped: Flags
    startup: Floats
    oom_kills: Ints
    autoscaled: Flags
    autoscale_target: Floats
    silenced: Codes
    advised_before: Floats


@dataclass(frozen=True, slots=True)
class Bounds:
    """What advice is held to: least request and step (cores or bytes), least evidence, and when it is near enough.

    limits_by_rule: limits are set as the rule says; else they are kept, and none is added.
    keep_within: advice of the day before stands while today's is at most this share below it.
    near_enough: share of the request. near_enough_monthly: what a cut must save a month. startup_share: what a cut
    leaves of what a start uses.
    """

    minimum: float
    step: float
    min_days: int
    min_hours: float
    min_coverage: float
    limits_by_rule: bool
    keep_within: float
    near_enough: float
    near_enough_monthly: float
    startup_share: float


@dataclass(frozen=True, slots=True)
class Decided:
    """What is advised; arrays (subjects,).

    request, limit: float64, NaN = no advice or no limit. reason: int8, why. held: bool, a start needs more than was
    proposed.
    """

    request: Floats
    limit: Floats
    reason: Codes
    held: Flags

    @property
    def advised(self) -> Flags:
        """Where there is advice."""
        return ~np.isnan(self.request)


def decide(proposals: Proposals, present: Present, bounds: Bounds) -> Decided:
    """The request and limit to advise for each subject, or the reason why not; money is not yet asked."""
    proposed = _request(proposals, present, bounds)
    request = _started(proposed, present, bounds)
    held = request > proposed
    reason = np.where(held & (request == present.request), CODE[Reason.STARTUP], _direction(request, present))
    for refused, why in reversed(_refusals(proposals, present, bounds, request)):
        reason = np.where(refused, why, reason)
    advised = _asks(reason) & ~np.isnan(request)
    by_rule = np.where(bounds.limits_by_rule, _above_starts(proposals.limit, present), np.nan)
    limit = _limit(request, by_rule, present, bounds.step)
    held &= advised | (reason == CODE[Reason.STARTUP])
    return Decided(np.where(advised, request, np.nan), np.where(advised, limit, np.nan), reason, held)


def without_trifles(decided: Decided, present: Present, saving_monthly: Floats, bounds: Bounds) -> Decided:
    """The same without changes that are hardly any: by their share of the request, or a cut by what it saves.

    saving_monthly: float64 (subjects,), NaN = not known: the share alone decides.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.abs(decided.request / present.request - 1)
    cut = decided.request < present.request
    trifle = (share < bounds.near_enough) | (cut & (saving_monthly < bounds.near_enough_monthly))
    trifle &= decided.advised & (decided.reason != CODE[Reason.OOM_KILLED])
    none = np.where(trifle, np.nan, 0)
    return Decided(
        decided.request + none,
        decided.limit + none,
        np.where(
            trifle, np.where(decided.held, CODE[Reason.STARTUP], CODE[Reason.NEAR_ENOUGH]), decided.reason
        ),
        decided.held,
    )


def rounded_up(values: Floats, step: float) -> Floats:
    """The next multiples of the step (whole thousandths), as the floats nearest to them; NaN and infinity stay."""
    # 0.057 / 0.001 is an ulp above 57, and is not to become 58.
    return np.ceil(values / step - 1e-9) * round(step * 1000) / 1000


def _request(proposals: Proposals, present: Present, bounds: Bounds) -> Floats:
    """The proposal within bounds: not below the minimum, nor its autoscaler's share, nor just below the advice before.

    The limit of a Guaranteed pod is its request: below its peak it would be throttled, or killed.
    """
    scaled = present.mean / np.where(_known_target(present), present.autoscale_target, np.nan)
    asked = np.where(present.autoscaled, np.fmax(proposals.request, scaled), proposals.request)
    asked = np.where(present.guaranteed, np.fmax(asked, present.peak), asked)
    # A request below the minimum that is enough is not raised to it.
    least = np.where(present.request > 0, np.fmin(present.request, bounds.minimum), bounds.minimum)
    request = np.maximum(rounded_up(np.maximum(asked, least), bounds.step), bounds.step)
    before = present.advised_before
    stands = (before >= request) & (request >= before * (1 - bounds.keep_within))
    return np.where(stands, before, request)


def _started(request: Floats, present: Present, bounds: Bounds) -> Floats:
    """The same, and no cut below what a start needs: it takes longer with less CPU, and ends in a kill with less memory.

    Whoever applies advice starts the container anew, so that a start comes, however few the past had.
    """
    needed = rounded_up(bounds.startup_share * present.startup, bounds.step)
    most = np.where(present.request > 0, present.request, np.inf)
    return np.where(request < most, np.fmax(request, np.minimum(needed, most)), request)


def _known_target(present: Present) -> Flags:
    """Whether the autoscaler aims at a share of the request: whole per cents of it."""
    known: Flags = present.autoscale_target >= _LEAST_TARGET
    return known


def _direction(request: Floats, present: Present) -> Codes:
    """Why another request is advised; NEAR_ENOUGH where it is the present one."""
    none = ~(present.request > 0)
    killed = (present.oom_kills > 0) & (request > present.request)
    chosen = np.select(
        [none, killed, request > present.request, request < present.request],
        [CODE[r] for r in (Reason.NO_REQUEST, Reason.OOM_KILLED, Reason.ABOVE_REQUEST, Reason.BELOW_REQUEST)],
        CODE[Reason.NEAR_ENOUGH],
    )
    return chosen.astype(np.int8)


def _refusals(
    proposals: Proposals, present: Present, bounds: Bounds, request: Floats
) -> list[tuple[Flags, np.int8 | Codes]]:
    """Who gets no advice, and why; the first that fits counts."""
    unseen = ~(present.observed_hours > 0) | np.isnan(present.peak)
    thin = (present.evidence_days < bounds.min_days) | (present.observed_hours < bounds.min_hours)
    thin |= present.observed_hours < bounds.min_coverage * present.occupied_hours
    cut = request < present.request
    return [
        (present.silenced > 0, present.silenced),
        (unseen, CODE[Reason.NOT_OBSERVED]),
        (thin, CODE[Reason.TOO_LITTLE_DATA]),
        (proposals.reason > 0, proposals.reason),
        (np.isnan(proposals.request), CODE[Reason.TOO_LITTLE_DATA]),
        # Another request makes the autoscaler ask for other replicas, unless usage at that request is at its target.
        (
            present.autoscaled & ~(cut & _known_target(present)),
            CODE[Reason.HPA_MANAGED],
        ),
        ((request > present.request) & ~_pressed(present), CODE[Reason.NEAR_ENOUGH]),
        # What a container would have used without its limit is not known: it is only ever raised.
        (cut & (present.capped | (present.oom_kills > 0)), CODE[Reason.USAGE_WAS_CAPPED]),
    ]


def _pressed(present: Present) -> Flags:
    """Whether usage came near the request, or something kept it from doing so."""
    pressed: Flags = (
        (present.peak >= _NEAR_REQUEST * present.request) | present.capped | (present.oom_kills > 0)
    )
    return pressed


_ASKING = (Reason.BELOW_REQUEST, Reason.ABOVE_REQUEST, Reason.NO_REQUEST, Reason.OOM_KILLED)


def _asks(reason: Codes) -> Flags:
    return np.isin(reason, [CODE[each] for each in _ASKING])


def _above_starts(limit: Floats, present: Present) -> Floats:
    """A rule's limits, none below what a start uses: it would be throttled, or killed, on an empty node as well."""
    return np.where(np.isnan(limit), np.nan, np.fmax(limit, present.startup))


def _limit(request: Floats, proposed: Floats, present: Present, step: float) -> Floats:
    """The limit beside a request; NaN = none. A Guaranteed pod stays one, and no limit is below its request."""
    kept = np.where(np.isnan(present.limit), np.nan, np.maximum(present.limit, request))
    by_rule = np.maximum(rounded_up(proposed, step), request)
    # A rule that wants no limit sets none; one that somebody else has set is theirs to take away.
    limit = np.where(np.isfinite(proposed), by_rule, kept)
    return np.where(present.guaranteed, request, limit)
