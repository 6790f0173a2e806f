"""The day that `compute` charges beside its peers, and the peers; `benchmarks/compute.py` runs them."""
