"""What an evaluation found, as counts. Never holds a row's value."""

from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from quality_checks.expectation import Expectation


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The verdict on one expectation. A count is None where GX reports none for that type.

    `element_count` rows were seen, `missing_count` of them were set aside as null or NaN before judging, and
    `unexpected_percent` is the share of `unexpected_count` in the rest (None when nothing was left to judge).
    `observed_value` is the aggregate that a table expectation judged. `engine` says who decided, and
    `error` why nobody could: what happened, and what would do.
    """

    expectation: Expectation
    success: bool
    observed_value: int | float | str | bool | list[Any] | None = None
    element_count: int | None = None
    missing_count: int | None = None
    unexpected_count: int | None = None
    unexpected_percent: float | None = None
    engine: Literal["compiled", "great_expectations"] = "compiled"
    error: str | None = None

    def as_gx(self) -> dict[str, Any]:
        """Return the JSON of GX 1.x's ExpectationValidationResult, without its samples of failing rows."""
        return {
            "success": self.success,
            "expectation_config": {
                "type": self.expectation.type,
                "kwargs": dict(self.expectation.kwargs),
                "meta": dict(self.expectation.meta),
                "severity": self.expectation.severity,
            },
            "result": self._gx_result(),
            "meta": {"engine": self.engine},
            "exception_info": {
                "raised_exception": self.error is not None,
                "exception_message": self.error,
                "exception_traceback": None,
            },
        }

    def _gx_result(self) -> dict[str, Any]:
        if self.element_count is None:
            return {"observed_value": _json(self.observed_value)}
        counts: dict[str, Any] = {
            "element_count": self.element_count,
            "unexpected_count": self.unexpected_count,
            "unexpected_percent": self.unexpected_percent,
        }
        if self.missing_count is not None:
            counts |= {
                "missing_count": self.missing_count,
                "missing_percent": _percent(self.missing_count, self.element_count),
                "unexpected_percent_total": _percent(self.unexpected_count, self.element_count),
                "unexpected_percent_nonmissing": self.unexpected_percent,
            }
        return counts


def _json(value: Any) -> Any:
    """JSON has no infinity."""
    if isinstance(value, list):
        return [_json(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _percent(part: int | None, whole: int) -> float | None:
    return part / whole * 100 if part is not None and whole else None
