"""What a failure in a worker may say: a reason of our own words and a mend. Never a value, never a name that was not asked.

DuckDB's messages quote the values that they stumble over, and list names nearby: of hidden columns, of what runs beneath.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mesh_defs.errors import (
    EngineError,
    MeshError,
    QueryRejectedError,
    StorageError,
    StorageUnreachableError,
    UnreachableError,
)
from mesh_defs.model.query import GovernedSQL

_ATTACHING: Mapping[str, type[MeshError]] = {
    each.code: each for each in (StorageError, StorageUnreachableError, UnreachableError, EngineError)
}
# DuckDB looks whether it may open a file, and whether it is there, at once: a part that is gone is "not permitted".
_FAILURES: Mapping[str, tuple[str, str]] = {
    "OutOfMemoryException": ("out of memory", "aggregate or narrow more, or raise query.memory_bytes_max"),
    "IOException": (
        "a product's storage failed while it was read",
        "ask again to read the newest version; if that fails too, re-materialize the product",
    ),
}
_ALIKE = {
    "MemoryError": "OutOfMemoryException",
    "ArrowMemoryError": "OutOfMemoryException",
    "PermissionException": "IOException",
}
_MEND = "a value did not fit a cast or a function: use TRY_CAST, or filter such rows out"
_WORD = re.compile(r"\w+")
# A quoted name, one that the line's end cuts off, or a piece of plain text, in which an apostrophe may stand.
_SPAN = re.compile(r"\"(?:[^\"]|\"\")*(?:\"|$)|(?<![a-zA-Z])'(?:[^']|'')*(?:'|$)|(?:[^\s\"']|(?<=[a-zA-Z])')+")
_PHYSICAL = re.compile(r"(pin|governed|part|external|postgres|s3)_\w+|__token_\w+")
# Types are nobody's names.
_TYPES = frozenset(
    {"any", "array", "bigint", "bignum", "bit", "blob", "boolean", "date", "decimal", "double", "enum", "float"}
    | {"hugeint", "integer", "integer_literal", "interval", "json", "list", "map", "null", "smallint", "string_literal"}
    | {"struct", "time", "time_ns", "timestamp", "timestamptz", "tinyint", "ubigint", "uhugeint", "uinteger", "union"}
    | {"usmallint", "utinyint", "uuid", "varchar", "variant", "with", "zone"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a message may repeat: the words of the asker's own text; and what it may not: the names beneath. Lower case."""

    asked: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()


def failure(told: Mapping[str, Any], names: Names) -> MeshError:
    """Return what the asker is told of a worker's failure."""
    if mesh := told.get("mesh"):
        return _ATTACHING.get(mesh["code"], EngineError)(mesh["what"], where=mesh["where"], fix=mesh["fix"])
    kind = str(told.get("kind"))
    if binding := told.get("binding"):
        return QueryRejectedError(_named(binding, names), fix="`mesh show PRODUCT` lists its columns")
    if kind == "HTTPException":
        what = f"a product's storage did not answer as it should (HTTP {told.get('status') or '?'})"
        return EngineError(what, fix="ask again; if it stays so, tell the product's owner")
    what, fix = _FAILURES.get(_ALIKE.get(kind, kind), ("the engine failed", _MEND))
    return EngineError(what, fix=fix)


def late(seconds: float) -> EngineError:
    """The deadline came first."""
    return EngineError(f"stopped after {seconds:g} s", fix="narrow the query, or raise query.seconds_max")


def gone() -> EngineError:
    """The worker died: by the kernel's hand when memory ran out, by somebody's, or by a fault of DuckDB's."""
    fix = "ask again; if it stays so, aggregate or narrow more: it may need more memory than it may have"
    return EngineError("the process that ran the query ended before its answer", fix=fix)


def cancelled() -> EngineError:
    """Whoever asked does not want the answer any more."""
    return EngineError("cancelled", fix="ask again")


def names_of(governed: GovernedSQL) -> Names:
    """Return the asker's own words of a governed text: what is left without the guards, which were put in for them.

    None at all when a guard is not found as it is: better no name in a message than a wrong one.
    """
    hidden = {name.casefold() for pin in governed.pins for name in (pin.relation, *pin.columns, *pin.tokens.values())}
    text = governed.text
    for guard in sorted(governed.guards.values(), key=len, reverse=True):
        if guard not in text:
            return Names(hidden=frozenset(hidden))
        text = text.replace(guard, " ")
    asked = frozenset(word.casefold() for word in _WORD.findall(text))
    return Names(asked=asked, hidden=frozenset(hidden) - asked)


def _named(message: str, names: Names) -> str:
    """Repeat DuckDB's sentence with every name left out that the asker did not write."""
    sentence = message.partition(" Error: ")[2].strip() or message.strip()
    return _SPAN.sub(lambda span: span[0] if _may_be_told(span[0], names) else "…", sentence)


def _may_be_told(span: str, names: Names) -> bool:
    found = {word.casefold() for word in _WORD.findall(span)}
    if span[0] in "\"'":
        return found <= names.asked | _TYPES
    return not any(word in names.hidden or _PHYSICAL.fullmatch(word) for word in found - names.asked)
