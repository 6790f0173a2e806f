"""One use case a file; sources, clock and places are passed in."""
