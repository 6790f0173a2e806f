"""The command line: parse, run one job, print, end with its code."""
