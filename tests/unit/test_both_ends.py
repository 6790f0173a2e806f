"""Two processes do a list of tasks as one would: the same things, the same order, the same faults, and nobody is left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from costlab.domain.errors import ConfigError, CrewUnavailable
from costlab.jobs.both_ends import ProcessBeside, done_from_both_ends


class OfTwo(Exception):
    """As a library's may be: it cannot be made anew of its words alone."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first + second)


def doing(what: str) -> Callable[[int], tuple[int, int]]:
    """What a process does: tell a number with who did it; or fail, or die, of the last one."""

    def do(task: int) -> tuple[int, int]:
        if task == 9 and what == "fails":
            raise ConfigError("nine is too many", "take eight")
        if task == 9 and what == "errs":
            raise ZeroDivisionError("of nine")
        if task == 9 and what == "holds a lock":
            raise ValueError(threading.Lock())
        if task == 9 and what == "takes two":
            raise OfTwo("a secret", "b")
        if task == 9 and what == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "stalls":
            time.sleep(60)
        return task, os.getpid()

    return do


def gone(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_everything_is_done_once_and_told_in_order() -> None:
    beside = ProcessBeside[int, tuple[int, int]](doing, "")
    first = [beside.do(-1)]  # it is up by now, so that both take part

    def here(task: int) -> tuple[int, int]:
        time.sleep(0.02)
        return task, os.getpid()

    made = list(done_from_both_ends(range(10), here, beside))
    assert [task for task, _ in made] == list(range(10))
    assert {pid for _, pid in made} == {os.getpid(), first[0][1]}
    assert gone(first[0][1])


@pytest.mark.parametrize(
    ("what", "fault", "said"),
    [
        ("fails", ConfigError, "nine is too many"),
        ("errs", ZeroDivisionError, "of nine"),
        ("holds a lock", RuntimeError, "^ValueError in the second process that writes reports$"),
        ("takes two", RuntimeError, "^OfTwo in the second process that writes reports$"),
        ("dies", CrewUnavailable, "ended with status -9"),
    ],
)
def test_a_fault_of_the_other_process_is_raised_as_it_is(
    what: str, fault: type[Exception], said: str
) -> None:
    beside = ProcessBeside[int, tuple[int, int]](doing, what)
    [(_, pid)] = [beside.do(-1)]
    with pytest.raises(fault, match=said):
        list(done_from_both_ends(range(10), doing(""), beside))
    assert gone(pid)


@pytest.mark.parametrize("what", ["fails", "errs", "takes two"])
def test_a_traceback_shows_where_the_other_process_failed(what: str) -> None:
    beside = ProcessBeside[int, tuple[int, int]](doing, what)
    with pytest.raises((ConfigError, ArithmeticError, RuntimeError)) as caught:
        beside.do(9)
    beside.end()
    assert f'{__file__}", line' in "".join(traceback.format_exception(caught.value.__cause__))


def test_a_fault_of_this_process_ends_the_other_in_the_middle_of_its_task() -> None:
    beside = ProcessBeside[int, tuple[int, int]](doing, "stalls")

    def here(_: int) -> tuple[int, int]:
        raise ConfigError("the disk is full", "")

    with pytest.raises(ConfigError, match="the disk is full"):
        list(done_from_both_ends(range(10), here, beside))
    assert not beside._process.is_alive()  # noqa: SLF001 - nobody else tells


def test_an_interruption_of_both_is_heard_by_one_also_while_the_other_begins(tmp_path: Path) -> None:
    both = tmp_path / "both.py"
    both.write_text(
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "if __name__ == '__mp_main__':\n"
        "    print('begins', flush=True); time.sleep(1)\n"
        "import test_both_ends as t\n"
        "if __name__ == '__main__':\n"
        "    beside = t.ProcessBeside(t.doing, '')\n"
        "    try:\n"
        "        time.sleep(60)\n"
        "    except KeyboardInterrupt:\n"
        "        print(beside.do(1)[0], flush=True)\n"
        "        beside.end()\n"
    )
    # As from a terminal, whatever this process was told to ignore.
    listens = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [sys.executable, str(both), str(Path(__file__).parent)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=listens,  # noqa: PLW1509 - it takes no lock
    ) as parent:  # fmt: skip
        assert parent.stdout
        assert parent.stdout.readline() == "begins\n"
        os.killpg(parent.pid, signal.SIGINT)
        said = parent.communicate(timeout=60)
    assert (parent.returncode, *said) == (0, "1\n", "")


def test_a_process_whose_answer_nobody_read_says_nothing() -> None:
    program = (
        "import sys, os; sys.path.insert(0, sys.argv[1])\n"
        "import test_both_ends as t\n"
        "if __name__ == '__main__':\n"
        "    beside = t.ProcessBeside(t.doing, '')\n"
        "    beside._pipe.send(1)\n"
        "    beside._pipe.poll(60)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    command = [sys.executable, "-c", program, str(Path(__file__).parent)]
    # Until both have closed it.
    done = subprocess.run(command, stderr=subprocess.PIPE, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, b"")


def test_the_other_process_ends_when_this_one_is_killed() -> None:
    program = (
        "import sys, os, time; sys.path.insert(0, sys.argv[1])\n"
        "import test_both_ends as t\n"
        "if __name__ == '__main__':\n"
        "    print(t.ProcessBeside(t.doing, '').do(1)[1], flush=True); time.sleep(60)\n"
    )
    folder = os.path.dirname(__file__)  # noqa: PTH120 - an argument for sys.path
    with subprocess.Popen(
        [sys.executable, "-c", program, folder], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        parent.kill()
    for _ in range(500):
        if gone(pid):
            return
        time.sleep(0.01)
    pytest.fail("the process beside goes on alone")
