"""The forms in which advice is handed to those who run a cluster."""

from enum import StrEnum


class ManifestForm(StrEnum):
    """What advice is written as."""

    KUBECTL = "kubectl"  # strategic merge patches
    KUSTOMIZE = "kustomize"  # an overlay
    VPA = "vpa"  # VerticalPodAutoscaler objects
    HELM = "helm"  # values of a chart
