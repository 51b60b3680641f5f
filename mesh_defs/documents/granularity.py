"""The mesh's own classification: event, audience, creative, aggregate. What each must carry, what a grain identifies."""

import re
from collections.abc import Sequence
from pathlib import Path

from mesh_defs.documents.complaints import Complaints
from mesh_defs.documents.reading import read_document
from mesh_defs.errors import Finding
from mesh_defs.model.contract import Contract, Granularity, Identifies

_AT = ("customProperties", "granularity")
_PROPERTIES = ("schema", 0, "properties")
# class -> (the key it must carry, in words)
_KEYS: dict[Granularity, tuple[Identifies, str]] = {
    "event": ("event_time", "an event time"),
    "audience": ("person", "a person key"),
    "creative": ("creative_file", "a creative file id"),
}
_TIME = re.compile(r"DATE|TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)?")


def require_key(contract: Contract, wrong: Complaints) -> None:
    """Refuse a product whose class needs a key that none of its required columns carries.

    Says nothing while the class or what the columns identify is itself wrong.
    """
    for index, column in enumerate(contract.columns):
        at = (*_PROPERTIES, index)
        if column.identifies != "event_time" or _TIME.fullmatch(column.type):
            continue
        if not wrong.concern((*at, "logicalType"), (*at, "physicalType")):
            wrong.add(at, f"event time '{column.name}' is {column.type}", "make it a date or a timestamp")
    marks = [(*_PROPERTIES, index, "customProperties") for index in range(len(contract.columns))]
    if contract.granularity not in _KEYS or not marks or wrong.concern(_AT, *marks):
        return
    key, words = _KEYS[contract.granularity]
    if not any(column.required for column in contract.carrying(key)):
        mark = f"`required: true` and `customProperties: [{{property: identifies, value: {key}}}]`"
        what = f"{contract.granularity} product without {words}"
        wrong.add(_AT, what, f"mark the column that holds it with {mark}")


def finest(contract: Contract) -> Granularity:
    """The finest class that the grain still identifies; `aggregate` when it identifies none of the three."""
    carried = {column.identifies for name in contract.grain if (column := contract.column(name))}
    if carried & {"event", "event_time"}:
        return "event"
    if "person" in carried:
        return "audience"
    return "creative" if "creative_file" in carried else "aggregate"


def derived_problems(contract: Contract, inputs: Sequence[str], *, root: Path) -> list[Finding]:
    """What is wrong with the granularity of a product made from `inputs`; nothing for a product at the source."""
    if not inputs:
        return []
    if not contract.grain:
        what = f"missing in a product made from {', '.join(inputs)}"
        fix = "add `{property: grain, value: [columns that tell one row from another]}`"
        return [_finding(contract, "grain", what, fix, root)]
    right = finest(contract)
    if contract.granularity == right:
        return []
    what = f"found {contract.granularity}, but its grain ({', '.join(contract.grain)}) identifies {_words(right)}"
    return [_finding(contract, "granularity", what, f"write {right}, or state another grain", root)]


def _finding(contract: Contract, name: str, what: str, fix: str, root: Path) -> Finding:
    return read_document(root / contract.file, root=root).finding(("customProperties", name), what, fix)


def _words(granularity: Granularity) -> str:
    return {"event": "events", "audience": "persons", "creative": "creative files"}.get(
        granularity, "none of the three"
    )
