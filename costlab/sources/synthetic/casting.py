"""Makes pods as Kubernetes would: names, uids, owners, cgroups, and the seconds it takes to pull an image."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from costlab.domain.identity import stable_key
from costlab.sources.synthetic.cast import Claim, Container, Node, Owner, Pod, Run
from costlab.sources.synthetic.shapes import DAY_S

CRASH_SHOWN_S = 240
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # what Kubernetes makes name suffixes of: no vowels, no look-alikes


@dataclass(frozen=True, slots=True)
class Template:
    """What all pods of a workload have in common.

    restarts_s: instants at which the first container crashes and starts again.
    claims: what its pods mount; `{pod}` stands for the pod's name, as in the claims of a StatefulSet.
    """

    namespace: str
    name: str
    containers: tuple[Container, ...]
    team: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    init_containers: tuple[Container, ...] = ()
    overhead_cpu: float = 0.0
    overhead_memory_mib: int = 0
    restarts_s: tuple[int, ...] = ()
    claims: tuple[str, ...] = ()
    host_network: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A node, and which of its devices."""

    node: Node
    devices: tuple[int, ...] = ()


@dataclass(slots=True)
class Casting:
    """Collects pods and their owners; everything drawn depends on the seed and on names alone."""

    seed: int
    end_s: int
    pods: list[Pod] = field(default_factory=list)
    owners: list[Owner] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    def claim(
        self, namespace: str, name: str, storage_class: str, gib: int, born_s: int,
        grown: Sequence[tuple[int, int]] = (), *, pending: bool = False,
    ) -> None:  # fmt: skip
        """A claim that is there from birth on, bound 40 s later unless it stays pending; enlargements before are none."""
        volume = "" if pending else f"pvc-{self.uid('claim', namespace, name)}"
        since = tuple((at_s, size) for at_s, size in grown if at_s > born_s)
        bound_s = None if pending else born_s + 40
        self.claims.append(
            Claim(namespace, name, volume, storage_class, gib, born_s, bound_s, self.end_s, since)
        )

    def deployment(
        self, template: Template, places: Sequence[Place], born_s: int, rollouts_s: Sequence[int] = ()
    ) -> None:
        """A Deployment: one ReplicaSet from birth and one from each rollout; the old pod goes before the new comes."""
        for birth_s, retired_s in self._generations(born_s, rollouts_s):
            replica_set = (
                f"{template.name}-{self.suffix(10, template.namespace, template.name, str(birth_s))}"
            )
            self.owners.append(
                Owner(
                    "ReplicaSet",
                    template.namespace,
                    replica_set,
                    "Deployment",
                    template.name,
                    birth_s,
                    self.end_s,
                )
            )
            for index, place in enumerate(places):
                name = f"{replica_set}-{self.suffix(5, replica_set, str(index))}"
                stagger_s = 95 * index
                self.pod(
                    template,
                    name,
                    place,
                    birth_s + stagger_s,
                    retired_s + stagger_s,
                    ("ReplicaSet", replica_set),
                )

    def stateful_set(
        self, template: Template, places: Sequence[Place], born_s: int, recreated_s: Sequence[int] = ()
    ) -> None:
        """A StatefulSet: a pod keeps its name when it is made anew, but gets another uid."""
        for birth_s, retired_s in self._generations(born_s, recreated_s):
            for index, place in enumerate(places):
                self.pod(
                    template,
                    f"{template.name}-{index}",
                    place,
                    birth_s,
                    retired_s,
                    ("StatefulSet", template.name),
                )

    def daemon_set(self, template: Template, nodes: Sequence[Node]) -> None:
        """A DaemonSet: a pod on each node, as long as the node lives."""
        for node in nodes:
            name = f"{template.name}-{self.suffix(5, template.name, node.name)}"
            self.pod(template, name, Place(node), node.start_s, node.end_s, ("DaemonSet", template.name))

    def bare(self, template: Template, place: Place, born_s: int) -> None:
        """A pod that nothing owns, as notebook spawners make them."""
        self.pod(template, template.name, place, born_s, self.end_s, ("", ""))

    def job(
        self,
        template: Template,
        places: Sequence[Place | None],
        start_s: int,
        length_s: int,
        *,
        name: str = "",
        keep_s: int = DAY_S,
    ) -> str:
        """A Job whose pods run side by side and stay as Succeeded for `keep_s`; answers the Job's name.

        Without a name it is a run of the template's CronJob. A place of None is a pod that finds no node.
        """
        job = name or f"{template.name}-{start_s // 60}"
        parent = ("", "") if name else ("CronJob", template.name)
        gone_s = min(start_s + length_s + length_s // 12 + keep_s, self.end_s)
        self.owners.append(Owner("Job", template.namespace, job, *parent, start_s, gone_s))
        for index, place in enumerate(places):
            pod = f"{job}-{self.suffix(5, template.namespace, job, str(index))}"
            ends_s = start_s + length_s + self.drawn(pod, length_s // 12 + 1)
            self.pod(template, pod, place, start_s, ends_s, ("Job", job), keep_s=keep_s)
        return job

    def pod(
        self,
        template: Template,
        name: str,
        place: Place | None,
        created_s: int,
        end_s: int,
        owner: tuple[str, str],
        *,
        keep_s: int | None = None,
        phase: str = "Succeeded",
    ) -> None:
        """One life of a pod; with `keep_s` it finishes by itself in `phase`, without, it is removed at `end_s`."""
        uid = self.uid("pod", template.namespace, name, str(created_s))
        node = place.node if place else None
        # Up to a few seconds until it is bound, then the pull of an image: 90 s for the CUDA ones.
        scheduled_s = max(created_s + 1 + self.drawn(uid, 3), node.start_s + 25) if node else None
        pull_s = 90 if place and place.devices else 4
        running_s = scheduled_s + pull_s + self.drawn(uid, 20) if scheduled_s is not None else self.end_s
        finishes = keep_s is not None and node is not None and end_s < node.end_s
        end_s = min(end_s, node.end_s if node else self.end_s, self.end_s)
        gone_s = min(end_s + (keep_s or 0), self.end_s) if finishes else end_s
        self.pods.append(
            Pod(
                template.namespace, name, uid, *owner,
                labels=_labels(template), node=node, created_s=created_s, scheduled_s=scheduled_s,
                running_s=running_s, end_s=end_s, gone_s=gone_s,
                phase=phase if finishes else "Running" if node else "Pending",
                containers=template.containers, init_containers=template.init_containers,
                overhead_cpu=template.overhead_cpu, overhead_memory_mib=template.overhead_memory_mib,
                devices=place.devices if place else (),
                claims=tuple(claim.format(pod=name) for claim in template.claims),
                host_network=template.host_network,
                runs=tuple(self._runs(template, uid, running_s, end_s, gone_s)) if node else (),
            )
        )  # fmt: skip

    def uid(self, *parts: str) -> str:
        """A uid of the usual form: five groups of hexadecimal digits."""
        digits = self._digest(*parts)
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"

    def suffix(self, length: int, *parts: str) -> str:
        """A name suffix as Kubernetes draws them."""
        number = int(self._digest("suffix", *parts), 16)
        return "".join(
            _ALPHABET[number // len(_ALPHABET) ** place % len(_ALPHABET)] for place in range(length)
        )

    def drawn(self, name: str, below: int) -> int:
        """A whole number from 0 to `below` - 1."""
        return stable_key(str(self.seed), "drawn", name) % below

    def _generations(self, born_s: int, renewed_s: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Birth and end of each generation; renewals before the birth are not part of the story."""
        births = [born_s, *(at for at in renewed_s if at > born_s)]
        return zip(births, [*births[1:], self.end_s], strict=True)

    def _digest(self, *parts: str) -> str:
        return blake2b("\n".join((str(self.seed), *parts)).encode(), digest_size=32).hexdigest()

    def _runs(self, template: Template, uid: str, running_s: int, end_s: int, gone_s: int) -> Iterator[Run]:
        """The runs of each container: the first crashes at the template's restarts, and is shown a while longer."""
        for index, container in enumerate(template.containers):
            crashes = [at for at in template.restarts_s if running_s < at < end_s] if index == 0 else []
            starts = [running_s, *(at + 12 for at in crashes)]
            for number, (start_s, stop_s) in enumerate(zip(starts, [*crashes, end_s], strict=True)):
                container_id = self._digest("run", uid, container.name, str(number))
                shown_s = min(stop_s + CRASH_SHOWN_S, gone_s) if stop_s in crashes else stop_s
                if start_s < stop_s:
                    yield Run(container, container_id, start_s, stop_s, shown_s)


def _labels(template: Template) -> dict[str, str]:
    """The pod labels that the allow-list lets through."""
    team = {"label_team": template.team} if template.team else {}
    return {"label_app_kubernetes_io_name": template.name} | team | dict(template.labels)
