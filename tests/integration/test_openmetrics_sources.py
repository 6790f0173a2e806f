"""A real Prometheus and the direct path give identical signals, so they give identical lakes."""

import numpy as np
import pytest

from costlab import __version__
from costlab.config.servers import Prometheus
from costlab.domain.signals import SIGNALS, Exporter, Signal
from costlab.domain.time import MINUTE_MS
from costlab.sources import SourceInfo
from costlab.sources.prometheus import PrometheusSource
from costlab.sources.synthetic import SyntheticCluster, SyntheticSource

pytestmark = pytest.mark.prometheus
# No Kepler runs in the synthetic cluster.
SHOWN = [signal for signal, spec in SIGNALS.items() if spec.exporter is not Exporter.KEPLER]


@pytest.mark.parametrize("signal", SHOWN)
def test_both_sources_give_the_same_signal(
    synthetic_prometheus: str, synthetic_cluster: SyntheticCluster, signal: Signal
) -> None:
    window = synthetic_cluster.days[-1].window.widen(10 * MINUTE_MS, 10 * MINUTE_MS)
    direct = SyntheticSource(synthetic_cluster)
    asked = PrometheusSource(Prometheus(url=synthetic_prometheus))
    told, found = direct.fetch(signal, window), asked.fetch(signal, window)
    assert told.sample_count > 0
    assert found.signal == told.signal == signal
    assert found.labels == told.labels
    assert all(label in {*SIGNALS[signal].labels, "instance"} or label.startswith("label_")
               for labels in told.labels for label in labels)  # fmt: skip
    np.testing.assert_array_equal(found.offsets, told.offsets)
    np.testing.assert_array_equal(found.at_ms, told.at_ms)
    np.testing.assert_array_equal(found.values, told.values)
    assert found.values.dtype == told.values.dtype == np.float64
    assert asked.warnings == direct.warnings


def test_the_synthetic_source_names_itself(synthetic_cluster: SyntheticCluster) -> None:
    assert SyntheticSource(synthetic_cluster).info() == SourceInfo("synthetic", __version__, "direct")
