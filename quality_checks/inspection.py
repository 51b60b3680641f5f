"""Finding what is wrong with an expectation before any data is touched."""

from collections.abc import Mapping

from quality_checks.arguments import argument_problems
from quality_checks.columns import Column
from quality_checks.errors import QualityError, nearest
from quality_checks.expectation import SEVERITIES, Expectation
from quality_checks.plans import Plan
from quality_checks.registry import TYPES


def problems(expectation: Expectation, columns: Mapping[str, str]) -> list[str]:
    """Return what would keep `expectation` from being evaluated on `columns` (name -> DuckDB type), and what would do.

    Touches no data. Nothing found means that `evaluate` will only fail where the data itself cannot be read or cast.
    """
    known = TYPES.get(expectation.type)
    if known is None:
        return [f"there is no expectation type '{expectation.type}' — {nearest(expectation.type, TYPES)}"]
    found = [*_severity_problems(expectation), *argument_problems(expectation.kwargs, known.arguments)]
    found += [
        f"there is no column '{name}' — {nearest(name, columns)}" for name in expectation.columns if name not in columns
    ]
    if found:
        return found
    try:
        plan_of(expectation, columns)
    except QualityError as error:
        return [str(error)]
    return []


def plan_of(expectation: Expectation, columns: Mapping[str, str]) -> Plan:
    """Return how to ask for an expectation of a known type whose arguments and columns are right; else QualityError."""
    named = {name: Column(name=name, type=columns[name]) for name in expectation.columns}
    return TYPES[expectation.type].plan(expectation.kwargs, named)


def _severity_problems(expectation: Expectation) -> list[str]:
    if expectation.severity in SEVERITIES:
        return []
    return [f"the severity is {expectation.severity!r} — give {' or '.join(map(repr, SEVERITIES))}"]
