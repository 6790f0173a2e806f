"""How long to wait before the same question is asked again."""

from costlab.sources.prometheus.answer import MayPass


def pause_s(fault: MayPass, attempt: int, left_s: float, chance: float, setting: str) -> float:
    """Seconds until the next attempt: 0.5, 1, 2, ... give or take half, or as many as the server asks for.

    attempt: how many there were. left_s: until time is up. chance: 0 to 1, so that several askers do not come together.
    Raises the fault where time is up before that; `setting` is what bounds it.
    """
    own_s = 0.5 * 2.0 ** (attempt - 1) * (0.5 + chance)
    if max(own_s, fault.after_s) < left_s:
        return max(own_s, fault.after_s)
    if fault.after_s <= own_s:
        raise fault
    raise MayPass(
        f"{fault.message}; it asks to wait {fault.after_s:,.0f} s, {max(left_s, 0.0):,.0f} s are left",
        f"try again after that time, or raise {setting}",
        fault.after_s,
    ) from fault
