"""The second opinion on a rewritten query: what the engine itself makes of the text, compared with what was approved.

Two parsers must agree, and the engine's plan must read every product through the very subquery that the rewriter made
for it. Whatever is not known here is a denial. Pure: the engine's trees come as JSON text (DuckDB 1.5.5).
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from mesh_defs.errors import QueryRejectedError
from mesh_defs.model.query import GovernedSQL
from mesh_defs.sql.functions import REVIEWED, SYNTAX, TABLE

_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_RELATIONS = frozenset(
    {"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY", "PIVOT", "COLUMN_DATA", "SHOW_REF"}
)
_EXPRESSIONS = frozenset(
    {"BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION", "LAMBDA"}
    | {"OPERATOR", "PARAMETER", "POSITIONAL_REFERENCE", "STAR", "SUBQUERY", "WINDOW", "TYPE"}
)
_MODIFIERS = frozenset({"ORDER_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "DISTINCT_MODIFIER"})
_TYPES = frozenset(f"{kind}_TYPE_INFO" for kind in ["ARRAY", "DECIMAL", "ENUM", "LIST", "STRING", "STRUCT", "UNBOUND"])
_ORDERS = frozenset({"ORDER_DEFAULT", "ASCENDING", "DESCENDING"})
_NAMED = _NODES | _RELATIONS | _MODIFIERS | _TYPES | _ORDERS
_FUNCTIONS = REVIEWED | SYNTAX | TABLE
# What reads rows in a plan: everything else computes on what its children read.
_SCAN = "LOGICAL_GET"
# Differ between two places of one subquery, and mean nothing.
_NUMBERING = re.compile(r'"(table_index|query_location)":\d+')


def verify_text(parsed: str, governed: GovernedSQL) -> None:
    """Raise QueryRejectedError unless the engine's parser reads one statement of reviewed parts, which names the pins'
    relations, WITH names and reviewed functions, and nothing else. `parsed` is what `json_serialize_sql` gave."""
    nodes: list[dict[str, Any]] = []

    def kept(node: dict[str, Any]) -> dict[str, Any]:
        nodes.append(node)
        return node

    tree = json.loads(parsed, object_hook=kept)
    if tree.get("error") or len(tree.get("statements", ())) != 1:
        raise _disagreement("the engine does not read it as one statement")
    relations = {pin.relation for pin in governed.pins}
    named: Counter[str] = Counter()
    withs = {entry["key"] for node in nodes if "cte_map" in node for entry in node["cte_map"]["map"]}
    if withs & relations:
        raise _disagreement("a WITH is called like a product's relation")
    for node in nodes:
        _verify_node(node)
        _verify_rows_from(node)
        if node.get("type") == "BASE_TABLE":
            name = node["table_name"]
            if node["catalog_name"] or node["schema_name"] or not (name in relations or name in withs):
                raise _disagreement("the engine finds a relation that was not approved")
            named[name] += 1
    if {name for name in named if name in relations} != relations:
        raise _disagreement("the engine reads other products than were approved")


def verify_plan(plan: str, guards: Mapping[str, str]) -> None:
    """Raise QueryRejectedError unless every scan in the plan lies within a subplan that is exactly one of the guards'.

    `plan` and `guards` (by product) are what `json_serialize_plan` gave for the text and for each guard alone, neither
    optimised: filters, masks, columns and the scanned files are compared, whatever stands around them.
    """
    wanted = [_guard(text) for text in guards.values()]
    pending: list[Any] = [_plan_of(plan)]
    found: set[int] = set()
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending.extend(node)
        elif isinstance(node, dict):
            guard = next((index for index, each in enumerate(wanted) if _is(node, *each)), None)
            if guard is not None:
                found.add(guard)
                continue
            if node.get("type") == _SCAN and node.get("name") not in TABLE:
                raise _disagreement("a scan does not pass the rules of its product")
            pending.extend(value for value in node.values() if isinstance(value, dict | list))
    if len(found) != len(wanted):
        raise _disagreement("a product is read otherwise than was approved")


def _verify_node(node: Mapping[str, Any]) -> None:
    kind, group = node.get("type"), node.get("class")
    if isinstance(kind, str):
        known = kind in _NAMED if group is None else group in _EXPRESSIONS
        if not known:
            raise _disagreement(f"the engine finds a {kind}")
    if group in ("FUNCTION", "WINDOW"):
        name = str(node.get("function_name", "")).lower()
        if node.get("catalog") or node.get("schema") not in ("", "main", None) or name not in _FUNCTIONS:
            raise _disagreement("the engine finds a function that is not reviewed")


def _verify_rows_from(node: Mapping[str, Any]) -> None:
    """Where rows come from, fewer functions are reviewed than elsewhere, and SHOW knows more than SUMMARIZE."""
    if node.get("type") == "TABLE_FUNCTION" and node["function"].get("function_name", "").lower() not in TABLE:
        raise _disagreement("the engine reads rows of a function that is not reviewed")
    if node.get("type") == "SHOW_REF" and (node.get("show_type") != "SUMMARY" or not node.get("query")):
        raise _disagreement("the engine shows something other than a summary")


@lru_cache(maxsize=256)
def _guard(text: str) -> tuple[Any, str]:
    """The plan and its own text: the same few guards stand in many questions, and nobody changes what comes of them."""
    plan = _plan_of(text)
    return plan, json.dumps(plan)


def _plan_of(text: str) -> Any:
    told = json.loads(_NUMBERING.sub(r'"\1":0', text))
    if told.get("error") or len(told.get("plans", ())) != 1:
        raise _disagreement("the engine does not plan it as one statement")
    return told["plans"][0]


def _is(node: Mapping[str, Any], guard: Mapping[str, Any], text: str) -> bool:
    return _alike(node, guard) and (json.dumps(node) == text or _reads(node, guard))


def _alike(node: Mapping[str, Any], guard: Mapping[str, Any]) -> bool:
    """Tell quickly what cannot be the guard: a projection of other names."""
    if node.get("type") != guard["type"]:
        return False
    names, wanted = node["expressions"], guard["expressions"]
    return len(names) >= len(wanted) and names[: len(wanted)][-1]["alias"] == wanted[-1]["alias"]


def _reads(node: Mapping[str, Any], guard: Mapping[str, Any]) -> bool:
    """Whether a part of the plan is the guard, or the guard beside which a correlated query's columns are handed through.

    To decorrelate a subquery the planner crosses what it reads with the outer query's columns, and lets projections
    above carry them on: those may follow the guard's own columns, and nothing else may differ.
    """
    while True:
        if _is_crossed(node):
            return _same(node["children"][0], guard)
        if node.get("type") != guard.get("type") or node.get("type") not in ("LOGICAL_PROJECTION", "LOGICAL_FILTER"):
            return _same(node, guard)
        own = len(guard["expressions"])
        expressions, handed = node["expressions"][:own], node["expressions"][own:]
        beside = {**node, "children": [], "expressions": expressions}
        if not _same(beside, {**guard, "children": []}):
            return False
        (below,) = guard["children"]
        if handed and (node["type"] == "LOGICAL_FILTER" or not all(_is_handed(each, _width(below)) for each in handed)):
            return False
        node, guard = node["children"][0], below


def _is_crossed(node: Mapping[str, Any]) -> bool:
    if node.get("type") != "LOGICAL_CROSS_PRODUCT" or len(node["children"]) != 2:
        return False
    return bool(node["children"][1].get("type") == "LOGICAL_DELIM_GET")


def _is_handed(expression: Mapping[str, Any], width: int) -> bool:
    """A plain reference to a column that the guard does not have."""
    return expression.get("expression_class") == "BOUND_REF" and expression["index"] >= width


def _width(node: Mapping[str, Any]) -> int:
    """How many columns a part of a guard gives."""
    while node["type"] == "LOGICAL_FILTER":
        (node,) = node["children"]
    return len(node["expressions"] if node["type"] == "LOGICAL_PROJECTION" else node["column_indexes"])


def _same(one: Any, other: Any) -> bool:
    """Compare as JSON's text, which tells 1 from true and from 1.0. The engine writes a part's keys in one order."""
    return json.dumps(one) == json.dumps(other)


def _disagreement(what: str) -> QueryRejectedError:
    return QueryRejectedError(f"the query cannot be verified: {what}", fix="say it in a simpler form")
