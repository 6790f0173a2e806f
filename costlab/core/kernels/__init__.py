"""The loops of the core. Each has a twin of the same name and signature in `reference`, which says what it means.

Shapes and units: times are int64 epoch milliseconds; `offsets` are int64 (groups + 1,), group g owning
offsets[g]:offsets[g + 1]; values are float64, NaN = not observed.
"""
