"""Sketches put together, group by group, are what `core.sketch.merged` makes of each group."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from costlab.core.rightsizing.pooling import pooled
from costlab.core.sketch import merged

entry = st.tuples(st.sampled_from([0, 1, 7_000, 8_000, 8_001, 8_100, (1 << 15) - 1]), st.integers(0, 10**6))
sketches = st.lists(st.dictionaries(entry.map(lambda e: e[0]), st.integers(0, 10**6), max_size=5), max_size=8)


@given(sketches, st.data())
def test_a_group_is_the_sketch_of_all_that_its_rows_were_made_of(
    rows: list[dict[int, int]], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(rows))))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
    groups = np.array([0, *cuts, len(rows)])
    offsets = np.cumsum([0, *map(len, rows)])
    buckets = np.array([b for row in rows for b in row], np.int32)
    weights = np.array([w for row in rows for w in row.values()], np.int64)
    found = pooled(np.array(order, np.int64), groups, offsets, buckets, weights.astype(np.float64))
    for group in range(len(groups) - 1):
        own = [i for r in order[groups[group] : groups[group + 1]] for i in range(offsets[r], offsets[r + 1])]
        expected_buckets, expected_weights = merged(buckets[own], weights[own])
        entries = slice(found[0][group], found[0][group + 1])
        assert found[1][entries].tolist() == expected_buckets.tolist()
        assert found[2][entries].tolist() == expected_weights.tolist()
