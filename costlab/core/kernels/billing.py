"""A bill for each container of a node, cell by cell."""

import numpy as np

from costlab.core._jit import bare_kernel, kernel
from costlab.core.arrays import Brief, Floats, Ints, Singles
from costlab.core.kernels.spreading import spread, total_of
from costlab.domain.time import HOUR_MS


@kernel
def bill(
    asked_offsets: Ints,
    asked_start_ms: Ints,
    asked_end_ms: Ints,
    asked: Floats,
    seen: Ints,
    used_zero_ms: int,
    used_start_ms: Brief,
    used_end_ms: Brief,
    used: Singles,
    unit: float,
    there: Ints,
    grid_start_ms: int,
    cell_ms: int,
    capacity: Floats,
    allocatable: Floats,
    price: Floats,
    mode: tuple[bool, bool, bool, bool],
) -> tuple[Floats, Floats, Floats]:
    """What each row and each kind of rest is billed for one resource of one node on the day: quantities, amounts.

    asked_*: what each row asks for, and when; row r owns asked_offsets[r]:asked_offsets[r + 1], at least one; where
        that is NaN it counts as not there.
    used_*: stretches of observed usage, int32 since used_zero_ms and float32 in 1 / `unit`; row r owns
        seen[r, 0]:seen[r, 1]. They count from the first to the last that the row asks for. A row with seen[r, 0] = -1
        was seen to use nothing all that time.
    there: int64 (m, 2), spans apart from each other and ordered; what lies outside them does not count.
    capacity, allocatable: (cells,), value × milliseconds over the whole cell. price: (cells,), per value-hour.
    mode: bill by request, bill by usage (both: the larger), usage is a share of the request (GPUs),
        capacity is known.
    Returns two float64 (rows + 1, 3) arrays, value-hours and money: a row's used, unused and unobserved part;
    the last row is idle, system, and the number of contended cells and what was asked beyond the capacity in them. Then
    float64 (rows, 4): time occupied, value × time requested, time observed, value × time used, in milliseconds.
    """
    _, _, is_share, bounded = mode
    rows, cells = len(asked_offsets) - 1, len(capacity)
    quantity = np.zeros((rows + 1, 3))
    amount = np.zeros((rows + 1, 3))
    sums = np.zeros((rows, 4))
    life = np.zeros((rows, 2), np.int64)
    first = np.zeros(rows, np.int64)
    place = np.zeros(rows + 1, np.int64)
    _settle(asked_offsets, asked_start_ms, asked_end_ms, grid_start_ms, cell_ms, cells, life, first, place)
    demand = np.empty(place[rows])
    use = np.empty(place[rows])
    total = np.zeros(cells)
    scale = np.ones(cells)
    to_money = price / HOUR_MS
    since = _steady(to_money)
    parts = np.empty(cells), np.empty(cells)
    _claim(
        asked_offsets, asked_start_ms, asked_end_ms, asked,
        seen, used_zero_ms, used_start_ms, used_end_ms, used, unit,
        there, grid_start_ms, cell_ms, mode, life, first, place, scale, since, to_money, parts, np.zeros(1),
        demand, use, total, quantity, amount, sums,
    )  # fmt: skip
    if bounded:
        _share_out(capacity, allocatable, to_money, total, scale, quantity[rows], amount[rows])
        if scale.min() < 1.0:
            _split_all(first, place, demand, use, scale, is_share, since, to_money, parts, quantity, amount)
    contended = quantity[rows, 2]
    quantity /= HOUR_MS
    quantity[rows, 2] = contended
    return quantity, amount, sums


