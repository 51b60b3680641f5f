"""Values on their way to Trino: a tree of Trino's SQL, and the DuckDB type that the value has. And how types meet.

Types are DuckDB's names of them, which the contract and the answer know; `trino_type` is how Trino keeps one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import reduce
from uuid import UUID

from sqlglot import exp

from mesh_defs.errors import QueryRejectedError
from mesh_defs.sql.translation.nested import element, fields, is_nested

ASK_DUCKDB = "ask with --engine duckdb"
UNKNOWN = "NULL"
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_DIGITS = {"TINYINT": 3, "SMALLINT": 5, "INTEGER": 10, "BIGINT": 19, "HUGEINT": 38}
_KEPT = {
    **{
        name: name
        for name in ("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DOUBLE", "VARCHAR", "DATE", "UUID")
    },
    "FLOAT": "REAL",
    "HUGEINT": "DECIMAL(38, 0)",
    "BLOB": "VARBINARY",
    "TIME": "TIME(6)",
    "TIMESTAMP": "TIMESTAMP(6)",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP(6) WITH TIME ZONE",
}
_NUMERAL = re.compile(r"-?\d{1,18}(\.\d{1,18})?")
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """`text`: what a string literal says, whose type is what it is compared with. `number`: of a literal's digits."""

    tree: exp.Expr
    type: str
    text: str | None = None
    number: str | None = None

    @property
    def family(self) -> str:
        """The kind of its type: "whole", "decimal", or the type itself."""
        return family(self.type)


def family(type_: str) -> str:
    """Integers of all sizes are alike, decimals of all scales too."""
    if type_ in _WHOLE:
        return "whole"
    return "decimal" if _DECIMAL.fullmatch(type_) else type_


def trino_type(type_: str) -> str | None:
    """How Trino keeps values of a DuckDB type; None when it has no type that keeps them all."""
    if found := _DECIMAL.fullmatch(type_):
        return f"DECIMAL({found[1]}, {found[2]})"
    if (of := element(type_)) is not None:
        return f"ARRAY({kept})" if (kept := trino_type(of)) else None
    if (parts := fields(type_)) is not None:
        kinds = [trino_type(each) for _, each in parts]
        # Under names of our own, which no case can make alike: Trino finds a field by its place.
        return f"ROW({', '.join(f'f{n} {kind}' for n, kind in enumerate(kinds))})" if all(kinds) else None
    return _KEPT.get(type_)


def refused(node: exp.Expr | None, what: str, fix: str = ASK_DUCKDB) -> QueryRejectedError:
    """Return the refusal of something that the two engines may not mean alike. Its place is that in the governed text,
    where a guard stands before it; so what the asker wrote is repeated instead, as far as it is a name or a number."""
    near = f", near {_shown(node)}" if node is not None and _shown(node) else ""
    return QueryRejectedError(f"on Trino {what}{near}", fix=fix)


def require_plain(value: Value, node: exp.Expr | None) -> Value:
    """Return the value. QueryRejectedError for a list or a struct: those are not compared, ordered or grouped alike."""
    if is_nested(value.type):
        raise refused(node, f"a {value.type} is shown or looked into, not compared", "name a field or an element of it")
    return value


def cast(value: Value, type_: str, node: exp.Expr | None = None, *, guarded: bool = False) -> Value:
    """Return the value as another type, by Trino's CAST; `guarded` by TRY_CAST. Whether it may be is asked before."""
    kept = trino_type(type_)
    if kept is None:
        raise refused(node, f"there is no type that holds every {type_}")
    made = exp.TryCast if guarded else exp.Cast
    tree = made(this=value.tree, to=exp.DataType.build(kept, dialect="trino"))
    return Value(tree=tree, type=type_, number=None if guarded else value.number)


def digits_of(type_: str) -> tuple[int, int]:
    """Width and scale of a decimal, or of the decimal that holds an integer type."""
    if found := _DECIMAL.fullmatch(type_):
        return int(found[1]), int(found[2])
    return _DIGITS[type_], 0


def decimal(width: int, scale: int, node: exp.Expr | None = None) -> str:
    """The decimal type of so many digits, 38 at most."""
    if scale > 38:
        raise refused(node, "a product of decimals has more than 38 decimals", "CAST a factor to fewer decimals")
    return f"DECIMAL({min(width, 38)},{scale})"


