"""The lake (Delta tables on a local disk) and the warehouse (DuckDB over them)."""
