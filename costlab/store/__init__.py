"""Keep and ask: Delta tables in the lake, DuckDB over their files."""
