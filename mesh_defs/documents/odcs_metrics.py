"""ODCS's own library of quality metrics, said in GX's words: rowCount, nullValues, missingValues, invalidValues, duplicateValues.

A metric counts what must not be there and compares the count; GX asks which share must be right. What one can say and the
other cannot is refused with the nearest thing that can be said. https://bitol-io.github.io/open-data-contract-standard/latest/data-quality
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from open_data_contract_standard.model import DataQuality

from mesh_defs.documents.complaints import Complaints
from mesh_defs.documents.reading import Field
from mesh_defs.errors import nearest

_CUSTOM = "write `type: custom, engine: greatExpectations` with GX's own JSON as `implementation`"
# ODCS's operators; the last two have no counterpart in GX.
_OPERATORS = (
    *("mustBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeLessThan", "mustBeLessOrEqualTo"),
    *("mustBeBetween", "mustNotBe", "mustNotBeBetween"),
)
_UNITS = (None, "rows", "percent")
Rule = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Metric:
    """One library rule, where it stands, and where complaints about it go."""

    rule: DataQuality
    at: Field
    column: str | None
    wrong: Complaints

    def refuse(self, field: str, what: str, fix: str) -> None:
        self.wrong.add((*self.at, field), what, fix)

    @property
    def arguments(self) -> Mapping[str, Any]:
        return self.rule.arguments or {}

    @property
    def operators(self) -> dict[str, Any]:
        return {name: value for name in _OPERATORS if (value := getattr(self.rule, name)) is not None}

    def mostly(self) -> dict[str, float] | None:
        """`mostly`, where the metric allows a share of the rows to be wrong; None when it was refused."""
        given: list[tuple[str, Any]] = [*self.operators.items()] or [("mustBe", None)]
        (operator, limit), *more = given
        if more or operator not in ("mustBe", "mustBeLessThan", "mustBeLessOrEqualTo") or not _is_number(limit):
            self.refuse(
                operator, "cannot be compared so", "write one of mustBe: 0, mustBeLessOrEqualTo, mustBeLessThan"
            )
            return None
        strict = operator == "mustBeLessThan"
        if limit == (1 if strict and self.rule.unit != "percent" else 0) and not (strict and limit == 0):
            return {}
        if self.rule.unit != "percent" or operator == "mustBe" or not 0 < limit <= 100:
            self.refuse(
                operator, f"found {limit}", "write mustBe: 0, or a share: `unit: percent` with mustBeLessOrEqualTo"
            )
            return None
        share = 1 - limit / 100
        return {"mostly": math.nextafter(share, 2) if strict else share}  # GX's `mostly` is met by an equal share


def metric_rules(rule: DataQuality, at: Field, column: str | None, wrong: Complaints) -> list[Rule]:
    """Return the expectations, as (type, kwargs), that say what a library rule says; none, with complaints, when GX cannot."""
    metric = _Metric(rule=rule, at=at, column=column, wrong=wrong)
    name = rule.metric or rule.rule or ""
    if name not in _METRICS:
        found = repr(name) if name else "no metric"
        metric.refuse("metric" if name else "type", f"found {found}", f"{nearest(name, _METRICS)} Or {_CUSTOM}")
        return []
    if rule.unit not in _UNITS:
        metric.refuse("unit", f"found {rule.unit!r}", "write rows or percent")
        return []
    if name != "rowCount" and column is None and name != "duplicateValues":
        metric.refuse("metric", f"{name} is about a column", "write the rule in that column's `quality`")
        return []
    return list(_METRICS[name](metric))


def _row_count(metric: _Metric) -> Iterator[Rule]:
    bounds: dict[str, Any] = {}
    for operator, limit in metric.operators.items():
        if operator not in _BOUNDS or not (limit if operator == "mustBeBetween" else _is_number(limit)):
            metric.refuse(operator, f"found {limit!r}", f"write a number for one of {', '.join(_BOUNDS)}")
            return
        bounds |= _BOUNDS[operator](limit)
    if not bounds:
        metric.refuse("metric", "compared with nothing", f"write one of {', '.join(_BOUNDS)}")
        return
    yield "expect_table_row_count_to_be_between", bounds


def _nulls(metric: _Metric) -> Iterator[Rule]:
    if (mostly := metric.mostly()) is not None:
        yield "expect_column_values_to_not_be_null", {"column": metric.column, **mostly}


def _missing(metric: _Metric) -> Iterator[Rule]:
    """Null, and the values that stand for nothing."""
    values = metric.arguments.get("missingValues")
    if not isinstance(values, list) or not values:
        metric.refuse(
            "arguments", "no missingValues", "list what stands for nothing: `arguments: {missingValues: [null, '']}`"
        )
        return
    mostly = metric.mostly()
    written = [value for value in values if value is not None]
    if mostly and len(written) < len(values) and written:
        metric.refuse("arguments", "a share of null and of other values together", "write one rule for each")
    elif mostly is not None:
        if len(written) < len(values):
            yield "expect_column_values_to_not_be_null", {"column": metric.column, **mostly}
        if written:
            yield "expect_column_values_to_not_be_in_set", {"column": metric.column, "value_set": written, **mostly}


def _invalid(metric: _Metric) -> Iterator[Rule]:
    """Values outside a list, or unlike a pattern; null is not judged."""
    known, pattern = metric.arguments.get("validValues"), metric.arguments.get("pattern")
    if (known is None) == (pattern is None):
        metric.refuse(
            "arguments", "neither validValues nor pattern alone", "write `arguments: {validValues: […]}`, or a pattern"
        )
        return
    if (mostly := metric.mostly()) is None:
        return
    if known is not None:
        yield "expect_column_values_to_be_in_set", {"column": metric.column, "value_set": known, **mostly}
    else:
        yield "expect_column_values_to_match_regex", {"column": metric.column, "regex": pattern, **mostly}


def _duplicates(metric: _Metric) -> Iterator[Rule]:
    named = metric.arguments.get("properties")
    if metric.mostly() != {}:
        if metric.operators:
            metric.refuse("metric", "some duplicates are allowed", "write mustBe: 0, or an expectation with mostly")
        return
    if metric.column is not None:
        yield "expect_column_values_to_be_unique", {"column": metric.column}
    elif isinstance(named, list) and len(named) > 1:
        yield "expect_compound_columns_to_be_unique", {"column_list": named}
    else:
        metric.refuse("arguments", "no properties", "name two or more columns: `arguments: {properties: [a, b]}`")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_METRICS: Mapping[str, Callable[[_Metric], Iterator[Rule]]] = {
    "rowCount": _row_count,
    "nullValues": _nulls,
    "missingValues": _missing,
    "invalidValues": _invalid,
    "duplicateValues": _duplicates,
}
_BOUNDS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "mustBe": lambda n: {"min_value": n, "max_value": n},
    "mustBeGreaterThan": lambda n: {"min_value": n, "strict_min": True},
    "mustBeGreaterOrEqualTo": lambda n: {"min_value": n},
    "mustBeLessThan": lambda n: {"max_value": n, "strict_max": True},
    "mustBeLessOrEqualTo": lambda n: {"max_value": n},
    "mustBeBetween": lambda pair: {"min_value": pair[0], "max_value": pair[-1]},
}
