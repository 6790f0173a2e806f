"""The rules for requests, by name."""

from collections.abc import Callable
from difflib import get_close_matches

from costlab.core.rightsizing.autopilot import AutopilotWindow, Tolerance
from costlab.core.rightsizing.costlab.rule import Costlab
from costlab.core.rightsizing.crane import Crane
from costlab.core.rightsizing.krr import KrrSimple, KrrSimpleLimit
from costlab.core.rightsizing.kubecost import Kubecost
from costlab.core.rightsizing.policy import Policy
from costlab.core.rightsizing.vpa import Vpa

# Each with the defaults of those whose rule it is.
POLICIES: dict[str, Callable[[], Policy]] = {
    "costlab": Costlab,
    "costlab-steady": lambda: Costlab(steady=True),
    "krr-simple": KrrSimple,
    "krr-simple-limit": KrrSimpleLimit,
    "vpa": Vpa,
    "crane": Crane,
    "crane:catalogue": lambda: Crane("crane:catalogue", to_catalogue=True),
    "autopilot-window": AutopilotWindow,
    "autopilot-window:intermediate": lambda: AutopilotWindow(Tolerance.INTERMEDIATE),
    "autopilot-window:low": lambda: AutopilotWindow(Tolerance.LOW),
    "kubecost": Kubecost,
    "kubecost:quantile": lambda: Kubecost("kubecost:quantile", cpu_quantile=0.95, memory_quantile=0.95),
}


class NoPolicy(LookupError):
    """There is no rule of this name; `close` is the name that was probably meant, if any."""

    def __init__(self, name: str, close: str | None) -> None:
        super().__init__(f"no policy is called {name!r}")
        self.close = close


def policy_of(name: str) -> Policy:
    """The rule of this name. Raises NoPolicy."""
    if name not in POLICIES:
        close = get_close_matches(name.casefold(), POLICIES, 1)
        raise NoPolicy(name, close[0] if close else None)
    return POLICIES[name]()
