"""Raw samples of a VictoriaMetrics, through its export."""

from collections.abc import Iterator
from math import inf

from costlab.domain.time import Window
from costlab.sources import Batch
from costlab.sources.prometheus.batches import cut
from costlab.sources.prometheus.canonical import blank
from costlab.sources.prometheus.engine import any_sample
from costlab.sources.prometheus.export_lines import LONGEST_LINE, read_lines, whole_lines
from costlab.sources.prometheus.http import Call, Client
from costlab.sources.prometheus.selector import Selector

_PATH = "api/v1/export"
_STREAM = frozenset({"application/stream+json"})


class VictoriaEngine:
    """Exports lines of JSON and reads them while they arrive: memory does not grow with the answer.

    It stores decimal numbers, 18 digits down from the largest of up to 8,192 neighbours: mostly within 1e-12 of what
    was written, but whole numbers only beside one of DCGM's blanks, of which there is a remark. A series comes in
    several entries, whose times may overlap where it was written more than once.

    longest_line: bytes beyond which a part of a series is too large.
    """

    name = "victoria-export"
    most_samples: int | None = None

    def __init__(self, client: Client, longest_line: int = LONGEST_LINE) -> None:
        self._client = client
        self._longest_line = longest_line
        self._remarks: dict[str, None] = {}

    @property
    def remarks(self) -> tuple[str, ...]:
        """What has to be known of the samples read so far, each remark once."""
        return tuple(self._remarks)

    def read(self, selector: Selector, window: Window, deadline: float = inf) -> Iterator[Batch]:
        """The samples with window.start_ms <= t < window.end_ms; raises as `Engine` says."""
        if not window.duration_ms:
            return
        form = self._form(selector, window) | {"timeout": self._client.server_timeout(deadline)}
        call = Call(_PATH, form, {"Accept": "application/stream+json"}, _STREAM)
        with self._client.receive(call, deadline) as body:
            body.must_show_its_end()
            for text in whole_lines(body, longest=self._longest_line):
                batch = cut(read_lines(text, body.server), window, body.server, late_ms=1)
                if blank(batch.values).any():
                    self._remarks[
                        f"{selector.metric}: VictoriaMetrics keeps no decimals beside a blank value"
                    ] = None
                if len(batch.at_ms):
                    yield batch

    def heard(self, selector: Selector, window: Window, deadline: float = inf) -> bool:
        """As `Engine.heard`."""
        return any_sample(self.read(selector, window, deadline))

    @staticmethod
    def _form(selector: Selector, window: Window) -> dict[str, str]:
        # Not with reduce_mem_usage: asked in other ways beside it, 1.79 then gives samples under the labels of other
        # series, in 42 of 240 answers.
        # Both ends belong to it. It reads seconds as a double, of whose milliseconds a version cuts off the rest and
        # another rounds: half a millisecond more on the end, and neither loses the last instant.
        return {
            "match[]": str(selector),
            "start": _seconds(window.start_ms),
            "end": f"{_seconds(window.end_ms - 1)}5",
            "nocache": "1",
        }


def _seconds(at_ms: int) -> str:
    seconds, rest = divmod(at_ms, 1000)
    return f"{seconds}.{rest:03d}"
