"""Expressions: each reviewed node of DuckDB's SQL as Trino's, or a refusal by name. What is not in the table is refused."""

import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

from sqlglot import exp

from mesh_defs.sql.tokens import DIALECT
from mesh_defs.sql.translation import calls, cases, folds
from mesh_defs.sql.translation.functions import AGGREGATES, OWN, WINDOWS, same
from mesh_defs.sql.translation.nested import element
from mesh_defs.sql.translation.numbers import ARITHMETIC, COMPARISONS, arithmetic, compared
from mesh_defs.sql.translation.parsed import from_double, from_text
from mesh_defs.sql.translation.scope import Output, Scope, field_of
from mesh_defs.sql.translation.values import (
    UNKNOWN,
    Value,
    call,
    cast,
    common,
    family,
    literal,
    met,
    numeral,
    refused,
    require_plain,
    unified,
    whole,
)
from mesh_defs.sql.types import duckdb_type

# A query within an expression, given the names around it: Trino's tree, and its columns.
Subquery = Callable[[exp.Expr, Scope], tuple[exp.Query, list[Output]]]

_CASTS = {
    "whole": {"decimal", "DOUBLE", "VARCHAR"},
    "decimal": {"whole", "DOUBLE", "VARCHAR"},
    "BOOLEAN": {"whole", "VARCHAR"},
    "DATE": {"TIMESTAMP"},
    "TIMESTAMP": {"DATE"},
    "UUID": {"VARCHAR"},
    "FLOAT": {"DOUBLE"},
}
_NUMBER = re.compile(r"(\d+)(?:\.(\d*))?|\.(\d+)")
_FLOAT = re.compile(r"(\d+\.?\d*|\.\d+)[eE][+-]?\d+")
_FLOATS = ("DOUBLE", "FLOAT")


