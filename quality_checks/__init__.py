"""GX expectations, evaluated where the data lies. Knows nothing of the mesh; imports GX and pandas for what does not compile.

Names are resolved on first use, so that declaring an `Expectation` loads neither duckdb nor sqlglot.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quality_checks.errors import QualityError
    from quality_checks.evaluation import evaluate, row_reasons
    from quality_checks.expectation import Expectation, primary_key
    from quality_checks.inspection import falls_back, problems
    from quality_checks.names import check_names
    from quality_checks.registry import known_types
    from quality_checks.remote import Remote
    from quality_checks.result import Result

__all__ = [
    "Expectation",
    "QualityError",
    "Remote",
    "Result",
    "check_names",
    "evaluate",
    "falls_back",
    "known_types",
    "primary_key",
    "problems",
    "row_reasons",
]

# No module may be called like a public name: importing it would set that attribute here and hide the name.
_HOMES = {
    "Expectation": "expectation",
    "QualityError": "errors",
    "Remote": "remote",
    "Result": "result",
    "check_names": "names",
    "evaluate": "evaluation",
    "falls_back": "inspection",
    "known_types": "registry",
    "primary_key": "expectation",
    "problems": "inspection",
    "row_reasons": "evaluation",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
