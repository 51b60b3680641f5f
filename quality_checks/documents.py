"""The results of one evaluation as the document that GX 1.x writes of a suite. Imports no GX, and holds no value of a row.

The format is that of `ExpectationSuiteValidationResult.to_json_dict()`; GX's own schema loads it.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from quality_checks.result import Result

# The release whose format this is.
GX_VERSION = "1.24.1"


def suite_document(
    results: Sequence[Result], *, name: str, meta: Mapping[str, Any], evaluated_at: datetime
) -> dict[str, Any]:
    """Return JSON values only: what JSON has no word for, like NaN or a date, stands there as text.

    `name` is the suite's, `meta` is kept beside GX's own; `evaluated_at` must know its zone.
    """
    at = evaluated_at.astimezone(UTC).isoformat()
    passed = sum(1 for result in results if result.success)
    document = {
        "success": passed == len(results),
        "results": [result.as_gx() for result in results],
        "suite_name": name,
        "suite_parameters": {},
        "statistics": {
            "evaluated_expectations": len(results),
            "successful_expectations": passed,
            "unsuccessful_expectations": len(results) - passed,
            "success_percent": passed / len(results) * 100 if results else None,
        },
        "meta": {
            "great_expectations_version": GX_VERSION,
            "run_id": {"run_name": None, "run_time": at},
            "validation_time": at,
            **meta,
        },
        "id": None,
    }
    told: dict[str, Any] = _json(document)
    return told


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _json(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_json(each) for each in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return _json(value.item()) if hasattr(value, "item") else str(value)  # numpy's numbers, where GX decided
