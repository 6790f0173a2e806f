"""The parts of the benchmark of extraction: what is asked for, each peer in a process of its own, what it cost."""
