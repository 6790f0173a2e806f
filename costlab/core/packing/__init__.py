"""How many nodes some pods need. docs/methods.md, "Other nodes"."""
