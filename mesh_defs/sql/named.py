"""Functions that name something in a text: list_aggregate(x, 'sum') an aggregate, from_json(x, '["INTEGER"]') types.

The text must be written out, so that what it names is judged like what is called by its name.
"""

import json
from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from mesh_defs.sql.functions import REVIEWED
from mesh_defs.sql.types import duckdb_type

_AGGREGATES = frozenset({"aggregate", "array_aggr", "array_aggregate", "list_aggr", "list_aggregate"})
_STRUCTURES = frozenset({"from_json", "from_json_strict", "json_transform", "json_transform_strict"})


def misnamed(function: exp.Anonymous) -> tuple[str, str] | None:
    """What is wrong with the text that a function takes as its second argument, and how to mend it; None: nothing."""
    name = function.this
    if name not in _AGGREGATES | _STRUCTURES:
        return None
    text = function.expressions[1] if len(function.expressions) > 1 else None
    written = text.this if isinstance(text, exp.Literal) and text.is_string else None
    if name in _AGGREGATES:
        known = written is not None and written.lower() in REVIEWED
        return None if known else (f"{name}(…) names no reviewed aggregate", f"write one out: {name}(values, 'sum')")
    known = written is not None and all(each == "NULL" or duckdb_type(each) for each in _types(written))
    return (
        None
        if known
        else (f"{name}(…) names a type that DuckDB does not know", f"write {name}(value, '[\"INTEGER\"]')")
    )


def _types(structure: str) -> Iterator[str]:
    """The types at the leaves of a JSON structure; an empty name for what is none."""
    try:
        pending: list[Any] = [json.loads(structure)]
    except ValueError:
        yield ""
        return
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
        else:
            yield node if isinstance(node, str) else ""
