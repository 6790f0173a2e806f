"""The tables of GPUs: how many were given away and busy, and which ones stood idle."""

from costlab.render import figures
from costlab.render.cells import Row, bar, blank, total_of
from costlab.render.context import Cell, Column, Part, Section, Split, Table, Tile
from costlab.render.names import named
from costlab.render.wording import DayCost

GPUS_SHOWN = 10


def models(rows: list[Row], day: DayCost) -> Section:
    """GPUs by model."""
    currency = day.currency
    cost, total = figures.column([row["total_cost"] for row in rows])
    unused, all_unused = figures.column([row["unused_cost"] for row in rows])
    idle, all_idle = figures.column([row["idle_cost"] for row in rows])
    hours = figures.quantity(sum(row["capacity_hours"] for row in rows))
    table = Table(
        "GPUs by model",
        (
            Column("Model"),
            Column("GPU hours", numeric=True, minor=True),
            Column("Allocated", "of all hours"),
            Column("Busy", "of observed time"),
            Column("Cost", currency, numeric=True),
            Column("Not used", currency, numeric=True, minor=True),
            Column("Idle", currency, numeric=True),
        ),
        tuple(
            (
                Cell(
                    named(row["gpu_model"]) if row["gpu_model"] else "unknown model",
                    figures.counted(row["nodes"], "node"),
                ),
                Cell(figures.quantity(row["capacity_hours"])),
                bar(row["allocated_hours"] / row["capacity_hours"], Part.SYSTEM),
                bar(row["busy_ratio"], Part.USED),
                Cell(cost[i]),
                Cell(unused[i]),
                Cell(idle[i]),
            )
            for i, row in enumerate(rows)
        ),
        total=(Cell("All GPUs"), Cell(hours), *blank(2), Cell(total), Cell(all_unused), Cell(all_idle)),
    )
    lead = "Allocated: reserved by pods. Busy: what the devices themselves report, whoever ran on them."
    none = "This cluster has no GPUs." if day.capacity_known else "What the nodes have is not known."
    return Section("gpus", "GPUs", lead, table, none)


def idle(rows: list[Row], currency: str) -> Section:
    """GPUs that were idle or barely busy."""
    shown, hidden = rows[:GPUS_SHOWN], rows[GPUS_SHOWN:]
    cost, total = figures.column(
        [row["not_busy_cost"] for row in shown] + [total_of(hidden, "not_busy_cost")]
    )
    table = Table(
        "GPUs that were idle or barely busy",
        (
            Column("GPU"),
            Column("Model", minor=True),
            Column("State"),
            Column("Allocated", "h", numeric=True),
            Column("Busy"),
            Column("Memory", "GiB at most", numeric=True, minor=True),
            Column("Not busy", currency, numeric=True),
        ),
        tuple(
            (
                gpu(row),
                Cell(named(row["model"])),
                Cell(row["state"]),
                Cell(figures.quantity(row["allocated_hours"])),
                bar(row["busy_mean"], Part.USED),
                Cell(figures.gib(row["memory_max_bytes"])),
                Cell(cost[i]),
            )
            for i, row in enumerate(shown)
        ),
        ((Cell(figures.counted(len(hidden), "other")), *blank(5), Cell(cost[-1])),) if hidden else (),
        (Cell("All"), *blank(5), Cell(total)),
    )
    lead = (
        "Busy below 10% on average; idle means below 1% for 95% of the time. "
        "The money is part of what is not used and of idle capacity above, not beside it."
    )
    return Section("idle-gpus", "Idle GPUs", lead, table, "No observed GPU was idle.")


def tile(models: list[Row], *, known: bool) -> Tile:
    """How much of the GPUs' time was given to pods, and how much of it they were busy. known: whether nodes told what they have."""
    capacity = sum(row["capacity_hours"] for row in models)
    if not capacity:
        none = "no GPU capacity in this cluster" if known else "what the nodes have is not known"
        return Tile("GPUs", figures.NONE, none)
    allocated = sum(row["allocated_hours"] for row in models) / capacity
    observed = sum(row["observed_hours"] for row in models)
    hours = f"{figures.quantity(capacity)} GPU hours"
    if not observed:
        return Tile(
            "GPUs allocated",
            figures.share(allocated),
            f"of {hours}; busy time not observed",
            _gpu_split(allocated, 0),
        )
    busy = sum(row["busy_hours"] for row in models) / observed
    return Tile(
        "GPUs allocated / busy",
        f"{figures.share(allocated)} / {figures.share(busy)}",
        f"of {hours}",
        _gpu_split(allocated, busy),
    )


def _gpu_split(allocated: float, busy: float) -> Split:
    used = min(busy, allocated)
    return Split(
        ((Part.USED, used), (Part.UNUSED, max(0.0, allocated - used)), (Part.IDLE, max(0.0, 1 - allocated)))
    )


def gpu(row: Row) -> Cell:
    """A GPU's name: node, index and MIG profile, over the UUID, which on a phone is three lines and says no more."""
    parts = [row["node"], row["gpu_index"], row["mig_profile"]]
    return Cell(
        " · ".join(named(part) for part in parts if part),
        named(row["uuid"]) if row["uuid"] else "",
        minor_note=bool(row["gpu_index"]),
    )
