"""How many things are reckoned at a time."""

import os

import pyarrow as pa

from costlab.store.reading import read_by

_given: list[int] = []  # what this process was told, where it shares a machine


def processors() -> int:
    """How many processors a task of this process may use."""
    if _given:
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def keep_to(threads: int) -> None:
    """This process does so many tasks at a time, each by one thread: other workers have the machine's other processors."""
    if _given == [threads]:
        return
    _given[:] = [threads]
    pa.set_cpu_count(threads)
    read_by(threads)
