"""The files by which costlab is deployed, as they ship, with a namespace, image or schedule of one's own."""

import re
from collections.abc import Mapping

from costlab.domain.deployment import DeployFile
from costlab.domain.errors import ConfigError
from costlab.shipped import folder

PATHS = {
    DeployFile.CRONJOB: "kubernetes/cronjob.yaml",
    DeployFile.RBAC: "kubernetes/rbac.yaml",
    DeployFile.NETWORKPOLICY: "kubernetes/networkpolicy.yaml",
    DeployFile.KUSTOMIZATION: "kubernetes/kustomization.yaml",
    DeployFile.TERRAFORM: "terraform/main.tf",
    DeployFile.DOCKERFILE: "Dockerfile",
    DeployFile.AIRFLOW: "airflow/costlab_nightly.py",
    DeployFile.CRON: "cron/costlab.cron",
    DeployFile.PROMETHEUS: "prometheus/costlab.rules.yaml",
    DeployFile.SCRAPE: "prometheus/scrape.yaml",
    DeployFile.KUBE_STATE_METRICS: "prometheus/kube-state-metrics.values.yaml",
    DeployFile.GRAFANA: "grafana/costlab.json",
}

# What may be chosen: where it stands in the files, what it has to look like, and an example.
_CHOICES = {
    "namespace": (
        re.compile(r"(?<=\bnamespace: )costlab$", re.MULTILINE),
        r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        "costlab",
    ),
    "image": (
        re.compile(r"(?<=\bimage: )\S+$", re.MULTILINE),
        r"[\w.:@/-]+",
        "registry.example.com/costlab:0.1.0",
    ),
    "schedule": (re.compile(r"30 1 \* \* \*"), r"[\d*/,-]+( [\w*/,-]+){4}", "30 1 * * *"),
}


def deployment(wanted: DeployFile, chosen: Mapping[str, str | None]) -> str:
    """The file's text; what is None in `chosen` stays as it ships.

    Raises ConfigError for what has another form than it has to have, and for what the file does not have.
    """
    text = (folder("deploy") / PATHS[wanted]).read_text(encoding="utf-8")
    for name, value in chosen.items():
        if value is None:
            continue
        place, form, example = _CHOICES[name]
        if not re.fullmatch(form, value, re.ASCII):
            raise ConfigError(f"--{name} {value!r} is no {name}", f"write it as in --{name} '{example}'")
        text, count = place.subn(value, text)
        if not count:
            raise ConfigError(f"{wanted} has no {name}", f"leave out --{name}")
    return text
