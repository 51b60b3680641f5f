"""From the trees that the compiler builds for DuckDB to trees that mean the same to Postgres (15 or later) and to Trino.

Only what is listed here is translated; anything else raises NotTranslatedError, and DuckDB itself evaluates it. So a new
rule costs a copy of the rows until its nodes are listed, and never a wrong verdict. Trees of free SQL are not translated.

What was run: Postgres 18, every type of expectation against DuckDB (tests/quality_checks/test_pushdown.py). NOT run: Trino;
its text is only parsed again, there is no server here yet.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlglot import exp

from quality_checks.columns import Column
from quality_checks.errors import QualityError
from quality_checks.families import NUMBERS, TIMES, Family, type_name
from quality_checks.regex_dialects import regex_for

Engine = Literal["postgres", "trino"]


class NotTranslatedError(QualityError):
    """The engine has no equal for a part of the query: DuckDB is to evaluate it."""


# Their parts are translated, and they stay.
_SAME: tuple[type[exp.Expr], ...] = (
    *(exp.From, exp.Where, exp.Group, exp.Having, exp.With, exp.CTE, exp.Subquery, exp.TableAlias, exp.Alias),
    *(exp.Identifier, exp.Boolean, exp.Null, exp.Distinct, exp.Paren, exp.Neg, exp.Coalesce, exp.Nullif, exp.Literal),
    *(exp.And, exp.Or, exp.Not, exp.NEQ, exp.Min, exp.Max, exp.Length, exp.Select, exp.Sum, exp.Case, exp.If),
)
_COMPARISONS = (exp.EQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, exp.Add)
_BIGGEST = 2**63 - 1


def translated(
    query: exp.Expr, engine: Engine, types: Mapping[str, str], tables: Mapping[exp.Expr, exp.Expr] | None = None
) -> exp.Expr:
    """Return the same query for `engine`. `types` are the DuckDB types of the columns, as `exposed` shows them there.

    `tables` says what stands there for what DuckDB reads from. Raises NotTranslatedError.
    """
    return _Translation(engine=engine, types=types, tables=tables or {}).of(query)


def exposed(column: Column) -> exp.Expr:
    """Return a column of Postgres's table as the translated queries expect it: text by code point, floats as doubles."""
    if column.family == "text":
        text = column.sql if type_name(column.type) == "TEXT" else exp.cast(column.sql, "TEXT")
        return _by_code_point(text)
    return exp.cast(column.sql, "DOUBLE") if type_name(column.type) == "FLOAT" else column.sql


def time_column(value: exp.Expr, types: Mapping[str, str]) -> Column | None:
    """Return the column of dates or times that a value is made of, if it is."""
    found = _Translation(engine="postgres", types=types, tables={}).column(value)
    return found if found and found.family in TIMES else None


@dataclass(frozen=True, slots=True)
class _Translation:
    engine: Engine
    types: Mapping[str, str]
    tables: Mapping[exp.Expr, exp.Expr]

    def of(self, node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Table | exp.Subquery) and node in self.tables:
            return self.tables[node].copy()
        rule = _RULES.get(type(node))
        if rule:
            return rule(self, node)
        if isinstance(node, _SAME):
            return self.parts_of(node)
        raise NotTranslatedError(f"{self.engine} has no equal for {type(node).__name__}")

    def parts_of(self, node: exp.Expr) -> exp.Expr:
        """The same kind of node, of translated parts."""
        return type(node)(**{name: self._part(part) for name, part in node.args.items()})

    def _part(self, part: Any) -> Any:
        if isinstance(part, exp.Expr):
            return self.of(part)
        return [self._part(each) for each in part] if isinstance(part, list) else part

    def column(self, node: exp.Expr) -> Column | None:
        """The one column of the relation that a value is made of."""
        made_of = node.this if isinstance(node, exp.Filter) else node
        found = [each for each in made_of.find_all(exp.Column) if each.name in self.types and not each.table]
        return Column(name=found[0].name, type=self.types[found[0].name]) if len(found) == 1 else None

    def family(self, node: exp.Expr) -> Family | None:
        column = self.column(node)
        return column.family if column else None

    def refuse(self, what: str) -> NotTranslatedError:
        return NotTranslatedError(f"{self.engine} has no equal for {what}")


