"""Finding what is wrong with an expectation before any data is touched."""

from collections.abc import Iterator, Mapping

from sqlglot import exp

from quality_checks.arguments import argument_problems
from quality_checks.columns import Columns
from quality_checks.conditions import condition_of
from quality_checks.errors import NotCompiledError, QualityError, nearest
from quality_checks.expectation import SEVERITIES, Expectation
from quality_checks.gx_names import GX_SQL_TYPES, GX_TYPES
from quality_checks.plans import Plan
from quality_checks.registry import TYPES


def problems(expectation: Expectation, columns: Mapping[str, str]) -> list[str]:
    """Return what would keep `expectation` from being evaluated on `columns` (name -> DuckDB type), and what would do.

    Touches no data. Nothing found means that `evaluate` will only fail where the data itself cannot be read or cast, or
    where GX, which decides what does not compile, refuses the arguments (`fallback.gx_problems` asks it).
    """
    known = TYPES.get(expectation.type)
    if known is None and expectation.type not in GX_TYPES:
        return [f"there is no expectation type '{expectation.type}' — {nearest(expectation.type, {*TYPES, *GX_TYPES})}"]
    found = [
        *_severity_problems(expectation),
        *(argument_problems(expectation.kwargs, known.arguments) if known else ()),
    ]
    found += [
        f"there is no column '{name}' — {nearest(name, columns)}" for name in expectation.columns if name not in columns
    ]
    return found or list(_unplanned(expectation, columns))


def falls_back(expectation: Expectation, columns: Mapping[str, str]) -> bool:
    """Tell whether GX itself would decide an expectation that has no problems."""
    try:
        compiled(expectation, columns)
    except NotCompiledError:
        return True
    return False


def compiled(expectation: Expectation, columns: Mapping[str, str]) -> tuple[Plan, exp.Expr | None]:
    """Return how to ask for an expectation whose arguments and columns are right, and of which rows; None for all.

    Raises NotCompiledError for what GX has to decide, QualityError for what nobody can.
    """
    try:
        return plan_of(expectation, columns), condition_of(expectation.kwargs, columns)
    except RecursionError:
        raise QualityError("the arguments are nested too deep — say the same with fewer levels") from None


def plan_of(expectation: Expectation, columns: Mapping[str, str]) -> Plan:
    """Return how to ask, whichever the rows; raises as `compiled` does."""
    if expectation.type not in TYPES:
        raise NotCompiledError(f"'{expectation.type}' does not compile")
    return TYPES[expectation.type].plan(expectation.kwargs, Columns(columns))


def _unplanned(expectation: Expectation, columns: Mapping[str, str]) -> Iterator[str]:
    try:
        compiled(expectation, columns)
    except NotCompiledError as error:
        if expectation.type in GX_SQL_TYPES or expectation.type not in GX_TYPES:
            yield f"{error}, and GX cannot decide it either"
    except QualityError as error:
        yield str(error)


def _severity_problems(expectation: Expectation) -> list[str]:
    if expectation.severity in SEVERITIES:
        return []
    return [f"the severity is {expectation.severity!r} — give {' or '.join(map(repr, SEVERITIES))}"]
