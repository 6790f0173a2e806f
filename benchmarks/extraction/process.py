"""A peer in a process of its own, and what it cost: time and memory as the kernel counted them, on both sides."""

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from big_day.server import CHECKOUT, Memory, Server


class PeerFailed(Exception):
    """A peer ended with an error; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds and MiB of the process, and of the server while it ran."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    server_cpu_s: float
    server_before: Memory
    server_after: Memory

    @property
    def server_grew_mib(self) -> float:
        """How much more memory the server had at most than before."""
        return self.server_after.peak - self.server_before.resident


def run(server: Server, command: Sequence[str | Path]) -> tuple[str, Cost]:
    """What the command printed, and its cost; raises PeerFailed."""
    server.forget_peak()
    before, cpu_before_s = server.memory(), server.cpu_s()
    with TemporaryFile("w+") as printed, TemporaryFile("w+") as said:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=printed, stderr=said, env=_environment())
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        said.seek(0)
        if process.returncode:
            raise PeerFailed(f"{' '.join(map(str, command))}: {said.read().strip()[-2000:]}")
        cost = Cost(
            wall_s,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss / 1024,
            server.cpu_s() - cpu_before_s,
            before,
            server.memory(),
        )
        return printed.read(), cost


def _environment() -> dict[str, str]:
    """Ours, without what would set costlab's own settings."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("COSTLAB_")}
    paths = f"{CHECKOUT}{os.pathsep}{CHECKOUT / 'benchmarks'}"
    return {**inherited, "PYTHONPATH": paths, "NO_PROXY": "127.0.0.1"}