def _column(to: _Translation, node: exp.Expr) -> exp.Expr:
    if not isinstance(node.this, exp.Identifier):
        raise to.refuse("*")
    if to.family(node) == "other" and type_name(to.types[node.name]) != "VARBINARY":
        raise to.refuse("equality of nested values and intervals")
    return node.copy()


def _nullity(to: _Translation, node: exp.Expr) -> exp.Expr:
    """Whether a value is there can be asked of every type."""
    if isinstance(node.this, exp.Column):
        return node.copy()
    if isinstance(node.this, exp.Star):
        return exp.Count(this=exp.Star())
    return to.parts_of(node)


def _table(to: _Translation, node: exp.Expr) -> exp.Expr:
    """What a WITH of the same query names; everything else that can be read from was replaced before."""
    known = {cte.alias for cte in node.root().find_all(exp.CTE)}
    if node.name in known and isinstance(node.this, exp.Identifier) and not node.args.get("db"):
        return node.copy()
    raise to.refuse("another table")


def _comparison(to: _Translation, node: exp.Expr) -> exp.Expr:
    """DuckDB compares and adds FLOATs as such; here they are doubles."""
    types = {type_name(to.types[each.name]) for each in node.find_all(exp.Column) if each.name in to.types}
    both = bool(node.this.find(exp.Column) and node.expression.find(exp.Column))
    if "FLOAT" in types and (len(types) > 1 or isinstance(node, exp.Add)) and both:
        raise to.refuse("arithmetic of FLOATs")
    return to.parts_of(node)


def _in(to: _Translation, node: exp.Expr) -> exp.Expr:
    if node.args.get("query"):
        raise to.refuse("another table")
    return to.parts_of(node)


def _literal(to: _Translation, node: exp.Expr) -> exp.Expr:
    whole = not node.is_string and node.this.lstrip("-").isdigit()
    if to.engine == "trino" and whole and abs(int(node.this)) > _BIGGEST:
        return exp.cast(exp.Literal.string(node.this), "DECIMAL(38, 0)")
    return node.copy()


def _is_nan(to: _Translation, node: exp.Expr) -> exp.Expr:
    if to.engine == "trino":
        return exp.IsNan(this=to.of(node.this))
    return exp.EQ(this=to.of(node.this), expression=exp.cast(exp.Literal.string("nan"), "DOUBLE"))


def _nullif(to: _Translation, node: exp.Expr) -> exp.Expr:
    """A key of floats, in which NaN is null: to Trino, no NaN equals another."""
    if to.engine == "trino" and to.family(node.this) == "float":
        absent = exp.IsNan(this=to.of(node.this))
        return exp.If(this=absent, true=exp.null(), false=to.of(node.this))
    return to.parts_of(node)


def _cast(to: _Translation, node: exp.Cast) -> exp.Expr:
    wanted, inner = node.to.this.name, node.this
    constant = isinstance(inner, exp.Literal)
    if wanted == "TEXT" and not constant and to.family(inner) == "text":
        # Enums, UUIDs and JSON, which Postgres's columns are exposed as.
        return to.of(inner) if to.engine == "postgres" else exp.cast(to.of(inner), "TEXT")
    if (
        wanted == "TEXT"
        and to.engine == "postgres"
        and isinstance(inner, exp.Min | exp.Max | exp.Filter)
        and to.family(inner) in TIMES
    ):
        return to.of(inner)  # whoever asks takes it as text anyway, and knows how to read it
    if wanted == "FLOAT" and constant:
        real = exp.cast(inner.copy(), "FLOAT")
        return exp.cast(real, "DOUBLE") if to.engine == "postgres" else real
    if wanted == "INT128" and to.family(inner) == "integer":
        whole = "DECIMAL" if to.engine == "postgres" else "DECIMAL(38, 0)"
        return exp.cast(to.of(inner), whole)
    if wanted == "DOUBLE" and (constant or isinstance(inner, exp.Count | exp.Filter | exp.Coalesce)):
        return exp.cast(to.of(inner), "DOUBLE")
    if constant and wanted in ("DATE", "TIMESTAMP", "TIMESTAMPNTZ", "TIMESTAMPTZ"):
        return _moment(to, inner, wanted)
    raise to.refuse(f"a cast to {wanted}")


