"""GX expectations, evaluated where the data lies. Knows nothing of the mesh; imports neither GX nor pandas.

Names are resolved on first use, so that declaring an `Expectation` loads neither duckdb nor sqlglot.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quality_checks.errors import QualityError
    from quality_checks.evaluation import evaluate
    from quality_checks.expectation import Expectation, primary_key
    from quality_checks.inspection import problems
    from quality_checks.names import check_names
    from quality_checks.registry import known_types
    from quality_checks.result import Result

__all__ = [
    "Expectation",
    "QualityError",
    "Result",
    "check_names",
    "evaluate",
    "known_types",
    "primary_key",
    "problems",
]

# No module may be called like a public name: importing it would set that attribute here and hide the name.
_HOMES = {
    "Expectation": "expectation",
    "QualityError": "errors",
    "Result": "result",
    "check_names": "names",
    "evaluate": "evaluation",
    "known_types": "registry",
    "primary_key": "expectation",
    "problems": "inspection",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
