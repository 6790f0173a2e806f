"""Budgets against what was spent and what will be: which are exceeded, which will be, and when."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from costlab.config.advising import Budget, Forecasting
from costlab.domain.dates import Dates
from costlab.domain.units import money
from costlab.jobs.asked import Filters
from costlab.jobs.outlook import Outlook, outlooks
from costlab.store.warehouse import Warehouse


class BudgetState(StrEnum):
    """How a month's budget stands: by what was spent (exceeded), else by what is expected, else by the upper bound."""

    EXCEEDED = "exceeded"
    WILL_BE_EXCEEDED = "will_be_exceeded"
    MAY_BE_EXCEEDED = "may_be_exceeded"
    KEPT = "kept"
    NOT_KNOWN = "not_known"


@dataclass(frozen=True, slots=True)
class Standing:
    """A budget, and the outlook of whom it is of; None: no charge of the window is theirs."""

    budget: Budget
    outlook: Outlook | None

    @property
    def state(self) -> BudgetState:
        """How it stands at the end of the lake's last day."""
        return BudgetState.NOT_KNOWN if self.outlook is None else state_of(self.budget, self.outlook)

    @property
    def over(self) -> bool:
        """Whether it is exceeded, or expected to be."""
        return self.state in (BudgetState.EXCEEDED, BudgetState.WILL_BE_EXCEEDED)


def standings(
    warehouse: Warehouse, budgets: Iterable[Budget], window: Dates, forecasting: Forecasting
) -> list[Standing]:
    """Each budget as it stands, in the configuration's order; raises ConfigError for several currencies."""
    budgets = list(budgets)
    found = {
        (dimension, outlook.subject): outlook
        for dimension in sorted({budget.dimension for budget in budgets})
        for outlook in outlooks(warehouse, dimension, window, Filters(), forecasting, 1)
    }
    return [Standing(budget, found.get((budget.dimension, budget.subject))) for budget in budgets]


def state_of(budget: Budget, outlook: Outlook) -> BudgetState:
    """How a budget stands by its owner's outlook."""
    expected, _, upper = outlook.by_month_end()
    if spent_beyond(budget, outlook) > 0:
        return BudgetState.EXCEEDED
    if expected > budget.monthly:
        return BudgetState.WILL_BE_EXCEEDED
    if upper > budget.monthly:
        return BudgetState.MAY_BE_EXCEEDED
    return BudgetState.KEPT if expected <= budget.monthly else BudgetState.NOT_KNOWN


def spent_beyond(budget: Budget, outlook: Outlook) -> Decimal:
    """What was spent above the budget, to the micro-unit; negative: what is left of it."""
    return outlook.month_cost - money(budget.monthly)


def exceeded_on(budget: Budget, outlook: Outlook) -> date | None:
    """The first day of the month's rest at whose end the budget is expected to be exceeded; None: none, or before."""
    if spent_beyond(budget, outlook) > 0:
        return None
    return next(
        (
            outlook.last_day + timedelta(days=days)
            for days in range(1, outlook.month_days + 1)
            if outlook.in_month(days)[0] > budget.monthly
        ),
        None,
    )


def alert_reached(budget: Budget, outlook: Outlook) -> float | None:
    """The largest share of `alert_at` that was spent; None when none is reached."""
    reached = [share for share in budget.alert_at if outlook.month_cost >= money(budget.monthly * share)]
    return max(reached, default=None)