def common(one: Value, other: Value, node: exp.Expr | None = None) -> str:
    """The type that both become where they meet in one column."""
    types = {one.type, other.type} - {UNKNOWN}
    if len(types) < 2:
        return types.pop() if types else UNKNOWN
    kinds = {one.family, other.family}
    if kinds == {"whole"}:
        return max(types, key=_WHOLE.index)
    if kinds <= {"whole", "decimal"}:
        (w1, s1), (w2, s2) = digits_of(one.type), digits_of(other.type)
        scale = max(s1, s2)
        return decimal(max(w1 - s1, w2 - s2) + scale, scale)
    if kinds <= {"whole", "decimal", "DOUBLE"}:
        return "DOUBLE"
    if kinds == {"DATE", "TIMESTAMP"}:
        return "TIMESTAMP"
    raise refused(
        node, f"{one.type} and {other.type} are not brought to one type", "CAST one of them to the other's type"
    )


def met(one: Value, other: Value, node: exp.Expr) -> tuple[Value, Value]:
    """Two values that meet, as Trino may compare them: a string literal becomes what it is compared with."""
    if one.text is not None and other.text is None and other.type not in ("VARCHAR", UNKNOWN):
        one = literal(one.text, other.type, node)
    if other.text is not None and one.text is None and one.type not in ("VARCHAR", UNKNOWN):
        other = literal(other.text, one.type, node)
    common(require_plain(one, node), require_plain(other, node), node)
    return one, other


def literal(text: str, type_: str, node: exp.Expr) -> Value:
    """A text that stands for a value of another type, when it is written as both engines write that."""
    try:
        if type_ == "DATE" and len(text) == 10:
            return _typed(str(date.fromisoformat(text)), type_)
        if type_ == "TIMESTAMP":
            when = datetime.fromisoformat(text)
            if when.tzinfo is None:
                return _typed(when.isoformat(sep=" ", timespec="microseconds"), type_)
        if type_ == "UUID":
            return _typed(str(UUID(text)), type_)
    except ValueError:
        pass
    if type_ == "VARCHAR":
        return Value(tree=exp.Literal.string(text), type=type_)
    if family(type_) in ("whole", "decimal") and _NUMERAL.fullmatch(text):
        digits = numeral(text.removeprefix("-"))
        return cast(Value(tree=exp.Neg(this=digits) if text.startswith("-") else digits, type=type_), type_)
    raise refused(node, f"this text is not read as {type_}", "write numbers without quotes, dates as DATE '2026-01-31'")


def numeral(digits: str) -> exp.Expr:
    """Return a number to be cast: Trino reads none without a point that is past 64 bits."""
    past = digits.isdigit() and int(digits) >= 2**63
    return exp.Literal.string(digits) if past else exp.Literal.number(digits)


def unified(values: Sequence[Value], node: exp.Expr) -> tuple[list[exp.Expr], str]:
    """Return values that stand in one column, all of one type, and that type."""
    typed = [each for each in values if each.text is None]
    type_ = reduce(lambda one, other: replace(other, type=common(one, other, node)), typed).type if typed else "VARCHAR"
    type_ = "VARCHAR" if type_ == UNKNOWN and len(typed) < len(values) else type_
    alike = (each if each.text is None else literal(each.text, type_, node) for each in values)
    return [each.tree if each.type in (type_, UNKNOWN) else cast(each, type_, node).tree for each in alike], type_


def _shown(node: exp.Expr) -> str:
    """Columns that stand in an expression itself: within a query there may be a guard, and a rule's columns in it."""
    if node.find(exp.Query):
        return ""
    names = [each.name for each in node.find_all(exp.Column) if each.name and not isinstance(each.this, exp.Star)]
    return ", ".join(f"'{name[:40]}'" for name in dict.fromkeys(names[:3]))


def _typed(text: str, type_: str) -> Value:
    return cast(Value(tree=exp.Literal.string(text), type="VARCHAR"), type_)


def call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    """Return a call of one of Trino's functions by its own name."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def whole(number: int) -> exp.Expr:
    """Return an integer literal."""
    return exp.Literal.number(number) if number >= 0 else exp.Neg(this=exp.Literal.number(-number))
