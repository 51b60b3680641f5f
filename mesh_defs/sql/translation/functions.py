"""The functions that a question may call on Trino, from the list beside this module (`functions.toml`)."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlglot import exp

from mesh_defs.errors import QueryRejectedError
from mesh_defs.sql.place import snippet
from mesh_defs.sql.translation.values import ASK_DUCKDB, UNKNOWN, Value, call, refused

_GROUPS: dict[str, list[dict[str, Any]]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def _names(kind: str) -> frozenset[str]:
    return frozenset(name for group in _GROUPS[kind] for name in group["names"].split())


OWN, AGGREGATES, WINDOWS = _names("own"), _names("aggregate"), _names("window")


@dataclass(frozen=True, slots=True, kw_only=True)
class Same:
    """A function that both engines have, for arguments of these families."""

    name: str
    takes: tuple[str, ...]
    gives: str
    trino: str


SAME = tuple(
    Same(name=each["name"], takes=tuple(each["takes"]), gives=each["gives"], trino=each.get("as", each["name"]))
    for group in _GROUPS["same"]
    for each in group["calls"]
)


def same(name: str, arguments: Sequence[Value], node: exp.Expr) -> Value:
    """Return the call of a function that both have. QueryRejectedError for arguments that it was not tried with."""
    known = [each for each in SAME if each.name == name]
    if not known:
        raise unknown(name, node)
    given = [each.family for each in arguments]
    for each in known:
        if len(given) == len(each.takes) and all(
            got in (want, UNKNOWN) for got, want in zip(given, each.takes, strict=True)
        ):
            gives = arguments[0].type if each.gives == "first" else each.gives
            return Value(tree=call(each.trino, *(argument.tree for argument in arguments)), type=gives)
    taken = " or ".join(f"({', '.join(each.takes)})" for each in known)
    raise refused(
        node, f"{name} takes {taken}, not ({', '.join(each.type for each in arguments)})", "CAST the argument"
    )


def unknown(name: str, node: exp.Expr) -> QueryRejectedError:
    """Return the refusal of a function that is not on the list, with the reason where one is known."""
    for group in _GROUPS["refused"]:
        if name in group["names"].split():
            return refused(node, f"{snippet(name)} is refused: {group['why']}", group["mend"])
    return refused(node, f"{snippet(name)} was not tried to mean the same", ASK_DUCKDB)
