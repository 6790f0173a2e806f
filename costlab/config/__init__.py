"""Configuration and price book: found, read with line numbers, checked as a whole, then frozen."""
