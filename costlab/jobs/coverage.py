"""How much of the time that containers occupied was observed."""

from collections import defaultdict

import numpy as np

from costlab.core.kernels import Floats, Ints
from costlab.domain.identity import container_key
from costlab.jobs.claims import Claim
from costlab.jobs.devices import DeviceUsage
from costlab.jobs.sharing import devices_expected
from costlab.jobs.usage import Usage


def coverage_of(claims: list[Claim], used: Usage, gpus: DeviceUsage) -> dict[str, tuple[float, float]]:
    """Observed and occupied seconds of CPU, memory and GPUs, over all containers that made a claim.

    What a pod reserves beyond its containers has no usage. A container with n devices is observed when all n are; time
    is counted once, however many series tell of it.
    """
    occupied: dict[int, float] = defaultdict(float)
    devices: dict[int, float] = defaultdict(float)
    for claim in claims:
        if claim.container:
            key, lasted_s = (
                container_key(claim.life.key, claim.container),
                (claim.end_ms - claim.start_ms) / 1000,
            )
            occupied[key] += lasted_s
            if claim.gpu_resource and claim.gpu_request and claim.gpu_share:
                devices[key] += lasted_s * devices_expected(
                    claim.gpu_resource, claim.gpu_request, claim.gpu_share
                )
    seconds = (used.end_ms - used.start_ms) / 1000
    seen = {
        "cpu": _by_key(used.key, np.where(np.isnan(used.cpu_cores), 0.0, seconds)),
        "memory": _by_key(used.key, np.where(np.isnan(used.memory_bytes), 0.0, seconds)),
        "gpu": _by_key(
            gpus.container, np.where(np.isnan(gpus.busy), 0.0, (gpus.end_ms - gpus.start_ms) / 1000)
        ),
    }
    return {
        name: (sum(min(seen[name].get(key, 0.0), whole) for key, whole in of.items()), sum(of.values()))
        for name, of in (("cpu", occupied), ("memory", occupied), ("gpu", devices))
    }


def _by_key(key: Ints, seconds: Floats) -> dict[int, float]:
    keys, index = np.unique(key, return_inverse=True)
    return dict(zip(keys.tolist(), np.bincount(index, seconds, len(keys)).tolist(), strict=True))
