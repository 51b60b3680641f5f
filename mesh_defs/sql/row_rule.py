"""The row language: which rows of a product are shown. A rule compares the product's own columns with literals.

    rule   comparison, IN, BETWEEN, IS [NOT] NULL, a boolean column, joined by AND, OR, NOT
    value  a literal of the column's type, another column of that very type, or ${principal.NAME}: the asker's attribute

The language is total: on any row a rule is true, false or unknown, it never fails, and only true shows the row. It has no
function, no cast and no subquery, because an optimiser may evaluate an asker's failing expression before a rule that
joins, and an error would tell of rows that are hidden. An attribute with several values means any of them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from uuid import UUID

from sqlglot import exp

from mesh_defs.errors import QueryRejectedError, nearest
from mesh_defs.sql.place import place, snippet
from mesh_defs.sql.references import folded
from mesh_defs.sql.tokens import DIALECT
from mesh_defs.sql.tree import read, write

NOTHING = "FALSE"
# An attribute is read as a parameter of this name.
_PREFIX = "principal_"

_ATTRIBUTE = re.compile(r"\$\{principal\.([a-z][a-z0-9_]{0,62})\}")
_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
_FLOAT = re.compile(r"-?\d{1,30}(\.\d{1,30})?([eE][+-]?\d{1,2})?")
_FAMILIES = {
    "text": "VARCHAR",
    "number": "TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT FLOAT DOUBLE DECIMAL",
    "truth": "BOOLEAN",
    "date": "DATE",
    "time": "TIMESTAMP TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS",
    "uuid": "UUID",
}
_FAMILY = {name: family for family, names in _FAMILIES.items() for name in names.split()}
_FIX = "write comparisons, IN, BETWEEN and IS NULL over the product's columns and literals, joined by AND, OR and NOT"


def check_rule(text: str, columns: Mapping[str, str]) -> None:
    """Raise QueryRejectedError, with line and column, for what is no rule over these columns (name -> DuckDB type)."""
    _Check(columns).condition(_condition(text))


def bind_rule(text: str, attributes: Mapping[str, Sequence[str]], columns: Mapping[str, str]) -> str:
    """Return the rule with the asker's attributes as literals. An attribute that is missing, or not of the column's type,
    shows no row. Raises QueryRejectedError as `check_rule` does. The same rules are bound at every question: kept."""
    known = tuple((name, tuple(values)) for name, values in sorted(attributes.items()))
    return _bound(text, known, tuple(columns.items()))


@lru_cache(maxsize=1024)
def _bound(text: str, known: tuple[tuple[str, tuple[str, ...]], ...], typed: tuple[tuple[str, str], ...]) -> str:
    attributes, columns = dict(known), dict(typed)
    check_rule(text, columns)
    holder = exp.Where(this=_condition(text).copy())
    for node in list(holder.find_all(exp.Placeholder)):
        type_ = columns[folded(_column_beside(node).name)]
        values = [_literal(value, type_) for value in attributes.get(node.name.removeprefix(_PREFIX), ())]
        fitting = [value for value in values if value is not None]
        if len(fitting) < max(len(values), 1) or not _put(node, fitting):
            return NOTHING
    return write(holder.this)


def condition(bound: str, alias: str) -> exp.Expr:
    """Return a bound rule as a tree whose columns are qualified with the alias."""
    tree = _condition(bound).copy()
    for node in tree.find_all(exp.Column):
        node.set("table", exp.to_identifier(alias, quoted=True))
    return exp.Paren(this=tree)


def joined(rules: Iterable[str]) -> str | None:
    """Return one rule that is true where all of these are; None without any. Raises QueryRejectedError for what is none."""
    once = list(dict.fromkeys(rules))
    if len(once) < 2:
        return once[0] if once else None
    return write(exp.and_(*(exp.Paren(this=_condition(rule).copy()) for rule in once), wrap=False))


def rule_parts(bound: str) -> tuple[str, ...]:
    """Return what a rule demands, one text for each condition that must be true by itself."""
    return tuple(write(part.copy()) for part in _conjuncts(_condition(bound)))


def rule_columns(text: str) -> frozenset[str]:
    """Names of the columns that a rule reads."""
    return frozenset(folded(node.name) for node in _condition(text).find_all(exp.Column))


@lru_cache(maxsize=1024)
def _condition(text: str) -> exp.Expr:
    """Parse a rule; nobody changes the tree."""
    sql = _ATTRIBUTE.sub(rf"${_PREFIX}\1", text)
    try:
        query = read(f"SELECT\n{sql}")
    except QueryRejectedError as error:
        raise QueryRejectedError(error.what, where=_shifted(error.where), fix=error.fix or _FIX) from None
    present = {key for key, value in query.args.items() if value}
    if not isinstance(query, exp.Select) or present != {"expressions"} or len(query.expressions) != 1:
        raise QueryRejectedError("the rule is not one condition", fix=_FIX)
    found: exp.Expr = query.expressions[0]
    return found


class _Check:
    """Walks a rule and refuses everything that the language does not have."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._columns = columns

    def condition(self, node: exp.Expr) -> None:
        if isinstance(node, exp.And | exp.Or):
            self.condition(node.this)
            self.condition(node.expression)
        elif isinstance(node, exp.Not | exp.Paren):
            self.condition(node.this)
        elif isinstance(node, exp.Column):
            if self._type(node) != "BOOLEAN":
                raise _refused(node, f"{node.name} alone is no condition", "compare it with something")
        elif isinstance(node, exp.Is):
            self._is(node)
        elif isinstance(node, exp.In):
            self._in(node)
        elif isinstance(node, exp.Between):
            for bound in (node.args["low"], node.args["high"]):
                self._value(bound, self._type(node.this))
        elif isinstance(node, _COMPARISONS):
            one, other = _sides(node)
            self._value(other, self._type(one))
        elif not isinstance(node, exp.Boolean):
            raise _refused(node, f"'{_shown(node)}' is not in the row language")

    def _is(self, node: exp.Is) -> None:
        wanted = node.expression.this if isinstance(node.expression, exp.Not) else node.expression
        type_ = self._type(node.this)
        if not (isinstance(wanted, exp.Null) or (isinstance(wanted, exp.Boolean) and type_ == "BOOLEAN")):
            raise _refused(node, "IS takes NULL, or TRUE and FALSE of a boolean column")

    def _in(self, node: exp.In) -> None:
        present = {key for key, value in node.args.items() if value}
        listed = [*node.expressions, *([node.args["field"]] if node.args.get("field") else [])]
        if present - {"this", "expressions", "field"} or not listed:
            raise _refused(node, "IN takes a list of literals, no SELECT")
        for value in listed:
            self._value(value, self._type(node.this))

    def _type(self, node: exp.Expr) -> str:
        if not isinstance(node, exp.Column) or len(node.parts) != 1:
            raise _refused(node, f"'{_shown(node)}' is no column of the product")
        if folded(node.name) not in self._columns:
            raise _refused(node, f"there is no column '{snippet(node.name)}'", nearest(node.name, self._columns))
        return self._columns[folded(node.name)]

    def _value(self, node: exp.Expr, type_: str) -> None:
        """Two columns must have the very same type: a cast between two may fail on some row."""
        if _family(type_) == "other":
            raise _refused(node, f"a column of type {type_} can only be tested with IS NULL")
        if isinstance(node, exp.Placeholder):
            fits = node.name.startswith(_PREFIX)
        else:
            fits = self._type(node) == type_ if isinstance(node, exp.Column) else _is_literal(node, type_)
        if not fits:
            raise _refused(node, f"{_shown(node)} is no value of the column's type, {type_}")


