"""Where benchmarks keep the lakes that they make up."""
