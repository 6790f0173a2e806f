"""Resources by which accelerators are asked for, and what part of a physical device a piece of one is."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from costlab.config.document import read_document
from costlab.config.section import Count, Section

_SLICES = re.compile(r"_mig_(?:(\d+)c_)?(\d+)g_")

# https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#extended-resources; * is ours.
_EXTENDED = re.compile(r"(?!requests\.|limits\.)[a-z0-9*.-]+/[A-Za-z0-9*._-]+")


def _extended(name: str) -> str:
    """The name of a resource that a container can ask for beside cpu and memory: it has its vendor's domain."""
    if _EXTENDED.fullmatch(name):
        return name
    raise PydanticCustomError(
        "resource", "must be as containers ask for it: domain/name, such as huawei.com/Ascend910"
    )


ResourceName = Annotated[str, AfterValidator(_extended)]


class DeviceResource(Section):
    """A resource, as Kubernetes writes it with * for anything, and how many pieces of it are a physical device."""

    name: ResourceName
    pieces: Annotated[Count, Field(ge=1)] = 1
    models: Mapping[str, Annotated[Count, Field(ge=1)]] = {}
    slices: bool = False
    same_as: ResourceName | None = None


@dataclass(frozen=True, slots=True)
class DeviceResources:
    """Every resource that is charged as an accelerator; names are those that kube-state-metrics exposes.

    fractions: parts of devices that charges do not know; beside: what is no accelerator; off: resources that are not
    charged, although a built-in entry may fit.
    """

    entries: tuple[DeviceResource, ...]
    fractions: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    off: frozenset[str] = frozenset()

    def __contains__(self, resource: str) -> bool:
        return self._entry(resource) is not None

    def share(self, resource: str, model: str | None) -> float | None:
        """What part of a physical device of that model a piece is; None where the resource is no accelerator."""
        entry = self._entry(resource)
        if entry is None:
            return None
        match = _SLICES.search(resource) if entry.slices else None
        size = int(match[1] or match[2]) if match else 1
        pieces = _of_model(entry, model)
        return size / (entry.pieces if pieces is None else pieces)

    def assumes(self, resource: str, model: str | None) -> bool:
        """Whether a piece's share depends on a model that is not known here."""
        entry = self._entry(resource)
        return entry is not None and entry.slices and _of_model(entry, model) is None

    def whole(self, resource: str) -> bool:
        """Whether a piece is a whole device, unless its node shares or cuts devices under this name."""
        entry = self._entry(resource)
        return entry is not None and not entry.slices and entry.pieces == 1 and entry.same_as is None

    def sliced(self, resource: str) -> bool:
        """Whether a piece is a slice that is laid out on a device, which may have room left over."""
        entry = self._entry(resource)
        return entry is not None and entry.slices

    def same_as(self, resource: str) -> str | None:
        """The resource that names the same devices."""
        entry = self._entry(resource)
        return exposed(entry.same_as) if entry and entry.same_as else None

    def written(self, resource: str) -> str | None:
        """The name as Kubernetes writes it, of which kube-state-metrics made the exposed one; None for no accelerator.

        What * stands for may have had dots, as MIG's profiles have.
        """
        entry = self._entry(resource)
        if entry is None:
            return None
        stem, star, _ = entry.name.partition("*")
        rest = resource[len(stem) :] if star else ""
        return stem + (rest.replace("_", ".") if entry.slices else rest)

    def fraction(self, resource: str) -> bool:
        """Whether it is a part of a device that charges do not know."""
        return resource in {exposed(name) for name in self.fractions} and resource not in self

    def unheard_of(self, resource: str) -> bool:
        """Whether nothing says what it is: an accelerator, a part of one, or something else."""
        known = resource in self.off or resource in self or self.fraction(resource)
        return not known and not any(fnmatchcase(resource, exposed(name)) for name in self.beside)

    def _entry(self, resource: str) -> DeviceResource | None:
        if resource in self.off:
            return None
        return next((e for e in self.entries if fnmatchcase(resource, exposed(e.name))), None)


@functools.lru_cache(maxsize=1024)  # a day asks some thousand times of a few dozen names
def exposed(name: str) -> str:
    """A resource's name as kube-state-metrics exposes it; * stays.

    >>> exposed("nvidia.com/mig-1g.10gb.me")
    'nvidia_com_mig_1g_10gb_me'
    """
    return re.sub(r"[^a-zA-Z0-9_*]", "_", name)


def charged(own: Mapping[str, int]) -> DeviceResources:
    """The built-in resources, behind the own ones: so many pieces a device, 0 for what is not charged."""
    entries = (DeviceResource(name=name, pieces=pieces) for name, pieces in own.items() if pieces)
    off = frozenset(exposed(name) for name, pieces in own.items() if not pieces)
    known = builtin_resources()
    return DeviceResources((*entries, *known.entries), known.fractions, known.beside, off)


@functools.cache
def builtin_resources() -> DeviceResources:
    """What is known without any configuration."""
    content = read_document(Path(str(files(__package__))) / "device_resources.yaml").content
    return DeviceResources(
        tuple(DeviceResource.model_validate(entry) for entry in content["resources"]),
        tuple(content["fractions"]),
        tuple(content["beside"]),
    )


def _of_model(entry: DeviceResource, model: str | None) -> int | None:
    """The longest name whose words are among the model's, punctuation and case aside, says."""
    found = [name for name in entry.models if names_model(name, model or "")]
    return entry.models[max(found, key=len)] if found else None


def names_model(name: str, model: str) -> bool:
    """Whether the words of a name are among a model's, punctuation and case aside.

    >>> names_model("H200", "NVIDIA GH200 480GB")
    False
    """
    return _names(name).search(model) is not None


@functools.cache
def _names(name: str) -> re.Pattern[str]:
    words = r"[^a-z0-9]*".join(map(re.escape, name.split()))
    return re.compile(rf"(?<![a-z0-9]){words}(?![a-z0-9])", re.IGNORECASE)