def _moment(to: _Translation, text: exp.Expr, wanted: str) -> exp.Expr:
    if to.engine == "trino" and wanted == "TIMESTAMPTZ":
        return exp.Anonymous(
            this="FROM_ISO8601_TIMESTAMP_NANOS", expressions=[exp.Literal.string(text.name.replace(" ", "T"))]
        )
    if to.engine == "trino" and wanted != "DATE":
        return exp.cast(text.copy(), "TIMESTAMP(6)", dialect="trino")
    return exp.cast(text.copy(), "TIMESTAMP" if wanted == "TIMESTAMPNTZ" else wanted)


def _division(to: _Translation, node: exp.Expr) -> exp.Expr:
    if not (isinstance(node.this, exp.Cast) and node.this.to.this.name == "DOUBLE"):
        raise to.refuse("a division of whole numbers")
    return exp.Div(this=to.of(node.this), expression=to.of(node.expression), typed=True)


def _like(to: _Translation, node: exp.Expr) -> exp.Expr:
    """DuckDB's LIKE knows no escape; Postgres's knows one unless it is told otherwise."""
    like = to.parts_of(node)
    return exp.Escape(this=like, expression=exp.Literal.string("")) if to.engine == "postgres" else like


def _call(to: _Translation, node: exp.Expr) -> exp.Expr:
    name, arguments = str(node.this).upper(), node.expressions
    if name == "LIST_CONTAINS" and isinstance(arguments[0], exp.Array):
        members, value = arguments[0].expressions, to.of(arguments[1])
        if not members:  # null for null, else false
            return exp.NEQ(this=value, expression=value.copy())
        return exp.In(this=value, expressions=[to.of(member) for member in members])
    if name in ("REGEXP_MATCHES", "REGEXP_FULL_MATCH") and arguments[1].is_string:
        whole = name == "REGEXP_FULL_MATCH"
        pattern = exp.Literal.string(_regex(to, arguments[1].name, whole))
        return exp.RegexpLike(this=to.of(arguments[0]), expression=pattern)
    if name == "QUANTILE_DISC" and to.engine == "postgres" and isinstance(arguments[1], exp.Array):
        order = exp.Order(expressions=[exp.Ordered(this=to.of(arguments[0]), nulls_first=False)])
        return exp.WithinGroup(this=exp.PercentileDisc(this=arguments[1].copy()), expression=order)
    if name == "ISFINITE" and to.engine == "postgres":
        return exp.Anonymous(this=name, expressions=[to.of(arguments[0])])
    if name == "EPOCH_US" and to.engine == "postgres":
        seconds = exp.Extract(this=exp.var("EPOCH"), expression=to.of(arguments[0]))
        return exp.cast(exp.Mul(this=seconds, expression=exp.Literal.number(1_000_000)), "BIGINT")
    raise to.refuse(name)


def _regex(to: _Translation, re2: str, whole: bool) -> str:
    found = regex_for(re2, to.engine, whole=whole)
    if found is None:
        raise to.refuse("this regular expression")
    return found


def _aggregate(to: _Translation, node: exp.Expr) -> exp.Expr:
    return _over(to, node, None)


def _filter(to: _Translation, node: exp.Expr) -> exp.Expr:
    return _over(to, node.this, to.of(node.expression.this))


