"""The day's electricity: what was measured of it, by team, and the CO2 of it."""

from decimal import Decimal

from costlab.config.charging import Energy
from costlab.render import figures
from costlab.render.cells import Row
from costlab.render.context import Cell, Column, Section, Table
from costlab.render.names import named

TEAMS_SHOWN = 8

_METERS = {"gpu_kwh": "GPUs", "cpu_memory_kwh": "CPU and memory"}
_CAPTION = "What each team used"
_NOBODY = "(nobody)"


def energy(rows: list[Row], of: Energy) -> Section:
    """Kilowatt-hours and CO2 by team, the most first; rows as `costlab energy --by team` gives them, their total last."""
    *teams, total = rows
    measured = [row for row in teams if row["energy_kwh"] is not None]
    table = _table(measured, total) if measured else Table(_CAPTION, (Column("Team"),), ())
    empty = "Not measured: no GPU tells of its power or energy, and there is no Kepler."
    return Section("energy", "Energy", lead(total, of), table, empty)


def lead(total: Row, of: Energy) -> str:
    """How much, the CO2 of it, how that is reckoned, and what no meter told; nothing where nothing was measured.

    total: the last row of the answer.
    """
    if total["energy_kwh"] is None:
        return ""
    used, co2 = figures.quantity(total["energy_kwh"]), figures.quantity(total["co2_kg"])
    told = ", ".join(_METERS[meter] for meter in _told(total))
    untold = [name for meter, name in _METERS.items() if total[meter] is None]
    of_time = (
        f" for {figures.share(total['coverage'])} of their time" if total["coverage"] is not None else ""
    )
    missing = f"; nothing tells of {untold[0]}" if untold else ""
    return f"{used} kWh, and {co2} kg of CO2 at {_reckoned(of)}. Measured are {told}{of_time}{missing}."


def _reckoned(of: Energy) -> str:
    """Intensity and PUE, and where they come from."""
    usual = Energy()
    grams, pue = f"{of.grams_co2_per_kwh:g} g a kWh", f"a PUE of {of.pue:g}"
    ours = (of.grams_co2_per_kwh != usual.grams_co2_per_kwh, of.pue != usual.pue)
    if ours[0] == ours[1]:
        return f"{grams} and {pue} ({'as configured' if ours[0] else 'averages of the world'})"
    whose = {True: "as configured", False: "the world\N{RIGHT SINGLE QUOTATION MARK}s average"}
    return f"{grams} ({whose[ours[0]]}) and {pue} ({whose[ours[1]]})"


def _table(teams: list[Row], total: Row) -> Table:
    owned = [row for row in teams if row["team"] != _NOBODY]
    nobody = [row for row in teams if row["team"] == _NOBODY]
    hidden = owned[TEAMS_SHOWN:]
    lines = [(Cell(named(row["team"])), [row]) for row in owned[:TEAMS_SHOWN]]
    shown = len(lines)
    if hidden:
        lines.append((Cell(figures.counted(len(hidden), "other team")), hidden))
    if nobody:
        lines.append((Cell("Nobody", "devices that no known pod used"), nobody))
    meters = _told(total)
    columns = {
        meter: Column(_METERS[meter], "kWh", numeric=True, minor=True) for meter in meters if len(meters) > 1
    }
    columns |= {
        "energy_kwh": Column("Energy", "kWh", numeric=True),
        "co2_kg": Column("CO2", "kg", numeric=True),
    }
    written = [figures.column([_sum(some, name) for _, some in lines]) for name in columns]
    cells = tuple(
        (head, *(Cell(column[place]) for column, _ in written), Cell(_coverage(some)))
        for place, (head, some) in enumerate(lines)
    )
    return Table(
        _CAPTION,
        (Column("Team"), *columns.values(), Column("Measured", "of the time", numeric=True)),
        cells[:shown],
        cells[shown:],
        (Cell("Total"), *(Cell(whole) for _, whole in written), Cell(figures.share(total["coverage"]))),
    )


def _told(total: Row) -> list[str]:
    """The meters that told something."""
    return [meter for meter in _METERS if total[meter] is not None]


def _sum(rows: list[Row], name: str) -> Decimal | None:
    known = [Decimal(str(row[name])) for row in rows if row[name] is not None]
    return sum(known, Decimal(0)) if known else None


def _coverage(rows: list[Row]) -> str:
    """That of one team; several have none of their own here."""
    return figures.share(rows[0]["coverage"]) if len(rows) == 1 and rows[0]["coverage"] is not None else ""
