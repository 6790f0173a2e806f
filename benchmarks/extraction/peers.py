"""Who is measured, one after the other in every round: the server alone, costlab in its ways, the naive client."""

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
from big_day.day import BigDay
from big_day.server import Server

from extraction.process import Cost, PeerFailed, run
from extraction.questions import write_questions
from extraction.workload import DAY, FULL, PART, WINDOW, Workload

_CURL = (
    "curl", "--silent", "--show-error", "--fail", "--noproxy", "*", "--write-out", "%{size_download} %{time_total}\n",
    "--header", "Content-Type: application/x-protobuf", "--header", "Content-Encoding: snappy",
    "--header", "X-Prometheus-Remote-Read-Version: 0.1.0",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """What one peer did in one round; curl cannot count samples. Bytes are on the disk, for curl those on the wire."""

    peer: str
    workload: str
    samples: int | None
    seconds: float
    bytes: int
    cost: Cost


@dataclass(frozen=True, slots=True)
class Round:
    """A server that was just started, the day it holds, and a folder for what is written."""

    server: Server
    day: BigDay
    folder: Path

    def peer(self, module: str, *arguments: str) -> tuple[list[dict[str, float]], Cost]:
        """What a peer of ours printed, and its cost."""
        printed, cost = run(
            self.server, [sys.executable, "-m", f"extraction.{module}", self.server.url, *arguments]
        )
        return orjson.loads(printed), cost


def peers() -> tuple[Callable[[Round], Iterator[Reading]], ...]:
    """All of them, those that fill the server's memory last."""
    return (_first_curl, _curl, _remote_read, _extract, _json, _naive)


def _first_curl(round_: Round) -> Iterator[Reading]:
    """The first to read a day has the server map its blocks."""
    yield _served(round_, FULL, "curl, first of all")


def _curl(round_: Round) -> Iterator[Reading]:
    yield _served(round_, FULL, "curl: the server alone")
    yield _served(round_, PART, "curl: the server alone")


def _served(round_: Round, workload: Workload, name: str) -> Reading:
    command: list[str] = []
    for file in write_questions(workload, WINDOW, round_.folder):
        request = ["--data-binary", f"@{file}", "--output", "/dev/null", f"{round_.server.url}/api/v1/read"]
        command += ["--next", *_CURL[1:], *request] if command else [*_CURL, *request]
    printed, cost = run(round_.server, command)
    answers = [line.split() for line in printed.splitlines()]
    seconds, size = sum(float(taken) for _, taken in answers), sum(int(size) for size, _ in answers)
    return Reading(name, workload.name, None, seconds, size, cost)


def _remote_read(round_: Round) -> Iterator[Reading]:
    for workload in (FULL, PART):
        yield from _fetched(
            round_, "remote-read", workload, ("costlab, in a fresh process", "costlab, kernels compiled")
        )


def _json(round_: Round) -> Iterator[Reading]:
    yield from _fetched(round_, "json", PART, ("costlab by JSON, fresh", "costlab by JSON"))
    yield from _fetched(round_, "json", FULL, ("costlab by JSON",))


def _fetched(round_: Round, engine: str, workload: Workload, names: tuple[str, ...]) -> Iterator[Reading]:
    lake = str(round_.folder / "lake")
    told, cost = round_.peer("fetch", engine, workload.name, lake, str(len(names)))
    for name, run_ in zip(names, told, strict=True):
        yield Reading(name, workload.name, int(run_["samples"]), run_["seconds"], int(run_["bytes"]), cost)
        if workload is FULL and run_["samples"] != round_.day.noisy_samples:
            raise PeerFailed(f"{name}: {run_['samples']} samples of {round_.day.noisy_samples}")


def _extract(round_: Round) -> Iterator[Reading]:
    """The command itself: it also reads what kube-state-metrics tells, makes facts of it all, and commits them."""
    config, lake = round_.folder / "costlab.yaml", round_.folder / "whole"
    cluster = f"{{id: big, prometheus: {{url: '{round_.server.url}', engine: remote-read}}}}"
    config.write_text(f"lake: {lake}\nclusters: [{cluster}]\n")
    command = [sys.executable, "-m", "costlab", "--config", str(config), "extract", "--date", str(DAY.date)]
    printed, cost = run(round_.server, command)
    counted = re.search(r"([\d,]+) samples, committed", printed)
    if counted is None:
        raise PeerFailed(f"costlab extract: {printed}")
    size = sum(file.stat().st_size for file in lake.rglob("*.parquet"))
    samples = int(counted[1].replace(",", ""))
    yield Reading("costlab extract, all of it", "everything", samples, cost.wall_s, size, cost)


def _naive(round_: Round) -> Iterator[Reading]:
    (told,), cost = round_.peer("naive", str(round_.folder))
    samples, size = int(told["samples"]), int(told["bytes"])
    yield Reading("prometheus-api-client", PART.name, samples, told["seconds"], size, cost)