@bare_kernel
def _claim(
    asked_offsets: Ints,
    asked_start_ms: Ints,
    asked_end_ms: Ints,
    asked: Floats,
    seen: Ints,
    used_zero_ms: int,
    used_start_ms: Brief,
    used_end_ms: Brief,
    used: Singles,
    unit: float,
    there: Ints,
    grid_start_ms: int,
    cell_ms: int,
    mode: tuple[bool, bool, bool, bool],
    life: Ints,
    first: Ints,
    place: Ints,
    ones: Floats,
    since: Ints,
    to_money: Floats,
    parts: tuple[Floats, Floats],
    nothing: Floats,
    demand: Floats,
    use: Floats,
    total: Floats,
    quantity: Floats,
    amount: Floats,
    sums: Floats,
) -> None:
    """Fills what each row wants and uses of its cells, their total, its sums, and what it is billed if none is contended.

    One row at a time, while its cells are near; a kernel of its own, since of a slice in one that makes arrays it is
    counted who holds it. ones, nothing: what these words say; parts: to work in.
    """
    by_request, by_usage, is_share, _ = mode
    for r in range(len(first)):
        here, low, count = slice(place[r], place[r + 1]), first[r], place[r + 1] - place[r]
        asks, uses, lived_ms, seen_ms = demand[here], use[here], parts[0][:count], parts[1][:count]
        asks[:], uses[:], lived_ms[:], seen_ms[:] = 0.0, 0.0, 0.0, 0.0
        low_ms = grid_start_ms + low * cell_ms
        for span in range(len(there)):
            begin_ms, until_ms = max(there[span, 0], life[r, 0]), min(there[span, 1], life[r, 1])
            sums[r, 0] += spread(
                0, asked_start_ms, asked_end_ms, asked, 1.0, asked_offsets[r], asked_offsets[r + 1],
                begin_ms, until_ms, low_ms, cell_ms, lived_ms, asks,
            )  # fmt: skip
            for i in range(asked_offsets[r], asked_offsets[r + 1]):
                asked_ms = min(asked_end_ms[i], until_ms) - max(asked_start_ms[i], begin_ms)
                if asked_ms > 0 and not np.isnan(asked[i]):
                    sums[r, 1] += asked[i] * asked_ms
            if seen[r, 0] < 0:
                sums[r, 2] += spread(
                    0, life[r, :1], life[r, 1:], nothing, 1.0, 0, 1,
                    begin_ms, until_ms, low_ms, cell_ms, seen_ms, uses,
                )  # fmt: skip
            else:
                sums[r, 2] += spread(
                    used_zero_ms, used_start_ms, used_end_ms, used, unit, seen[r, 0], seen[r, 1],
                    begin_ms, until_ms, low_ms, cell_ms, seen_ms, uses,
                )  # fmt: skip
        if is_share:
            _of_request(seen_ms, asks, uses)
        sums[r, 3] = total_of(uses)
        unseen, more = _complete(lived_ms, seen_ms, is_share, uses)
        rest = total[low : low + count]
        # Mostly all that a row used is used of what it is billed, at one price: then a pass over its cells is enough.
        if by_usage and not (is_share or unseen) and len(since) == 2:
            # To take away what was used while nothing was asked for would leave rounding, and that may be below 0.
            used_part = sums[r, 3] + more if more >= 0.0 else total_of(uses)
            unused_part = _outgrow(uses, by_request, asks, rest, lived_ms)
            _owe(used_part, unused_part, to_money[0], quantity[r], amount[r])
        else:
            _demand(uses, by_request, by_usage and not is_share, asks, rest)
            _split(low, asks, uses, ones, False, since, to_money, lived_ms, seen_ms, quantity[r], amount[r])


@bare_kernel
def _outgrow(use: Floats, by_request: bool, demand: Floats, total: Floats, left: Floats) -> float:
    """What a row wants of each cell, as `_demand` has it where all was observed, and how much of that it does not use."""
    for k in range(len(use)):
        wanted = use[k] if use[k] > demand[k] or not by_request else demand[k]
        demand[k] = wanted
        total[k] += wanted
        left[k] = wanted - use[k]
    return total_of(left)


@bare_kernel
def _owe(used_part: float, unused_part: float, rate: float, quantity: Floats, amount: Floats) -> None:
    """Adds to a row's used and unused part; of a price that is not known nothing is owed for what was not wanted."""
    if used_part + unused_part > 0.0:
        quantity[0] += used_part
        quantity[1] += unused_part
        amount[0] += used_part * rate
        amount[1] += unused_part * rate


@bare_kernel
def _share_out(
    capacity: Floats,
    allocatable: Floats,
    to_money: Floats,
    total: Floats,
    scale: Floats,
    quantity: Floats,
    amount: Floats,
) -> None:
    """Fills scale, what is billed of a demand in each cell, and adds up what none owes: idle, system; and contention."""
    for cell in range(len(capacity)):
        room = capacity[cell]
        if total[cell] > room:
            # Summing the same float parts in another order may exceed the capacity by rounding alone.
            if total[cell] > room * (1.0 + 1e-12):
                quantity[2] += 1.0
                amount[2] += (total[cell] - room) * to_money[cell]
            scale[cell] = room / total[cell]
        if room > 0.0:
            idle = max(0.0, allocatable[cell] - total[cell])
            system = room - min(total[cell], room) - idle
            quantity[0] += idle
            quantity[1] += system
            amount[0] += idle * to_money[cell]
            amount[1] += system * to_money[cell]


@bare_kernel
def _split_all(
    first: Ints,
    place: Ints,
    demand: Floats,
    use: Floats,
    scale: Floats,
    is_share: bool,
    since: Ints,
    to_money: Floats,
    parts: tuple[Floats, Floats],
    quantity: Floats,
    amount: Floats,
) -> None:
    """What each row is billed for what it wants of its cells, demand[place[r]:place[r + 1]], where some are contended."""
    for r in range(len(first)):
        here, count = slice(place[r], place[r + 1]), place[r + 1] - place[r]
        _split(
            first[r], demand[here], use[here], scale, is_share, since, to_money,
            parts[0][:count], parts[1][:count], quantity[r], amount[r],
        )  # fmt: skip