class Expressions:
    """Translates within a scope; `subquery` translates the queries that expressions hold."""

    def __init__(self, subquery: Subquery) -> None:
        self._subquery = subquery

    def value(self, node: exp.Expr, scope: Scope) -> Value:
        """Return the expression's value. QueryRejectedError names what has no equal in Trino."""
        translate = _NODES.get(type(node))
        if translate is None:
            raise refused(
                node, f"{type(node).__name__.upper()} was not tried to mean the same", "say it in a simpler form"
            )
        return translate(self, node, scope)

    def condition(self, node: exp.Expr, scope: Scope) -> exp.Expr:
        """Return a BOOLEAN's tree."""
        value = self.value(node, scope)
        if value.type not in ("BOOLEAN", UNKNOWN):
            raise refused(node, f"{value.type} is no condition", "compare it with something")
        return value.tree

    def ordered(self, node: exp.Expr, value: Value) -> list[exp.Ordered]:
        """Return one item of ORDER BY over what it orders by, NULLs where DuckDB has them.

        Two of a DOUBLE with NULLS FIRST, which would take NaN, the greatest of all, to the front with them.
        """
        require_plain(value, node)
        first, nulls_first = list[exp.Ordered](), bool(node.args.get("nulls_first"))
        if nulls_first and value.type in _FLOATS:
            known = exp.Is(this=value.tree.copy(), expression=exp.Not(this=exp.Null()))
            first, nulls_first = [exp.Ordered(this=exp.Paren(this=known), nulls_first=False)], False
        return [*first, exp.Ordered(this=value.tree, desc=bool(node.args.get("desc")), nulls_first=nulls_first)]

    def order(self, order: exp.Expr, scope: Scope) -> exp.Order:
        """Return ORDER BY within a window."""
        items = [item for each in order.expressions for item in self.ordered(each, self.value(each.this, scope))]
        return exp.Order(expressions=items)

    def _paren(self, node: exp.Expr, scope: Scope) -> Value:
        value = self.value(node.this, scope)
        return Value(tree=exp.Paren(this=value.tree), type=value.type, text=value.text, number=value.number)

    def _column(self, node: exp.Column, scope: Scope) -> Value:
        return scope.resolve(node)

    def _literal(self, node: exp.Literal, scope: Scope) -> Value:
        if node.is_string:
            return Value(tree=exp.Literal.string(node.name), type="VARCHAR", text=node.name)
        digits = node.name.replace("_", "")
        if _FLOAT.fullmatch(digits) and isfinite(float(digits)):
            written = repr(float(digits))
            return Value(
                tree=exp.Literal.number(written if "e" in written else f"{written}e0"), type="DOUBLE", number=digits
            )
        found = _NUMBER.fullmatch(digits)
        before, after = (found[1] or "", found[2] or found[3] or "") if found else ("", "")
        if not found or len(before + after) > 38:
            raise refused(node, f"the number {node.name} is not read alike", "write it with digits, 38 at most")
        if "." not in digits:
            return _integer(digits)
        number = f"{before or '0'}.{after or '0'}"
        tree = exp.Literal.number(number)
        width = max(len(before + after), 1)
        return cast(Value(tree=tree, type="", number=number), f"DECIMAL({width},{len(after)})")

    def _null(self, node: exp.Expr, scope: Scope) -> Value:
        return Value(tree=exp.Null(), type=UNKNOWN)

    def _boolean(self, node: exp.Expr, scope: Scope) -> Value:
        return Value(tree=exp.Boolean(this=node.this), type="BOOLEAN")

    def _neg(self, node: exp.Expr, scope: Scope) -> Value:
        value = self.value(node.this, scope)
        if value.family not in ("whole", "decimal", "DOUBLE"):
            raise refused(node, f"there is no - before {value.type}")
        number = f"-{value.number}" if value.number else None
        return Value(tree=exp.Paren(this=exp.Neg(this=value.tree)), type=value.type, number=number)

    def _logic(self, node: exp.Expr, scope: Scope) -> Value:
        one, other = self.condition(node.this, scope), self.condition(node.args["expression"], scope)
        return Value(tree=exp.Paren(this=type(node)(this=one, expression=other)), type="BOOLEAN")

    def _not(self, node: exp.Expr, scope: Scope) -> Value:
        return _truth(exp.Not(this=exp.Paren(this=self.condition(node.this, scope))))

    def _compare(self, node: exp.Binary, scope: Scope) -> Value:
        return _truth(compared(node, self.value(node.this, scope), self.value(node.expression, scope)))

    def _is(self, node: exp.Expr, scope: Scope) -> Value:
        wanted = node.args["expression"]
        negated = isinstance(wanted, exp.Not)
        wanted = wanted.this if negated else wanted
        if isinstance(wanted, exp.Null):
            nothing: exp.Expr = exp.Not(this=exp.Null()) if negated else exp.Null()
            return _truth(exp.Is(this=self.value(node.this, scope).tree, expression=nothing))
        kind = exp.NullSafeNEQ if negated else exp.NullSafeEQ
        return _truth(kind(this=self.condition(node.this, scope), expression=exp.Boolean(this=wanted.this)))

    def _distinct_from(self, node: exp.Binary, scope: Scope) -> Value:
        one, other = met(self.value(node.this, scope), self.value(node.expression, scope), node)
        if {one.type, other.type} & {*_FLOATS}:
            raise refused(node, "IS DISTINCT FROM between DOUBLEs was not tried", "compare with = and IS NULL")
        return _truth(type(node)(this=one.tree, expression=other.tree))

    def _between(self, node: exp.Expr, scope: Scope) -> Value:
        value = self.value(node.this, scope)
        low, high = self.value(node.args["low"], scope), self.value(node.args["high"], scope)
        above = compared(exp.GTE(), value, low)
        below = compared(
            exp.LTE(), Value(tree=value.tree.copy(), type=value.type, text=value.text, number=value.number), high
        )
        return _truth(exp.And(this=above, expression=below))

    def _in(self, node: exp.Expr, scope: Scope) -> Value:
        value = self.value(node.this, scope)
        if query := node.args.get("query"):
            tree, outputs = self._subquery(query.this if isinstance(query, exp.Subquery) else query, scope)
            shared = common(require_plain(value, node), Value(tree=value.tree, type=_only(outputs, node).type), node)
            if shared in _FLOATS:
                raise refused(node, "IN between DOUBLEs was not tried", "CAST both to a DECIMAL")
            return _truth(exp.In(this=value.tree, query=exp.Subquery(this=tree)))
        listed = [met(value, self.value(each, scope), node)[1] for each in node.expressions]
        if value.family in _FLOATS and not all(each.number for each in listed):
            raise refused(node, "IN between DOUBLEs was not tried", "compare with =")
        return _truth(exp.In(this=value.tree, expressions=[each.tree for each in listed]))

    def _like(self, node: exp.Binary, scope: Scope) -> Value:
        one, other = self.value(node.this, scope), self.value(node.expression, scope)
        if {one.type, other.type} - {"VARCHAR", UNKNOWN}:
            raise refused(node, "LIKE takes texts", "CAST it to VARCHAR")
        like: exp.Expr = exp.Like(this=one.tree, expression=other.tree)
        if isinstance(node, exp.ILike):  # DuckDB lowers both sides, by its own alphabet
            like = exp.Like(this=call("lower", one.tree), expression=call("lower", other.tree))
        return _truth(exp.Not(this=exp.Paren(this=like)) if node.args.get("negate") else like)

    def _case(self, node: exp.Expr, scope: Scope) -> Value:
        operand, conditions, values = node.this and self.value(node.this, scope), [], []
        for branch in node.args["ifs"]:
            if operand:
                again = Value(tree=operand.tree.copy(), type=operand.type, text=operand.text, number=operand.number)
                conditions.append(compared(exp.EQ(), again, self.value(branch.this, scope)))
            else:
                conditions.append(self.condition(branch.this, scope))
            values.append(self.value(branch.args["true"], scope))
        default = node.args.get("default")
        trees, type_ = unified([*values, *([self.value(default, scope)] if default else [])], node)
        first = node.args["ifs"][0].this
        operand = operand or (self.value(first.this, scope) if isinstance(first, exp.EQ) else None)
        last = trees.pop() if default else None
        return Value(tree=cases.case(conditions, trees, last, operand=operand, node=node), type=type_)

    def _cast(self, node: Any, scope: Scope) -> Value:
        value, type_ = self.value(node.this, scope), duckdb_type(node.to.sql(DIALECT)) or ""
        if value.text is not None and type_ != "VARCHAR":
            return literal(value.text, type_, node)
        wanted = family(type_)
        guarded = isinstance(node, exp.TryCast)
        if value.type == "VARCHAR" and wanted != "VARCHAR":
            return from_text(value, type_, node, guarded=guarded)
        if value.type == "DOUBLE" and wanted in ("whole", "decimal"):
            return from_double(value, type_, node, guarded=guarded)
        known = value.type == UNKNOWN or wanted == value.family or wanted in _CASTS.get(value.family, ())
        if not known:
            raise refused(node, f"a CAST from {value.type} to {type_ or node.to.sql(DIALECT)} gives something else")
        if wanted == "VARCHAR" and value.family == "decimal":
            value = cast(value, value.type)
        return cast(value, type_, node, guarded=guarded)

    def _arithmetic(self, node: exp.Binary, scope: Scope) -> Value:
        one, other = self.value(node.this, scope), node.expression
        if isinstance(other, exp.Interval) and isinstance(node, exp.Add | exp.Sub):
            return calls.moved(node, one, other)
        right = self.value(other, scope)
        if isinstance(node, exp.Add | exp.Sub) and "DATE" in (one.type, right.type):
            return calls.days(node, one, right)
        return arithmetic(node, one, right)

    def _joined(self, node: exp.Binary, scope: Scope) -> Value:
        one, other = self.value(node.this, scope), self.value(node.expression, scope)
        if {one.type, other.type} - {"VARCHAR", UNKNOWN}:
            raise refused(node, "|| joins texts", "CAST it to VARCHAR")
        return Value(tree=exp.Paren(this=exp.DPipe(this=one.tree, expression=other.tree)), type="VARCHAR")

    def _scalar(self, node: exp.Expr, scope: Scope) -> Value:
        tree, outputs = self._subquery(node.this, scope)
        return Value(tree=exp.Subquery(this=tree), type=_only(outputs, node).type)

    def _bracket(self, node: exp.Bracket, scope: Scope) -> Value:
        """list[n] counts from 1, from -1 at its end; what is not there is NULL. struct['name'] is a field."""
        value, (at,) = self.value(node.this, scope), node.expressions
        if isinstance(at, exp.Literal) and at.is_string:
            return field_of(value, at.name, node)
        number = _place(at)
        if element(value.type) is None or not number:
            raise refused(node, "[…] takes a literal: the number of an element, or a field's name")
        return Value(tree=call("element_at", value.tree, whole(number)), type=element(value.type) or "")

    def _dot(self, node: exp.Dot, scope: Scope) -> Value:
        return field_of(self.value(node.this, scope), node.expression.name, node)

    def _exists(self, node: exp.Expr, scope: Scope) -> Value:
        return _truth(exp.Exists(this=self._subquery(node.this, scope)[0]))

    def _extract(self, node: exp.Expr, scope: Scope) -> Value:
        return calls.part(node.this.name, self.value(node.args["expression"], scope), node)

    def _substring(self, node: exp.Expr, scope: Scope) -> Value:
        given = [node.args[key] for key in ("this", "start", "length") if node.args.get(key)]
        return calls.own("substring", [self.value(each, scope) for each in given], node)

    def _call(self, node: exp.Expr, scope: Scope) -> Value:
        if node.name in AGGREGATES:
            return self._aggregate(node, scope, lambda tree: tree)
        arguments = [self.value(each, scope) for each in node.expressions]
        if node.name in OWN:
            return calls.own(node.name, arguments, node)
        return same(node.name, arguments, node)

    def _filter(self, node: exp.Expr, scope: Scope, over: folds.Around = lambda tree: tree) -> Value:
        if not isinstance(node.this, exp.Anonymous) or node.this.name not in AGGREGATES:
            raise refused(node, "FILTER stands behind an aggregate")
        where = self.condition(node.args["expression"].this, scope)

        def filtered(tree: exp.Expr) -> exp.Expr:
            return over(exp.Filter(this=tree, expression=exp.Where(this=where.copy())))

        return self._aggregate(node.this, scope, filtered)

    def _aggregate(self, node: exp.Expr, scope: Scope, around: folds.Around) -> Value:
        if node.name in folds.LISTED:
            return self._listed(node, scope, around)
        arguments = node.expressions
        distinct = bool(arguments) and isinstance(arguments[0], exp.Distinct)
        arguments = arguments[0].expressions if distinct else arguments
        counted = [each for each in arguments if not isinstance(each, exp.Star)]
        if len(arguments) > 1 or (isinstance(arguments[0], exp.Order) if arguments else False):
            raise refused(node, f"{node.name} takes one column, without an order")
        value = self.value(counted[0], scope) if counted else None
        return folds.aggregate(node.name, value, node, around, distinct=distinct)

    def _listed(self, node: exp.Expr, scope: Scope, around: folds.Around) -> Value:
        """An aggregate of a list: f(x, y ORDER BY z), where sqlglot lets the last argument hold the order."""
        *before, last = node.expressions or [exp.Null()]
        order = last if isinstance(last, exp.Order) else None
        given = [*before, order.this if order else last]
        distinct = isinstance(given[0], exp.Distinct)
        given[0] = given[0].expressions[0] if distinct else given[0]
        if order and len(given) == 1 and node.name in ("quantile_cont", "quantile_disc"):
            (item,), share = order.expressions, given[0]  # WITHIN GROUP (ORDER BY x)
            given, order = [item.this, share], None
            if item.args.get("desc"):
                raise refused(node, f"{node.name} in descending order was not tried")
        values = [self.value(each, scope) for each in given]
        items = self.order(order, scope) if order else None
        return folds.listed(node.name, values, node, folds.Listed(order=items, distinct=distinct, around=around))

    def _window(self, node: exp.Expr, scope: Scope) -> Value:
        parts = {
            "partition_by": [self.value(each, scope).tree for each in node.args.get("partition_by") or []],
            "order": self.order(node.args["order"], scope) if node.args.get("order") else None,
            "spec": folds.frame(node.args.get("spec")),
        }

        def over(tree: exp.Expr) -> exp.Expr:
            return exp.Window(this=tree, over="OVER", **{key: _copied(each) for key, each in parts.items()})

        function = node.this
        if isinstance(function, exp.Filter):
            return self._filter(function, scope, over)
        if not isinstance(function, exp.Anonymous) or function.name not in AGGREGATES | WINDOWS:
            raise refused(function, "this window function was not tried")
        if function.name in folds.LISTED:
            raise refused(function, f"{function.name} does not go with OVER")
        if function.name in AGGREGATES:
            if any(isinstance(each, exp.Distinct) for each in function.expressions):
                raise refused(function, "DISTINCT does not go with OVER")
            return self._aggregate(function, scope, over)
        if parts["spec"] is not None and function.name not in folds.FRAMED:
            raise refused(function, f"{function.name} takes no frame", "leave ROWS … out")
        found = folds.window(function.name, [self.value(each, scope) for each in function.expressions], function)
        return Value(tree=over(found.tree), type=found.type)


