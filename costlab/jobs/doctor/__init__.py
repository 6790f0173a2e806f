"""Whether a night would go well: configuration, lake, Prometheus and every signal, each with its mend."""

from costlab.jobs.doctor.check import Check, Status
from costlab.jobs.doctor.examination import examine
from costlab.jobs.doctor.lake_files import lake_files
from costlab.jobs.doctor.probe import Probe, PrometheusProbe

__all__ = ["Check", "Probe", "PrometheusProbe", "Status", "examine", "lake_files"]
