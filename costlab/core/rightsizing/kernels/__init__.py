"""The loops of the rules: numba compiles them.

Shapes and units: times are int64 epoch milliseconds; replica r owns the stretches offsets[r]:offsets[r + 1], of which
values are float32, NaN = not observed. Segment s is edges_ms[s]:edges_ms[s + 1]; a stretch is of the one it begins in.
"""