@bare_kernel
def _settle(
    asked_offsets: Ints,
    asked_start_ms: Ints,
    asked_end_ms: Ints,
    grid_start_ms: int,
    cell_ms: int,
    cells: int,
    life: Ints,
    first: Ints,
    place: Ints,
) -> None:
    """When each row lives within the grid, the first cell of that, and where its cells stand among those of all.

    Cells of a row outside its life are not looked at: most pods of a day with churn live for minutes.
    """
    for r in range(len(first)):
        born, died = asked_start_ms[asked_offsets[r]], asked_end_ms[asked_offsets[r]]
        for i in range(asked_offsets[r] + 1, asked_offsets[r + 1]):
            born, died = min(born, asked_start_ms[i]), max(died, asked_end_ms[i])
        born, died = max(born, grid_start_ms), min(died, grid_start_ms + cells * cell_ms)
        life[r, 0], life[r, 1] = born, died
        low, count = 0, 0
        if born < died:
            low = (born - grid_start_ms) // cell_ms
            count = (died - 1 - grid_start_ms) // cell_ms + 1 - low
        first[r], place[r + 1] = low, place[r] + count


@kernel
def _steady(price: Floats) -> Ints:
    """The cells at which the price changes, the first and the end among them: mostly it is the same all day."""
    since = np.empty(len(price) + 1, np.int64)
    count = 0
    for cell in range(len(price)):
        if cell == 0 or price[cell] != price[cell - 1]:
            since[count] = cell
            count += 1
    since[count] = len(price)
    return since[: count + 1].copy()


@bare_kernel
def _of_request(observed_ms: Floats, requested: Floats, use: Floats) -> None:
    """Shares × milliseconds become what was used of the request, while it was observed or not; 0 where it never was."""
    for k in range(len(use)):
        use[k] = use[k] / observed_ms[k] * requested[k] if observed_ms[k] > 0.0 else 0.0


@bare_kernel
def _complete(occupied_ms: Floats, observed_ms: Floats, is_share: bool, use: Floats) -> tuple[int, float]:
    """Use as if all of the time in a cell had been observed, where a part was; NaN where nothing was.

    Mostly these are the first and the last cells: the division of all would take longer than to look at all.
    Returns in how many nothing was, and what the others came to use more.
    """
    low, high = 0, len(use)
    while low < high and observed_ms[low] != occupied_ms[low]:
        low += 1
    while low < high and observed_ms[high - 1] != occupied_ms[high - 1]:
        high -= 1
    apart, occupied, observed = 0, occupied_ms[low:high], observed_ms[low:high]
    for k in range(len(observed)):
        apart += observed[k] != occupied[k]
    unseen, more = 0, 0.0
    for begin, until in ((0, high if apart else low), (high, len(use))):
        for k in range(begin, until):
            if observed_ms[k] != occupied_ms[k]:
                if observed_ms[k] > 0.0:
                    known = use[k] if is_share else use[k] / observed_ms[k] * occupied_ms[k]
                    more += known - use[k]
                    use[k] = known
                else:
                    unseen += 1
                    use[k] = np.nan
    return unseen, more


@bare_kernel
def _demand(use: Floats, by_request: bool, by_usage: bool, demand: Floats, total: Floats) -> None:
    """What a row wants of each cell, of which demand has what it requests, by what it uses too; total is added to."""
    for k in range(len(use)):
        more = by_usage and (use[k] > demand[k] or not (by_request or np.isnan(use[k])))
        demand[k] = use[k] if more else demand[k]
        total[k] += demand[k]


@bare_kernel
def _split(
    cell: int,
    demand: Floats,
    use: Floats,
    scale: Floats,
    is_share: bool,
    since: Ints,
    to_money: Floats,
    spent: Floats,
    left: Floats,
    quantity: Floats,
    amount: Floats,
) -> None:
    """What a row is billed for what it wants of its cells, the first of which is `cell`: used, unused and unobserved.

    spent, left: (cells of the row,), filled with the first two; since: where the price changes. A loop for each thing:
    of few arrays the compiler makes one that takes several cells at once.
    """
    scale = scale[cell : cell + len(use)]
    unseen = 0
    for k in range(len(use)):
        billed = demand[k] * scale[k]
        part = min(billed, use[k] * scale[k] if is_share else use[k])
        known = billed > 0.0 and not np.isnan(use[k])
        spent[k] = part if known else 0.0
        left[k] = billed - part if known else 0.0
        unseen += billed > 0.0 and np.isnan(use[k])
    quantity[:] = 0.0
    amount[:] = 0.0
    for stretch in range(len(since) - 1):
        low, high = max(since[stretch] - cell, 0), min(since[stretch + 1] - cell, len(use))
        rate = to_money[since[stretch]]
        if low < high:
            used_part, unused_part = total_of(spent[low:high]), total_of(left[low:high])
            _owe(used_part, unused_part, rate, quantity, amount)
        for k in range(low, high if unseen else low):
            billed = demand[k] * scale[k]
            if np.isnan(use[k]) and billed > 0.0:
                quantity[2] += billed
                amount[2] += billed * rate
