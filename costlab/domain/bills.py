"""What a provider's bill says of a charge."""

from enum import StrEnum


class CostKind(StrEnum):
    """Which cost of a bill counts: amortised and after discounts, or as it was invoiced."""

    EFFECTIVE = "effective"
    BILLED = "billed"

    @property
    def column(self) -> str:
        """The column of FOCUS that holds it."""
        return f"{self.value.capitalize()}Cost"
