"""The files by which costlab is deployed."""

from enum import StrEnum
from typing import Self


class DeployFile(StrEnum):
    """What `costlab deploy` prints: its name on the command line, and what it is."""

    what: str

    def __new__(cls, name: str, what: str) -> Self:
        """A name that is a string, with its meaning beside it."""
        made = str.__new__(cls, name)
        made._value_ = name
        made.what = what
        return made

    CRONJOB = (
        "cronjob",
        "Kubernetes: the configuration, the lake's disk, the nightly job and the weekly prune",
    )
    RBAC = "rbac", "Kubernetes: a ServiceAccount that may do nothing"
    NETWORKPOLICY = "networkpolicy", "Kubernetes: DNS and Prometheus, and nothing else"
    KUSTOMIZATION = "kustomization", "Kustomize: the base of these three"
    TERRAFORM = "terraform", "Terraform: the objects of these three, read from their files"
    DOCKERFILE = "dockerfile", "the image, built from the lock file"
    AIRFLOW = "airflow", "DAGs for Airflow 3: the night, and the weekly prune"
    CRON = "cron", "lines for /etc/cron.d"
    PROMETHEUS = "prometheus", "Prometheus: alert rules"
    SCRAPE = "scrape", "Prometheus: scrape configuration"
    KUBE_STATE_METRICS = "kube-state-metrics", "values of its chart: the labels that owners are found by"
    GRAFANA = "grafana", "a dashboard over the metrics of the nights"
