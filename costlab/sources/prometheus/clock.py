"""Whose midnight it is: samples are stamped by the server's clock, and days end by it."""

import time
from collections.abc import Callable

from costlab.domain.errors import SourceRefused
from costlab.sources.prometheus.flavour import Product
from costlab.sources.prometheus.http import Client

_LATEST_S = 2.0**33  # in the year 2242; beyond, it is no clock


def ahead_s(client: Client, product: Product, wall: Callable[[], float] = time.time) -> float:
    """How many seconds the server's clock is ahead of `wall`, epoch seconds, but for the time that its answer took.

    By its own word, which a proxy in front of it does not change; where it does not say, by the Date of its answer.
    Raises SourceUnavailable.
    """
    try:
        (told,) = client.ask("api/v1/query", {"query": "vector(time())", **product.form}).data["result"]
        now_s = 0.0 if told["metric"] else float(told["value"][1])
    except (SourceRefused, KeyError, IndexError, TypeError, ValueError):
        return client.skew_s
    return now_s - wall() if 0 < now_s < _LATEST_S else client.skew_s
