"""What containers should request: the rules of others and costlab's own, on the same samples, and how they are scored."""
