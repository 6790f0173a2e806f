"""Samples by remote read: the very chunks that Prometheus keeps, which cost it next to nothing to give."""

from collections.abc import Iterator, Mapping
from math import inf
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from costlab.core.remote import Columns, LeftOut, Malformed, Texts, find
from costlab.domain.errors import SourceRefused
from costlab.domain.time import Window
from costlab.sources import Batch
from costlab.sources.prometheus.answer import Server
from costlab.sources.prometheus.engine import any_sample
from costlab.sources.prometheus.framing import Frames, Message, malformed
from costlab.sources.prometheus.http import Client
from costlab.sources.prometheus.read_request import CHUNKS, read_call
from costlab.sources.prometheus.selector import Selector


class RemoteReadEngine:
    """Streams chunks; from a server that gives samples instead it takes them, and holds one answer in memory.

    external_labels: what the server adds to all of its series here, and not in its query API. Just these pairs are left
        out, even of a series that would have one of them anyhow.
    chunks: ask for them.
    """

    name = "remote-read"

    def __init__(
        self, client: Client, external_labels: Mapping[str, str] | None = None, *, chunks: bool = True
    ) -> None:
        self.most_samples: int | None = None if chunks else 2_000_000
        self._remarks: dict[str, None] = {}
        self._client = client
        self._left_out = LeftOut.of(external_labels or {})
        self._chunks = chunks

    def read(self, selector: Selector, window: Window, deadline: float = inf) -> Iterator[Batch]:
        """As `Engine.read`. Stale markers stay; native histograms are left out, of which there is a remark."""
        if not window.duration_ms:
            return
        with self._client.receive(read_call(selector, window, chunks=self._chunks), deadline) as body:
            if body.kind == CHUNKS:
                body.must_show_its_end()
            pieces = Frames(body) if body.kind == CHUNKS else Message(body)
            for data, spans in pieces:
                try:
                    found = find(data, spans, self._left_out, chunked=body.kind == CHUNKS)
                    if found.histograms:
                        self._remarks[f"{selector.metric}: native histograms were left out"] = None
                    for columns in found.columns(window):
                        yield _batch(columns, selector, body.server)
                except Malformed as fault:
                    raise malformed(body.server, fault.reason, pieces.passed + fault.place) from None

    def heard(self, selector: Selector, window: Window, deadline: float = inf) -> bool:
        """As `Engine.heard`."""
        return any_sample(self.read(selector, window, deadline))

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was left out so far, a line for each metric."""
        return tuple(self._remarks)


def speaks_remote_read(client: Client) -> Literal["chunks", "samples"] | None:
    """How a server answers remote read, asked for nothing; None where it refuses. Raises SourceUnavailable."""
    try:
        with client.receive(read_call(Selector("costlab_asks_for_nothing"), Window(0, 1))) as body:
            if body.kind == CHUNKS:
                body.must_show_its_end()
            return "chunks" if body.kind == CHUNKS else "samples"
    except SourceRefused:
        return None


def _batch(columns: Columns, selector: Selector, server: Server) -> Batch:
    """The columns with their labels as Arrow has them; raises SourceRefused for what is no label of this metric."""
    try:
        names, values = _strings(columns.names), _strings(columns.values)
    except pa.ArrowInvalid:
        raise malformed(server, "a label is not UTF-8") from None
    labels = pa.MapArray.from_arrays(pa.array(columns.pairs), names, values)
    named = pc.map_lookup(labels, "__name__", "first")
    if not pc.all(pc.equal(named, selector.metric), skip_nulls=False).as_py():
        raise malformed(server, f"a series is not one of {server.quoted(selector.metric)}")
    return Batch(labels, columns.offsets, columns.at_ms, columns.samples)


def _strings(texts: Texts) -> pa.StringArray:
    """An array over the same memory; raises ArrowInvalid for what is not UTF-8."""
    strings = pa.StringArray.from_buffers(
        len(texts.ends) - 1, pa.py_buffer(texts.ends), pa.py_buffer(texts.text)
    )
    strings.validate(full=True)
    return strings
