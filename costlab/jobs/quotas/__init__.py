"""What namespaces may ask for, what they do ask for, and what they will need."""
