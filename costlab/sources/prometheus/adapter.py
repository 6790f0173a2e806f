"""HTTP connections on which a response's head, too, has to arrive in time, and that can all be ended at once."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from socket import SHUT_RDWR
from typing import Any
from weakref import WeakSet

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse

from costlab.sources.prometheus.watchdog import cut_off_after


class PromptAdapter(HTTPAdapter):
    """Sends without repeating; a read timeout is for the whole head of the response, not for each of its bytes."""

    def __init__(self, **settings: Any) -> None:
        self._connections: WeakSet[_Prompt] = WeakSet()
        super().__init__(**settings)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Makes the pools out of prompt connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": partial(_Pool, self._connections.add),
            "https": partial(_SecurePool, self._connections.add),
        }

    def abort(self) -> None:
        """End every request that is under way, from another thread: its reads fail at once."""
        for connection in tuple(self._connections):
            connection.abort()


class StayingSession(requests.Session):
    """Takes a redirect for the answer that it is: followed, it would carry our headers to another host."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere."""


class _Prompt(HTTPConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 itself has it
        timeout = self.timeout
        if self.sock is None or not isinstance(timeout, int | float):
            return super().getresponse()
        with cut_off_after(timeout, self.sock):
            return super().getresponse()

    def abort(self) -> None:
        sock = self.sock
        with suppress(OSError, ValueError):  # given back or closed in the meantime
            if sock is not None:
                sock.shutdown(SHUT_RDWR)


class _SecurePrompt(_Prompt, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Prompt

    def __init__(self, met: Callable[[Any], None], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._met = met

    def _new_conn(self) -> Any:
        connection = super()._new_conn()
        self._met(connection)
        return connection


class _SecurePool(_Pool, HTTPSConnectionPool):
    ConnectionCls = _SecurePrompt
