"""A real Prometheus, or what speaks like one, as a source of signals."""

from costlab.sources.prometheus.source import PrometheusSource

__all__ = ["PrometheusSource"]
