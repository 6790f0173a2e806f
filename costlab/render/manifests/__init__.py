"""Advice as manifests, for people to review and apply: costlab applies none of them."""
