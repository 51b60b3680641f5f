"""A lower and an upper bound, each open when None and exclusive when strict."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from quality_checks.arguments import Argument, Kwargs, is_flag
from quality_checks.errors import QualityError
from quality_checks.families import Value, is_number

STRICTNESS = (
    Argument(name="strict_min", wants="true or false", accepts=is_flag),
    Argument(name="strict_max", wants="true or false", accepts=is_flag),
)


def bound_arguments(wants: str, accepts: Callable[[Any], bool]) -> tuple[Argument, ...]:
    """Return the four kwargs of a `between` type whose bounds are what `accepts` accepts."""
    limits = (Argument(name=name, wants=wants, accepts=accepts) for name in ("min_value", "max_value"))
    return (*limits, *STRICTNESS)


def is_bound(value: Any) -> bool:
    """Tell whether a JSON value can bound a column: a number, or text (that a date may be read from)."""
    return is_number(value) or isinstance(value, str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What GX's min_value, max_value, strict_min and strict_max say, read as one column's or aggregate's values."""

    low: Value | None
    high: Value | None
    strict_low: bool
    strict_high: bool

    @classmethod
    def of(cls, kwargs: Kwargs, read: Callable[[Any], Value]) -> "Bounds":
        """Read the bounds; raises QualityError when both are open (nothing is said) or the lower is above the upper."""
        low, high = (
            None if (value := kwargs.get(name)) is None else read(value) for name in ("min_value", "max_value")
        )
        if low is None and high is None:
            raise QualityError("'min_value' and 'max_value' are both open, which every row meets — give at least one")
        if low is not None and high is not None and low > high:  # type: ignore[operator]  # `read` gives one family
            raise QualityError(
                f"'min_value' {kwargs['min_value']!r} is above 'max_value' {kwargs['max_value']!r} — swap or widen them"
            )
        return cls(
            low=low, high=high, strict_low=bool(kwargs.get("strict_min")), strict_high=bool(kwargs.get("strict_max"))
        )

    def contain(self, value: Any) -> bool:
        """Tell whether an aggregate lies within; a decimal or a fraction is compared with what a bound says, digit by digit."""
        low, high = (
            _exact(bound) if isinstance(value, Decimal | Fraction) else bound for bound in (self.low, self.high)
        )
        above = low is None or (value > low if self.strict_low else value >= low)
        below = high is None or (value < high if self.strict_high else value <= high)
        return above and below


def _exact(bound: Any) -> Any:
    """0.1 as it is written, and not as the float nearest to it; a fraction, for no decimal context may round it."""
    return Fraction(repr(bound)) if isinstance(bound, float) else bound