def _sides(node: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    """A column, and what it is compared with, whichever stands first."""
    one, other = node.this, node.expression
    return (one, other) if isinstance(one, exp.Column) else (other, one)


def _is_literal(node: exp.Expr, type_: str) -> bool:
    family = _family(type_)
    if isinstance(node, exp.Cast) and family in ("date", "time"):
        if node.to.sql(DIALECT) != {"date": "DATE", "time": "TIMESTAMP"}[family]:
            return False
        node = node.this
    negative = isinstance(node, exp.Neg)
    if negative:
        node = node.this
    if isinstance(node, exp.Boolean):
        return family == "truth" and not negative
    if not isinstance(node, exp.Literal) or node.is_string == (family == "number"):
        return False
    if negative and (node.is_string or type_.startswith("U")):
        return False
    return _literal(node.name, type_) is not None


def _literal(value: str, type_: str) -> exp.Expr | None:
    """An attribute, or a literal's text, as a value of the column's type; None when it is none."""
    family = _family(type_)
    try:
        if family == "number":
            return exp.Literal.number(value) if _numeral(type_).fullmatch(value) else None
        if family == "truth":
            return {"true": exp.true(), "false": exp.false()}.get(value.lower())
        if family == "date":
            date.fromisoformat(value)
        elif family == "time":
            datetime.fromisoformat(value)
        elif family == "uuid":
            UUID(value)
    except ValueError:
        return None
    return None if family == "other" or "\x00" in value else exp.Literal.string(value)


def _numeral(type_: str) -> re.Pattern[str]:
    """What may be written for a number of the type: with more decimals the column would be cast, and might not fit."""
    if type_ in ("FLOAT", "DOUBLE"):
        return _FLOAT
    sign = "" if type_.startswith("U") else "-?"
    if not type_.startswith("DECIMAL("):
        return re.compile(rf"{sign}\d{{1,18}}")
    width, scale = (int(each) for each in type_.removeprefix("DECIMAL(").rstrip(")").split(","))
    whole = rf"-?(\d{{1,{width - scale}}}|0)" if width > scale else "-?0"
    return re.compile(rf"{whole}(\.\d{{1,{scale}}})?" if scale else whole)


def _put(node: exp.Expr, values: list[exp.Expr]) -> bool:
    """Put values where an attribute stands; False where one value is needed and there are several."""
    parent = node.parent
    if isinstance(parent, exp.In):
        kept = [value for value in parent.expressions if value is not node]
        parent.set("field", None)
        parent.set("expressions", [*kept, *values])
    elif len(values) == 1:
        node.replace(values[0])
    elif isinstance(parent, exp.EQ | exp.NEQ):
        among = exp.In(this=_sides(parent)[0].copy(), expressions=values)
        parent.replace(among if isinstance(parent, exp.EQ) else exp.Not(this=exp.Paren(this=among)))
    else:
        return False
    return True


def _column_beside(node: exp.Expr) -> exp.Expr:
    parent = node.parent
    column: exp.Expr = _sides(parent)[0] if isinstance(parent, _COMPARISONS) else parent.this  # type: ignore[union-attr]
    return column


def _family(type_: str) -> str:
    return _FAMILY.get(type_.partition("(")[0], "other")


def _shown(node: exp.Expr) -> str:
    return snippet(write(node.copy()))


def _conjuncts(node: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(node, exp.And):
        yield from _conjuncts(node.this)
        yield from _conjuncts(node.expression)
    elif isinstance(node, exp.Paren):
        yield from _conjuncts(node.this)
    else:
        yield node


def _refused(node: exp.Expr, what: str, fix: str = _FIX) -> QueryRejectedError:
    return QueryRejectedError(what, where=_shifted(place(node)), fix=fix)


def _shifted(where: str) -> str:
    """The rule was read one line further down than it stands."""
    return re.sub(r"line (\d+)", lambda line: f"line {max(int(line[1]) - 1, 1)}", where)
