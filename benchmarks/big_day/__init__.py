"""A day of a big, made-up cluster inside a real Prometheus: what the benchmark of extraction reads."""
