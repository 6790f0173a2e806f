"""The peer in Polars: lazy frames, by its streaming engine, on every processor."""

import polars as pl

from charging.peer import CELL_MS, CELLS, UNITS, Given, Sums, tell


def charge(given: Given) -> Sums:
    """Charges of both resources into one file."""
    charges = [_charges(given, resource, column, unit) for resource, (column, unit) in UNITS.items()]
    pl.concat(charges).write_parquet(given.out, compression="zstd")
    sums: dict[str, float] = {}
    for resource, rows in zip(UNITS, charges, strict=True):
        mine = (
            rows.filter(kind="workload")
            .select(pl.col("used", "unused", "unobserved").sum())
            .row(0, named=True)
        )
        sums |= {f"{resource} {part}": amount for part, amount in mine.items()}
        rests = {kind: rows.filter(kind=kind)["used"].sum() for kind in ("idle", "system")}
        sums |= {f"{resource} {kind}": float(amount) for kind, amount in rests.items()}
    return sums


def _charges(given: Given, resource: str, column: str, unit: int) -> pl.DataFrame:
    since = pl.col("ts").dt.epoch("ms") - given.zero_ms
    seen = (
        pl.scan_parquet(given.files("container_usage"), hive_partitioning=False)
        .filter(pl.col(column).is_not_nan())
        .select(
            "container_key",
            since.alias("since"),
            (since + (pl.col("dt_s").cast(pl.Float64) * 1000).round().cast(pl.Int64)).alias("until"),
            level=pl.col(column).cast(pl.Float64) / unit,
        )
        .pipe(_cut)
        .group_by("container_key", "cell")
        .agg(seen_s=pl.col("part_s").sum(), work=(pl.col("level") * pl.col("part_s")).sum())
    )
    asked = (
        pl.scan_parquet(given.files("containers"), hive_partitioning=False)
        .select(
            "container_key",
            "node",
            since=pl.col("start").dt.epoch("ms") - given.zero_ms,
            until=pl.col("end").dt.epoch("ms") - given.zero_ms,
            request=pl.col(f"{resource}_request").fill_null(0) / unit,
        )
        .pipe(_cut)
    )
    use = pl.col("work") / pl.col("seen_s") * pl.col("part_s")
    demand = (
        asked.join(seen, on=["container_key", "cell"], how="left")
        .select(
            "node",
            "container_key",
            "cell",
            use=use,
            demand=pl.max_horizontal(pl.col("request") * pl.col("part_s"), use),
        )
        .collect(engine="streaming")
    )
    nodes = pl.read_parquet(given.files("nodes"), hive_partitioning=False).select(
        "node",
        room=pl.col(f"{resource}_capacity") / unit * 60,
        free=pl.col(f"{resource}_allocatable") / unit * 60,
        price=pl.col(f"{resource}_price") / 3600,
    )
    totals = demand.group_by("node", "cell").agg(total=pl.col("demand").sum())
    spent, billed = pl.min_horizontal("billed", "use"), pl.col("billed")
    workloads = (
        demand.lazy()
        .join(totals.lazy(), on=["node", "cell"])
        .join(nodes.lazy(), on="node")
        .with_columns(billed=pl.col("demand") * pl.min_horizontal(1.0, pl.col("room") / pl.col("total")))
        .filter(pl.col("demand") > 0)
        .group_by("node", "container_key")
        .agg(
            used=(pl.col("price") * spent).filter(pl.col("use").is_not_null()).sum(),
            unused=(pl.col("price") * (billed - spent)).filter(pl.col("use").is_not_null()).sum(),
            unobserved=(pl.col("price") * billed).filter(pl.col("use").is_null()).sum(),
        )
        .collect(engine="streaming")
    )
    total = pl.col("total").fill_null(0)
    idle = pl.max_horizontal(0.0, pl.col("free") - total)
    rests = (
        nodes.join(pl.DataFrame({"cell": range(CELLS)}), how="cross")
        .join(totals, on=["node", "cell"], how="left")
        .group_by("node")
        .agg(
            idle=(pl.col("price") * idle).sum(),
            system=(pl.col("price") * (pl.col("room") - pl.min_horizontal(total, "room") - idle)).sum(),
        )
    )
    kinds = [
        rests.select("node", used=pl.col(kind)).with_columns(kind=pl.lit(kind)) for kind in ("idle", "system")
    ]
    rows = [workloads.with_columns(kind=pl.lit("workload")), *kinds]
    return pl.concat(rows, how="diagonal").with_columns(resource=pl.lit(resource))


def _cut(stretches: pl.LazyFrame) -> pl.LazyFrame:
    """A row for each cell that a stretch lies in, and how long it does."""
    first, last = pl.col("since") // CELL_MS, (pl.col("until") - 1) // CELL_MS
    cell = pl.col("cell")
    inside_ms = pl.min_horizontal("until", (cell + 1) * CELL_MS) - pl.max_horizontal("since", cell * CELL_MS)
    return (
        stretches.with_columns(cell=pl.int_ranges(first, last + 1))
        .explode("cell")
        .with_columns(part_s=inside_ms / 1000)
    )


if __name__ == "__main__":
    tell(charge)