def _integer(digits: str) -> Value:
    number = int(digits)
    if number >= 2**63:
        return cast(Value(tree=numeral(digits), type="", number=digits), "HUGEINT")
    return Value(
        tree=exp.Literal.number(str(number)), type="INTEGER" if number < 2**31 else "BIGINT", number=str(number)
    )


def _truth(tree: exp.Expr) -> Value:
    return Value(tree=exp.Paren(this=tree), type="BOOLEAN")


def _only(outputs: Sequence[Output], node: exp.Expr) -> Output:
    if len(outputs) != 1:
        raise refused(node, "a SELECT within an expression has one column")
    return outputs[0]


def _place(at: exp.Expr) -> int:
    """What stands in brackets, as DuckDB counts: sqlglot takes one from it."""
    negative = isinstance(at, exp.Neg)
    digits = at.this if negative else at
    if not isinstance(digits, exp.Literal) or not digits.name.isdigit() or len(digits.name) > 9:
        return 0
    return (-int(digits.name) if negative else int(digits.name)) + 1


def _copied(part: Any) -> Any:
    return [each.copy() for each in part] if isinstance(part, list) else part and part.copy()


_NODES: Mapping[type[exp.Expr], Callable[[Expressions, Any, Scope], Value]] = {
    exp.Paren: Expressions._paren,
    exp.Column: Expressions._column,
    exp.Literal: Expressions._literal,
    exp.Null: Expressions._null,
    exp.Boolean: Expressions._boolean,
    exp.Neg: Expressions._neg,
    exp.And: Expressions._logic,
    exp.Or: Expressions._logic,
    exp.Not: Expressions._not,
    **dict.fromkeys(COMPARISONS, Expressions._compare),
    exp.Is: Expressions._is,
    exp.NullSafeEQ: Expressions._distinct_from,
    exp.NullSafeNEQ: Expressions._distinct_from,
    exp.Between: Expressions._between,
    exp.In: Expressions._in,
    exp.Like: Expressions._like,
    exp.ILike: Expressions._like,
    exp.Bracket: Expressions._bracket,
    exp.Dot: Expressions._dot,
    exp.Case: Expressions._case,
    exp.Cast: Expressions._cast,
    exp.TryCast: Expressions._cast,
    **dict.fromkeys(ARITHMETIC, Expressions._arithmetic),
    exp.DPipe: Expressions._joined,
    exp.Subquery: Expressions._scalar,
    exp.Exists: Expressions._exists,
    exp.Extract: Expressions._extract,
    exp.Substring: Expressions._substring,
    exp.Anonymous: Expressions._call,
    exp.Filter: Expressions._filter,
    exp.Window: Expressions._window,
}
