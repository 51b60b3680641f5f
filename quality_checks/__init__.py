"""GX expectations, evaluated where the data lies. Knows nothing of the mesh; imports GX and pandas for what does not compile.

Names are resolved on first use, so that declaring an `Expectation` loads neither duckdb nor sqlglot.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quality_checks.errors import QualityError
    from quality_checks.evaluation import evaluate, row_reasons
    from quality_checks.expectation import Expectation, primary_key
    from quality_checks.fallback import gx_problems
    from quality_checks.inspection import falls_back, problems
    from quality_checks.names import check_names
    from quality_checks.registry import known_types
    from quality_checks.remote import Remote
    from quality_checks.result import Result
    from quality_checks.state import TableState, merged
    from quality_checks.state_documents import read_state, state_document
    from quality_checks.state_scan import state_of
    from quality_checks.state_verdicts import verdicts

__all__ = [
    "Expectation",
    "QualityError",
    "Remote",
    "Result",
    "TableState",
    "check_names",
    "evaluate",
    "falls_back",
    "gx_problems",
    "known_types",
    "merged",
    "primary_key",
    "problems",
    "read_state",
    "row_reasons",
    "state_document",
    "state_of",
    "verdicts",
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
    "gx_problems": "fallback",
    "known_types": "registry",
    "primary_key": "expectation",
    "problems": "inspection",
    "row_reasons": "evaluation",
    "TableState": "state",
    "merged": "state",
    "read_state": "state_documents",
    "state_document": "state_documents",
    "state_of": "state_scan",
    "verdicts": "state_verdicts",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
