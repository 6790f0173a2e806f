"""Log lines as JSON, with the names of the Elastic Common Schema: one object a line."""

import json
from datetime import UTC, datetime
from itertools import pairwise, takewhile
from typing import Any

ECS_VERSION = "8.11.0"


def json_line(level: str, message: str, **more: Any) -> str:
    """A line that any shipper takes as it is; `more` are fields of their own, and None is none."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = {
        "@timestamp": now,
        "log.level": level,
        "message": message,
        "ecs.version": ECS_VERSION,
        "event.dataset": "costlab.log",
        **{name: value for name, value in more.items() if value is not None},
    }
    return json.dumps(told, ensure_ascii=False)


def wants_json(args: list[str]) -> bool:
    """Whether the arguments, common options in front, ask for log lines as JSON."""
    front = list(takewhile(lambda word: word != "--", args))
    return "--log-format=json" in front or ("--log-format", "json") in pairwise(front)
