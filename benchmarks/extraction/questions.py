"""The requests of remote read as files for curl: chunks of one selector in one window, as costlab asks for them."""

from pathlib import Path

from big_day.protobuf import field, number_field, snappy, varint

from costlab.domain.time import Window
from costlab.sources.prometheus.selector import Operator, Selector
from extraction.workload import Workload

_STREAMED_CHUNKS = 1
_TYPES = {Operator.EQUAL: 0, Operator.NOT_EQUAL: 1, Operator.MATCHES: 2, Operator.NOT_MATCHES: 3}


def write_questions(workload: Workload, window: Window, folder: Path) -> list[Path]:
    """One file a selector."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for metric, selector in workload.selectors.items():
        files.append(folder / f"{workload.name}-{metric}")
        files[-1].write_bytes(snappy(read_request(selector, window)))
    return files


def read_request(selector: Selector, window: Window) -> bytes:
    """ReadRequest {queries = 1; accepted_response_types = 2}; its window is closed on both sides."""
    query = number_field(1, window.start_ms) + number_field(2, window.end_ms - 1)
    query += _matcher(0, "__name__", selector.metric)
    for matcher in selector.matchers:
        query += _matcher(_TYPES[matcher.operator], matcher.label, matcher.value)
    return field(1, query) + field(2, varint(_STREAMED_CHUNKS))


def _matcher(kind: int, label: str, value: str) -> bytes:
    """Query.matchers = 3, LabelMatcher {type = 1; name = 2; value = 3}."""
    return field(3, number_field(1, kind) + field(2, label.encode()) + field(3, value.encode()))
