"""What one evaluation found, read back from its document, to be compared with others. Pure; where they lie is not known here."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from quality_checks.dimensions import Dimension, dimension_of
from quality_checks.errors import QualityError
from quality_checks.expectation import Expectation
from quality_checks.names import check_names

# The mean of fewer values would tell of single rows, and the mean of one is a value.
MEAN_VALUES_MIN = 10
_FIGURES = ("null_share", "mean", "distinct")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFigures:
    """What drifts of a column: the share of nulls (0 to 1), the mean of numbers, about how many values differ."""

    null_share: float | None = None
    mean: float | None = None
    distinct: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One check's verdict, with what `Result` says of it."""

    name: str
    expectation: Expectation
    dimension: Dimension
    success: bool
    observed_value: Any = None
    unexpected_count: int | None = None
    unexpected_percent: float | None = None
    engine: str = "compiled"
    error: str | None = None

    @property
    def measure(self) -> float | None:
        """The number that its history is drawn from: the share of unexpected rows (percent), else what was observed."""
        return number(self.unexpected_percent if self.unexpected_percent is not None else self.observed_value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """All checks of one version, or of one partition of it, at one moment (in UTC).

    `published`: readers were given it. `rows` are those that were evaluated.
    """

    at: datetime
    version: str
    published: bool
    partition: str | None = None
    rows: int | None = None
    checks: tuple[Outcome, ...] = ()
    columns: Mapping[str, ColumnFigures] = field(default_factory=dict)

    @property
    def passed(self) -> int:
        """How many checks passed."""
        return sum(1 for check in self.checks if check.success)

    @property
    def partition_day(self) -> date | None:
        """The day that a daily partition holds."""
        try:
            return date.fromisoformat(self.partition) if self.partition and len(self.partition) == 10 else None
        except ValueError:
            return None

    @property
    def day(self) -> date:
        """The day that the data is of: a daily partition's own, else that of the evaluation, in UTC."""
        return self.partition_day or self.at.astimezone(UTC).date()


def about(
    *,
    version: str,
    partition: str | None,
    published: bool,
    rows: int | None,
    figures: Mapping[str, Mapping[str, float]],
) -> dict[str, Any]:
    """Return what a document's `meta` must hold for `evaluation_of`; `figures` as `figures_of` gives them."""
    counted = number(figures.get("", {}).get("row_count"))
    evaluated = int(counted) if rows is None and counted is not None else rows
    kept = {column: _figures(told, evaluated) for column, told in figures.items() if column}
    return {"version": version, "partition": partition, "published": published, "rows": evaluated, "figures": kept}


def _figures(told: Mapping[str, float], rows: int | None) -> dict[str, float]:
    found = {name: value for name in _FIGURES if (value := number(told.get(name))) is not None}
    if rows is None or rows * (1 - found.get("null_share", 0.0)) < MEAN_VALUES_MIN:
        found.pop("mean", None)
    return found


def evaluation_of(document: Any) -> Evaluation:
    """Read a document that `suite_document` wrote with the meta of `about`. QualityError when it is none."""
    try:
        meta = document["meta"]
        at = datetime.fromisoformat(meta["validation_time"])
        if at.tzinfo is None:
            raise ValueError("no zone")
        return Evaluation(
            at=at.astimezone(UTC),
            version=str(meta["version"]),
            published=bool(meta["published"]),
            partition=None if meta["partition"] is None else str(meta["partition"]),
            rows=None if meta["rows"] is None else int(meta["rows"]),
            checks=_outcomes(document["results"]),
            columns={
                str(column): ColumnFigures(**{str(name): number(value) for name, value in told.items()})
                for column, told in meta["figures"].items()
            },
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise QualityError(f"this is no document of an evaluation ({type(error).__name__})") from None


def number(value: Any) -> float | None:
    """Return what can be compared and drawn: a finite number, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an integer beyond any float
        return None


def _outcomes(results: list[dict[str, Any]]) -> tuple[Outcome, ...]:
    expectations = [_expectation(result["expectation_config"]) for result in results]
    named = zip(check_names(expectations), expectations, results, strict=True)
    return tuple(_outcome(name, expectation, result) for name, expectation, result in named)


def _expectation(config: Mapping[str, Any]) -> Expectation:
    return Expectation(
        type=str(config["type"]),
        kwargs=dict(config["kwargs"]),
        severity="warning" if config.get("severity") in ("warning", "info") else "critical",
        meta=dict(config.get("meta") or {}),
    )


def _outcome(name: str, expectation: Expectation, result: Mapping[str, Any]) -> Outcome:
    found = result.get("result") or {}
    error = (result.get("exception_info") or {}).get("exception_message")
    return Outcome(
        name=name,
        expectation=expectation,
        dimension=dimension_of(expectation),
        success=result["success"] is True,
        observed_value=found.get("observed_value"),
        unexpected_count=None if (counted := number(found.get("unexpected_count"))) is None else int(counted),
        unexpected_percent=number(found.get("unexpected_percent")),
        engine=str((result.get("meta") or {}).get("engine", "compiled")),
        error=None if error is None else str(error),
    )
