"""The pods of a day, with what they have beside their containers: volumes and a network."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from costlab.domain.time import Day
from costlab.jobs.columns import milliseconds_of
from costlab.jobs.lives import Life, PodId
from costlab.jobs.network import HOST, Traffic
from costlab.store.schema import conform


def pods_table(
    lives: list[Life], whose: Mapping[str, Any], claims: Mapping[PodId, set[str]], network: Mapping[PodId, str],
    traffic: Traffic | None, cluster: str, day: Day,
) -> pa.Table:  # fmt: skip
    """Rows of `pods`, one a life. whose: the owners' columns of the lives; traffic: None where it was not read."""

    def seen(values: tuple[float, ...]) -> pa.Array:
        own = [network.get(life.pod_id) != HOST for life in lives]
        return pa.array(
            [value if mine else None for value, mine in zip(values, own, strict=True)], pa.float64()
        )

    nothing = pa.nulls(len(lives), pa.float64())
    columns = {
        "cluster": cluster, "date": day.date, **whose,
        "node": [life.node for life in lives],
        "start": np.array([life.start_ms for life in lives], np.int64),
        "end": np.array([life.end_ms for life in lives], np.int64),
        "claims": [sorted(claims.get(life.pod_id, ())) for life in lives],
        "network": pa.array([network.get(life.pod_id) for life in lives], pa.string()),
        "sent_bytes": seen(traffic.sent_bytes) if traffic else nothing,
        "sent_coverage": seen(traffic.coverage) if traffic else nothing,
    }  # fmt: skip
    return conform("pods", columns)


def rows_of(pods: pa.Table) -> list[dict[str, Any]]:
    """Rows of `pods`, their instants as epoch milliseconds in start_ms and end_ms."""
    starts, ends = milliseconds_of(pods.column("start")), milliseconds_of(pods.column("end"))
    return [
        {**row, "start_ms": start_ms, "end_ms": end_ms}
        for row, start_ms, end_ms in zip(pods.to_pylist(), starts.tolist(), ends.tolist(), strict=True)
    ]
