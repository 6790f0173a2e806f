"""The peer in pandas and NumPy, on one processor, as both work."""

import numpy as np
import pandas as pd

from charging.peer import CELL_MS, CELLS, UNITS, Given, Sums, tell


def charge(given: Given) -> Sums:
    """Charges of both resources into one file."""
    charges = {resource: _charges(given, resource, *of) for resource, of in UNITS.items()}
    pd.concat(charges, names=["resource"]).reset_index(level=0).to_parquet(given.out, compression="zstd")
    sums: dict[str, float] = {}
    for resource, rows in charges.items():
        workloads = rows[rows["kind"] == "workload"]
        sums |= {
            f"{resource} {part}": float(workloads[part].sum()) for part in ("used", "unused", "unobserved")
        }
        sums |= {
            f"{resource} {kind}": float(rows.loc[rows["kind"] == kind, "used"].sum())
            for kind in ("idle", "system")
        }
    return sums


def _charges(given: Given, resource: str, column: str, unit: int) -> pd.DataFrame:
    usage = _read(given, "container_usage", ["container_key", "ts", "dt_s", column]).dropna(subset=[column])
    usage["since"] = _milliseconds(usage["ts"], given)
    usage["until"] = usage["since"] + np.rint(usage["dt_s"].astype("float64") * 1000).astype("int64")
    usage["level"] = usage[column].astype("float64") / unit
    parts = _cut(usage[["container_key", "since", "until", "level"]])
    parts["work"] = parts["level"] * parts["part_s"]
    seen = parts.groupby(["container_key", "cell"], sort=False)[["part_s", "work"]].sum()
    seen = seen.rename(columns={"part_s": "seen_s"})
    lives = _read(given, "containers", ["container_key", "node", "start", "end", f"{resource}_request"])
    lives["since"], lives["until"] = _milliseconds(lives["start"], given), _milliseconds(lives["end"], given)
    lives["request"] = lives[f"{resource}_request"].fillna(0) / unit
    cells = _cut(lives[["container_key", "node", "since", "until", "request"]])
    cells = cells.join(seen, on=["container_key", "cell"])
    cells["use"] = cells["work"] / cells["seen_s"] * cells["part_s"]
    cells["demand"] = np.fmax(cells["request"] * cells["part_s"], cells["use"])
    cells["total"] = cells.groupby(["node", "cell"], sort=False)["demand"].transform("sum")
    names = [f"{resource}_{what}" for what in ("capacity", "allocatable", "price")]
    nodes = _read(given, "nodes", ["node", *names]).set_index("node")
    nodes.columns = pd.Index(["room", "free", "price"])
    nodes[["room", "free"]] *= 60 / unit
    nodes["price"] /= 3600
    cells = cells.join(nodes, on="node")
    cells["billed"] = cells["demand"] * np.fmin(1.0, cells["room"] / cells["total"].where(cells["total"] > 0))
    observed = cells["use"].notna()
    spent = np.fmin(cells["billed"], cells["use"])
    cells["used"] = (cells["price"] * spent).where(observed, 0.0)
    cells["unused"] = (cells["price"] * (cells["billed"] - spent)).where(observed, 0.0)
    cells["unobserved"] = (cells["price"] * cells["billed"]).where(~observed, 0.0)
    workloads = cells.groupby(["node", "container_key"], sort=False)[["used", "unused", "unobserved"]].sum()
    rests = nodes.loc[nodes.index.repeat(CELLS)].assign(cell=np.tile(np.arange(CELLS), len(nodes)))
    totals = cells.groupby(["node", "cell"], sort=False)["demand"].sum().rename("total")
    rests = rests.reset_index().join(totals, on=["node", "cell"]).fillna({"total": 0.0})
    idle = np.maximum(0.0, rests["free"] - rests["total"])
    rests["idle"] = rests["price"] * idle
    rests["system"] = rests["price"] * (rests["room"] - np.minimum(rests["total"], rests["room"]) - idle)
    by_node = rests.groupby("node")[["idle", "system"]].sum()
    kinds = [by_node[[kind]].rename(columns={kind: "used"}).assign(kind=kind) for kind in ("idle", "system")]
    return pd.concat(
        [workloads.assign(kind="workload").reset_index(), *(rows.reset_index() for rows in kinds)]
    )


def _read(given: Given, table: str, columns: list[str]) -> pd.DataFrame:
    return pd.concat(
        [pd.read_parquet(file, columns=columns, partitioning=None) for file in given.files(table)]
    )


def _milliseconds(instants: pd.Series, given: Given) -> np.ndarray:
    since: np.ndarray = instants.dt.as_unit("ms").astype("int64").to_numpy() - given.zero_ms
    return since


def _cut(stretches: pd.DataFrame) -> pd.DataFrame:
    """A row for each cell that a stretch lies in, and how long it does."""
    first = stretches["since"].to_numpy() // CELL_MS
    count = (stretches["until"].to_numpy() - 1) // CELL_MS + 1 - first
    rows = stretches.loc[stretches.index.repeat(count)].reset_index(drop=True)
    place = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    rows["cell"] = np.repeat(first, count) + place
    until = np.minimum(rows["until"], (rows["cell"] + 1) * CELL_MS)
    rows["part_s"] = (until - np.maximum(rows["since"], rows["cell"] * CELL_MS)) / 1000
    return rows


if __name__ == "__main__":
    tell(charge)
