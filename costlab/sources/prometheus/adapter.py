"""HTTP connections on which a response's head, too, has to arrive in time."""

from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse

from costlab.sources.prometheus.watchdog import cut_off_after


class PromptAdapter(HTTPAdapter):
    """Sends without repeating; a read timeout is for the whole head of the response, not for each of its bytes."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Makes the pools out of prompt connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


class _Prompt(HTTPConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 itself has it
        timeout = self.timeout
        if self.sock is None or not isinstance(timeout, int | float):
            return super().getresponse()
        with cut_off_after(timeout, self.sock):
            return super().getresponse()


class _SecurePrompt(_Prompt, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Prompt


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecurePrompt
