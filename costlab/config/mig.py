"""The MIG profiles of each GPU model: what part of its compute and memory one is, and how many of it there can be."""

import functools
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from costlab.config.device_resource import names_model
from costlab.config.document import read_document
from costlab.domain.units import GIB

# What is called 10 GB of an 80 GB card has 9.5 GiB: instances are a little smaller than their part of the whole.
USABLE = 0.95
_LIKE = 0.1  # so far may a card's memory be from the one listed


@dataclass(frozen=True, slots=True)
class MigProfile:
    """A kind of MIG instance: its part of the compute and of the memory, and how many of it a GPU holds at most."""

    name: str
    compute_share: float
    memory_share: float
    per_gpu: int

    @property
    def whole(self) -> bool:
        """Whether it is the whole GPU, in one piece."""
        return self.compute_share == 1


def mig_profiles(model: str, memory_bytes: float) -> tuple[MigProfile, ...]:
    """The profiles of a GPU of that model and memory, the smallest first; none where it has no MIG, or none is known."""
    gib = memory_bytes / GIB
    like = [
        (abs(size - gib), profiles)
        for names, size, profiles in _known()
        if any(names_model(name, model) for name in names) and abs(size - gib) <= _LIKE * size
    ]
    return min(like, key=lambda one: one[0])[1] if like else ()


@functools.cache
def _known() -> tuple[tuple[tuple[str, ...], float, tuple[MigProfile, ...]], ...]:
    content = read_document(Path(str(files(__package__))) / "mig.yaml").content
    found = []
    for model in content["models"]:
        layout = content["layouts"][model["layout"]]
        profiles = tuple(
            MigProfile(name, slices / layout["slices"], parts / layout["parts"], per_gpu)
            for name, (slices, parts, per_gpu) in zip(model["profiles"], layout["profiles"], strict=True)
        )
        found.append((tuple(model["names"]), float(model["gib"]), profiles))
    return tuple(found)
