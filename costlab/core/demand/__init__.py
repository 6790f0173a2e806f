"""What namespaces ask for and use at a time. docs/methods.md, "Quotas"."""
