"""Receivers that answer drop by drop, or without an end: a night waits for none of them longer than it means to."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Event, Thread

import pytest
from listening import Clock

from costlab.config.destination import Channel
from costlab.config.servers import Elasticsearch
from costlab.domain.errors import ConfigError, CostlabError, PostError
from costlab.publish import metrics
from costlab.publish.address import Address
from costlab.publish.commenting import comment
from costlab.publish.elasticsearch import opened
from costlab.publish.posting import Patience, post
from costlab.publish.thread import Thread as Discussion

PATIENCE = replace(Clock().patience, answer_s=0.1)
OK, REFUSED = (b"HTTP/1.1 %s\r\nContent-Length: 900000\r\n\r\n" % each for each in (b"200 OK", b"400 No"))


@contextmanager
def dripping(head: bytes, drop: bytes = b" ") -> Iterator[str]:
    """The address of a server that answers each request with the head at once, and then drops without an end."""
    over = Event()

    def drip() -> None:
        while not over.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection, connection.makefile("rb") as told:
                    while told.readline().strip():
                        pass
                    connection.sendall(head)
                    while not over.wait(0.02):
                        connection.sendall(drop)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        thread = Thread(target=drip, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            thread.join(5)


def to_a_webhook(url: str, patience: Patience) -> None:
    post(Address("notify[0]", url), b"{}", {}, patience)


def to_github(url: str, patience: Patience) -> None:
    comment(
        Discussion("notify[0]", Channel.GITHUB, url, "/all", "/each/", "acme/ml#12", "token"),
        "m",
        "m",
        patience,
    )


def to_elasticsearch(url: str, patience: Patience) -> None:
    with opened(Elasticsearch(url=url), {}, patience) as indices:
        indices.put_template("costlab", {})


def to_pushgateway(url: str, _: Patience) -> None:
    metrics.push(url, "prod", b"up 1\n")


@pytest.mark.parametrize(
    ("head", "brought", "fault"),
    [
        (REFUSED, to_a_webhook, ConfigError),  # the status is there: only what it says of it is not
        (OK, to_github, PostError),
        (OK.partition(b"Content")[0] + b"\r\n", to_github, PostError),  # of no told length: what came is a part
        (OK, to_elasticsearch, PostError),
        (b"", to_pushgateway, ConfigError),
    ],
)  # fmt: skip
def test_whoever_answers_drop_by_drop_is_cut_off(
    head: bytes,
    brought: Callable[[str, Patience], None],
    fault: type[CostlabError],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics, "_TIMEOUT_S", 0.1)
    with dripping(head) as url, pytest.raises(CostlabError) as caught:
        brought(url, PATIENCE)
    assert type(caught.value) is fault


def test_no_more_of_an_answer_is_read_than_elasticsearch_would_give() -> None:
    """It has no end and comes fast: read whole, it would fill the memory."""
    with (
        dripping(OK.partition(b"Content")[0] + b"\r\n", b" " * 2**22) as url,
        pytest.raises(ConfigError, match="does not answer as Elasticsearch does"),
    ):
        to_elasticsearch(url, replace(PATIENCE, answer_s=30))


def test_a_name_that_no_host_can_have_was_sent_nothing() -> None:
    with pytest.raises(PostError, match="not reachable"):
        to_a_webhook("http://a..b/hook", PATIENCE)
