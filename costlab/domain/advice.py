"""The words of advice: what is to be done, why, and how well it is founded."""

from enum import StrEnum


class Action(StrEnum):
    """What a piece of advice asks for."""

    REQUEST = "request"  # another request (and limit) of CPU or memory
    IDLE = "idle"  # GPUs held and not used: release them
    PART_TIME = "part_time"  # GPUs idle for part of the week
    MEMORY_ONLY = "memory_only"  # a model parked in GPU memory
    MIG = "mig"  # a MIG slice is enough
    FEWER = "fewer"  # asked for more GPUs than are used
    IMBALANCE = "imbalance"  # some ranks of a job wait for the others
    STARVED = "starved"  # the GPU waits for CPU or data
    UNUSED_SLICES = "unused_slices"  # MIG instances that nobody took
    TIME_SLICING = "time_slicing"  # several could share one GPU
    SMALLER = "smaller"  # a smaller allocation, by the usual one of its class
    SCHEDULE = "schedule"  # scale down when nobody works
    SPOT = "spot"  # fit for spot nodes


class Evidence(StrEnum):
    """How well advice is founded."""

    MEASURED = "measured"  # by the metric that carries the claim
    INDICATED = "indicated"  # by a weaker one: says where to look, carries no size
    REFUSED = "refused"  # nothing carries it: the reason says what is missing


class Reason(StrEnum):
    """Why something is proposed, or why nothing is. The first is that of advice as such."""

    ADVISED = "advised"
    BELOW_REQUEST = "usage_below_request"
    ABOVE_REQUEST = "usage_above_request"
    NO_REQUEST = "no_request"
    OOM_KILLED = "oom_killed"
    NEAR_ENOUGH = "near_enough"
    TOO_LITTLE_DATA = "too_little_data"
    NOT_OBSERVED = "not_observed"
    HPA_MANAGED = "hpa_managed"
    USAGE_WAS_CAPPED = "usage_was_capped"
    RISK_TOO_HIGH = "risk_too_high"
    IGNORED = "ignored"
    MUTED = "muted"
    SHARED_GPU = "shared_gpu"
    MISSING_METRIC = "missing_metric"
    NEED_UNKNOWN = "need_unknown"
    SEVERAL_GPUS = "several_gpus"
    NO_FULL_RUN = "no_full_run"
    STARTUP = "startup"
