"""How much of the time that containers occupied was observed."""

from collections import defaultdict

from costlab.domain.identity import container_key
from costlab.jobs.claims import Claim
from costlab.jobs.devices import Devices
from costlab.jobs.sharing import devices_expected
from costlab.jobs.usage import Usage


def coverage_of(claims: list[Claim], used: Usage, gpus: Devices) -> dict[str, tuple[float, float]]:
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
    seen = {"cpu": used.cpu_s, "memory": used.memory_s, "gpu": gpus.observed_s}
    return {
        name: (sum(min(seen[name].get(key, 0.0), whole) for key, whole in of.items()), sum(of.values()))
        for name, of in (("cpu", occupied), ("memory", occupied), ("gpu", devices))
    }