def _over(to: _Translation, aggregate: exp.Expr, only: exp.Expr | None) -> exp.Expr:
    """An aggregate of the rows for which `only` is true."""

    def filtered(plain: exp.Expr) -> exp.Expr:
        return plain if only is None else exp.Filter(this=plain, expression=exp.Where(this=only.copy()))

    value = aggregate.this
    if isinstance(aggregate, exp.CountIf):
        met = to.of(value) if only is None else exp.and_(only, to.of(value))
        return exp.Filter(this=exp.Count(this=exp.Star()), expression=exp.Where(this=met))
    if isinstance(aggregate, exp.Count):
        return filtered(_nullity(to, aggregate))
    if isinstance(aggregate, exp.Min | exp.Max):
        return filtered(to.parts_of(aggregate))
    family = to.family(value)
    if isinstance(aggregate, exp.Sum):
        return filtered(exp.Sum(this=_wide(to, value, family)))
    if family not in NUMBERS:
        raise to.refuse(type(aggregate).__name__)
    if isinstance(aggregate, exp.Avg):
        if family == "float":
            return filtered(exp.Avg(this=_wide(to, value, family)))
        # As DuckDB does: the exact sum, divided once. Else Postgres rounds to sixteen digits, and Trino to the scale.
        total = exp.cast(_over(to, exp.Sum(this=value), only), "DOUBLE")
        rows = exp.Nullif(this=filtered(exp.Count(this=to.of(value))), expression=exp.Literal.number(0))
        return exp.Div(this=total, expression=rows, typed=True)
    if isinstance(aggregate, exp.StddevSamp | exp.VariancePop):
        return filtered(type(aggregate)(this=exp.cast(to.of(value), "DOUBLE")))
    raise to.refuse(type(aggregate).__name__)


def _wide(to: _Translation, value: exp.Expr, family: Family | None) -> exp.Expr:
    """Trino adds in the type of what it adds, and raises or rounds."""
    wider = {"integer": "DECIMAL(38, 0)", "float": "DOUBLE"}.get(family or "") if to.engine == "trino" else None
    return exp.cast(to.of(value), wider) if wider else to.of(value)


def _select(to: _Translation, node: exp.Expr) -> exp.Expr:
    """A count of distinct values alone becomes a count of DISTINCT rows, which Postgres hashes instead of sorting."""
    keys = _distinct_keys(node.expressions[0]) if len(node.expressions) == 1 else None
    if keys is None or node.args.get("distinct") or node.args.get("group"):
        if node.expressions and any(isinstance(each, exp.Star) for each in node.expressions):
            raise to.refuse("*")
        return to.parts_of(node)
    values, counted = keys
    inner = node.copy()
    named = [exp.alias_(value.copy(), f"key_{at}", quoted=True) for at, value in enumerate(values)]
    inner.set("expressions", named)
    inner.set("distinct", exp.Distinct())
    count = exp.Count(this=exp.column("key_0", quoted=True) if counted else exp.Star())
    distinct = to.parts_of(inner)
    assert isinstance(distinct, exp.Select)
    return exp.select(count).from_(distinct.subquery("keys"))


def _distinct_keys(node: exp.Expr) -> tuple[list[exp.Expr], bool] | None:
    """The values whose different combinations are counted, and whether null is not; None for anything else."""
    if isinstance(node, exp.Count) and isinstance(node.this, exp.Distinct):
        (value,) = node.this.expressions
        return (value.expressions, False) if _is_call(value, "HASH") else ([value], True)
    return None


def _is_call(node: exp.Expr, name: str) -> bool:
    return isinstance(node, exp.Anonymous) and str(node.this).upper() == name


def _by_code_point(text: exp.Expr) -> exp.Expr:
    return exp.Collate(this=text, expression=exp.to_identifier("C", quoted=True))


Rule = Callable[[_Translation, Any], exp.Expr]
_RULES: Mapping[type[exp.Expr], Rule] = {
    exp.Column: _column,
    exp.Is: _nullity,
    exp.In: _in,
    exp.Table: _table,
    exp.Literal: _literal,
    exp.IsNan: _is_nan,
    exp.Nullif: _nullif,
    exp.Cast: _cast,
    exp.Div: _division,
    exp.Like: _like,
    exp.Anonymous: _call,
    exp.Filter: _filter,
    exp.Select: _select,
    **dict.fromkeys(_COMPARISONS, _comparison),
    **dict.fromkeys(
        (exp.CountIf, exp.Count, exp.Min, exp.Max, exp.Sum, exp.Avg, exp.StddevSamp, exp.VariancePop), _aggregate
    ),
}
