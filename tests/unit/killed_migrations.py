"""Migrates lakes in processes that kill themselves at a commit; nothing is imported more than once.

A line in: a lake's folder, and at which moment to kill: even before a commit, odd after it. A line out: `killed`, or the code.
"""

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from deltalake import CommitProperties, DeltaTable

from costlab.config.settings import Settings
from costlab.jobs.migrate import migrate
from costlab.store.delta import DeltaFolder
from costlab.store.lake import Lake

_landing = DeltaFolder._landing  # noqa: SLF001 - where every commit passes


def killing_at(moment: int) -> None:
    """From now on the process ends at that moment."""
    passed = -1

    def pass_by() -> None:
        nonlocal passed
        passed += 1
        if passed == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def landing(
        folder: DeltaFolder, table: DeltaTable, *more: Mapping[str, str]
    ) -> Iterator[CommitProperties]:
        with _landing(folder, table, *more) as signed:
            pass_by()
            yield signed
            pass_by()

    DeltaFolder._landing = landing  # type: ignore[method-assign,assignment] # noqa: SLF001


def main() -> None:
    """Until there are no more lines."""
    for line in sys.stdin:
        folder, moment = line.split()
        child = os.fork()
        if not child:
            try:
                killing_at(int(moment))
                migrate(Lake.open(folder), Settings.model_validate({"lake": folder}), dry_run=False)
            except BaseException as fault:  # noqa: BLE001 - whatever it was, it is not the other side's loop
                print(repr(fault), file=sys.stderr, flush=True)  # noqa: T201 - the test shows it
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        ended = "killed" if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)
        print(ended, flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
