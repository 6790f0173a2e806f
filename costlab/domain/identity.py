"""Who a thing is: stable keys that survive restarts, renames and reruns."""

from dataclasses import dataclass
from hashlib import blake2b

from costlab.domain.time import instant


@dataclass(frozen=True, slots=True, order=True)
class PodKey:
    """A life of a pod: (cluster, uid), or by name and start where no uid is known.

    A StatefulSet pod re-created under its old name has another uid, and is another pod.
    """

    cluster: str
    namespace: str
    pod: str
    uid: str
    start_ms: int = 0

    @property
    def identity(self) -> tuple[str, ...]:
        """The parts that make two rows the same pod."""
        if self.uid:
            return (self.cluster, self.uid)
        return (self.cluster, self.namespace, self.pod, instant(self.start_ms).isoformat())


@dataclass(frozen=True, slots=True, order=True)
class WorkloadKey:
    """What a team deploys: the top owner of its pods."""

    namespace: str
    kind: str
    name: str


def stable_key(*parts: str) -> int:
    """A 63-bit key that is the same on every machine and every day.

    Parts are length-prefixed, so ("ab", "c") and ("a", "bc") differ. At a million containers the chance that
    any two collide is about 5 in 10^8.
    """
    digest = blake2b(digest_size=8)
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(4, "little") + encoded)
    return int.from_bytes(digest.digest(), "little") >> 1


def container_key(pod: PodKey, container: str) -> int:
    """Key of a container of a pod in `containers`, `container_usage` and `gpu_usage`."""
    return stable_key(*pod.identity, container)


def gpu_key(cluster: str, node: str, uuid: str, mig_instance: str = "", index: str = "") -> int:
    """Key of a GPU, or of one MIG instance of it: by uuid, or by node and index where no uuid is known."""
    device = (uuid,) if uuid else (node, index)
    return stable_key(cluster, *device, mig_instance)
