"""Ends a read that a server keeps alive drop by drop: a socket's timeout begins anew with each byte."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import SHUT_RDWR, socket
from threading import Timer

import requests


@contextmanager
def cut_off_after(seconds: float, reading: socket | requests.Response) -> Iterator[None]:
    """Within it, reads from the socket or the response's body end after `seconds`, with an error or too early."""

    def cut_off() -> None:
        # Closed, or given back to the pool in the meantime, there is nothing left to end.
        with suppress(OSError, RuntimeError, ValueError):
            if isinstance(reading, requests.Response):
                reading.raw.shutdown()
            else:
                reading.shutdown(SHUT_RDWR)

    timer = Timer(max(seconds, 0.0), cut_off)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
