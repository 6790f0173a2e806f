"""What every pod of a Kubernetes ML platform cost, and what was paid for and not used."""

__version__ = "0.1.0"
