"""Context in, bytes out: figures, words, charts, and the editions of the daily report."""
