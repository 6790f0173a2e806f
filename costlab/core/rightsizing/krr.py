"""Robusta KRR's strategies `simple` and `simple-limit`."""

from dataclasses import dataclass

import numpy as np

from costlab.core.arrays import Floats, Ints
from costlab.core.rightsizing.policy import Advised
from costlab.core.rightsizing.proposals import Proposed, advised, proposed
from costlab.core.rightsizing.quantiles import window_quantiles
from costlab.core.rightsizing.samples import Circumstances, Samples
from costlab.core.rightsizing.windows import DAY_MS, Windows, highest, highest_killed

MIB = 2**20
# 0.1 core is 0.10000000149 as a float32: without this its ceiling would be 101 millicores.
_SINGLE = 1e-7


@dataclass(frozen=True, slots=True)
class KrrSettings:
    """KRR's options, with its defaults."""

    history_ms: int = 14 * DAY_MS
    points_required: int = 100
    memory_buffer_percentage: float = 15
    allow_hpa: bool = False
    use_oomkill_data: bool = False
    oom_memory_buffer_percentage: float = 25
    cpu_min_millicores: int = 10
    memory_min_mib: int = 100


@dataclass(frozen=True, slots=True)
class KrrSimple:
    """A percentile of CPU, the highest of the pods'; no limit of CPU. The peak of memory and a buffer, for both."""

    settings: KrrSettings = KrrSettings()
    cpu_percentile: float = 95
    name: str = "krr-simple"

    def advise(self, samples: Samples, circumstances: Circumstances, days_ms: Ints) -> Advised:
        """As `Policy.advise`."""
        windows = Windows.rolling(days_ms, self.settings.history_ms)
        # KRR writes the fraction into its query with two decimals: 99.9 asks for the maximum.
        fraction = np.array([round(self.cpu_percentile / 100, 2)])
        cores = window_quantiles(samples, samples.cpu_cores, windows, fraction, pooled=False)[0]
        none = np.full(cores.shape, np.inf)
        cpu = _cpu(self.settings, samples, circumstances, windows, cores, none)
        return advised(cpu, _memory(self.settings, samples, circumstances, windows, days_ms))


@dataclass(frozen=True, slots=True)
class KrrSimpleLimit:
    """Percentiles of the CPU of all pods together, for request and limit; memory as `KrrSimple`."""

    settings: KrrSettings = KrrSettings()
    cpu_request_percentile: float = 66
    cpu_limit_percentile: float = 96
    name: str = "krr-simple-limit"

    def advise(self, samples: Samples, circumstances: Circumstances, days_ms: Ints) -> Advised:
        """As `Policy.advise`."""
        windows = Windows.rolling(days_ms, self.settings.history_ms)
        fractions = np.array([self.cpu_request_percentile, self.cpu_limit_percentile]) / 100
        request, limit = window_quantiles(samples, samples.cpu_cores, windows, fractions, pooled=True)
        cpu = _cpu(self.settings, samples, circumstances, windows, request, limit)
        return advised(cpu, _memory(self.settings, samples, circumstances, windows, days_ms))


def whole_millicores(cores: Floats, settings: KrrSettings) -> Floats:
    """Cores, up to the next millicore, and not below the minimum."""
    return np.maximum(np.ceil(cores * 1000 * (1 - _SINGLE)), settings.cpu_min_millicores) / 1000


def with_buffer(peak_bytes: Floats, killed_limit_bytes: Floats, settings: KrrSettings) -> Floats:
    """Bytes for such a peak, and for such a limit in force at a kill (NaN = none): up to the next MiB, at least the least."""
    wanted = np.fmax(
        peak_bytes * (1 + settings.memory_buffer_percentage / 100),
        killed_limit_bytes * (1 + settings.oom_memory_buffer_percentage / 100),
    )
    return np.maximum(np.ceil(wanted / MIB), settings.memory_min_mib) * MIB


def _cpu(
    settings: KrrSettings,
    samples: Samples,
    circumstances: Circumstances,
    windows: Windows,
    request: Floats,
    limit: Floats,
) -> Proposed:
    """Whole millicores of these cores."""
    _, points = highest(samples, samples.cpu_cores, windows)
    return proposed(
        whole_millicores(request, settings),
        whole_millicores(limit, settings),
        points,
        circumstances.cpu_autoscaled,
        allow_hpa=settings.allow_hpa,
        points_required=settings.points_required,
    )


def _memory(
    settings: KrrSettings, samples: Samples, circumstances: Circumstances, windows: Windows, days_ms: Ints
) -> Proposed:
    """The highest that any pod used, and a buffer; request and limit alike."""
    peak, points = highest(samples, samples.memory_bytes, windows)
    killed = np.full(peak.shape, np.nan)
    if settings.use_oomkill_data:
        killed = highest_killed(circumstances, days_ms, settings.history_ms, samples.subjects)
    wanted = with_buffer(peak, killed, settings)
    return proposed(
        wanted,
        wanted,
        points,
        circumstances.memory_autoscaled,
        allow_hpa=settings.allow_hpa,
        points_required=settings.points_required,
    )
