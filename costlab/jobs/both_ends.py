"""A list of tasks that two processes do: this one from its front, one beside it from its end, until they meet."""

import multiprocessing
import pickle
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any, Generic, TypeVar

from costlab.domain.errors import CrewUnavailable

T = TypeVar("T")
R = TypeVar("R")
_ENDS_WITHIN_S = 10.0  # what is being written is taken back first


def done_from_both_ends(
    tasks: Sequence[T], here: Callable[[T], R], beside: "ProcessBeside[T, R]"
) -> Iterator[R]:
    """What was made of each task, in the order of the tasks; at the end, however it comes, the other process is gone.

    What it makes is told once all is made. Raises what doing a task raises, in whichever process, and CrewUnavailable
    when the other one was killed; then no further task is begun.
    """
    waiting, made_beside = deque(tasks), list[R]()

    def feed() -> None:
        for task in _taken(waiting.pop):
            made_beside.append(beside.do(task))

    with ThreadPoolExecutor(1) as feeder:
        try:
            feeding = feeder.submit(feed)
            for task in _taken(waiting.popleft):
                yield here(task)
                if feeding.done():
                    feeding.result()
            feeding.result()
        finally:
            waiting.clear()
            beside.end()
    yield from reversed(made_beside)


def _taken(take: Callable[[], T]) -> Iterator[T]:
    """One after the other, while there are any: two threads may take at once."""
    while True:
        try:
            task = take()
        except IndexError:
            return
        yield task


class ProcessBeside(Generic[T, R]):
    """Another process that does tasks; it ends when this one does, however that comes about."""

    def __init__(self, prepare: Callable[..., Callable[[T], R]], *told: Any) -> None:
        """Start it: `prepare`, a function of a module, makes there of what it is told what does the tasks."""
        # Not forked: DuckDB and Arrow have threads, whose locks a copy would find held for ever.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, prepare, told), daemon=True)
        with _uninterrupted():
            self._process.start()
        theirs.close()  # so that a pipe whose other end died has ended

    def do(self, task: T) -> R:
        """What it made of the task. Raises what it raised, and CrewUnavailable when it is gone."""
        try:
            self._pipe.send(task)
            answer = self._pipe.recv()
        except (EOFError, OSError) as gone:
            self._process.join(_ENDS_WITHIN_S)
            raise CrewUnavailable(
                f"the second process that writes reports ended with status {self._process.exitcode}",
                "it may have lacked memory: one processor is given one process, as by taskset -c 0",
            ) from gone
        if isinstance(answer, _Fault):
            raise answer.fault from _Beside(answer.trace)
        made: R = answer
        return made

    def end(self) -> None:
        """It is gone, and nothing half-written of it is left."""
        self._process.terminate()
        self._process.join(_ENDS_WITHIN_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Inside the block an interruption waits, and a process that begins there is deaf to it for good.

    It hears of one from this process; by itself it would be cut short among its imports, and say so with a traceback.
    """
    resource_tracker.ensure_running()  # which every such process shares; to begin it would lift what is set here
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Beside(Exception):
    """The traceback of the other process, which --debug shows."""


@dataclass(frozen=True, slots=True)
class _Fault:
    fault: Exception
    trace: str

    @classmethod
    def of(cls, fault: Exception) -> "_Fault":
        """As it can travel: one that does not come out as it went in is told by its name."""
        trace = "".join(traceback.format_exception(fault))
        try:
            pickle.loads(pickle.dumps(fault))  # noqa: S301 - our own
        except Exception:  # noqa: BLE001 - whatever it is made of
            fault = RuntimeError(f"{type(fault).__name__} in the second process that writes reports")
        return cls(fault, trace)


def _serve(pipe: Connection, prepare: Callable[..., Callable[[Any], Any]], told: tuple[Any, ...]) -> None:
    """Do what comes through the pipe, until nobody is at its other end."""
    signal.signal(signal.SIGTERM, _end)
    do = None
    while True:
        try:
            task = pipe.recv()
        except (EOFError, ConnectionResetError):  # the second where an answer was not read any more
            return
        try:
            do = do or prepare(*told)
            answer = do(task)
        except KeyboardInterrupt:  # what becomes of the signal within DuckDB
            return
        except Exception as fault:  # noqa: BLE001 - raised as it is by the process that asked
            answer = _Fault.of(fault)
        try:
            pipe.send(answer)
        except BrokenPipeError:
            return


def _end(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
