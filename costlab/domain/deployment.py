"""The files by which costlab is deployed."""

from enum import StrEnum


class DeployFile(StrEnum):
    """What `costlab deploy` prints: its name on the command line."""

    CRONJOB = "cronjob"
    RBAC = "rbac"
    NETWORKPOLICY = "networkpolicy"
    KUSTOMIZATION = "kustomization"
    DOCKERFILE = "dockerfile"
    AIRFLOW = "airflow"
    CRON = "cron"
    PROMETHEUS = "prometheus"
    SCRAPE = "scrape"
    KUBE_STATE_METRICS = "kube-state-metrics"
    GRAFANA = "grafana"
