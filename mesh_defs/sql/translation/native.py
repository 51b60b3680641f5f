"""What a decision shows of a product, said to a Trino that enforces it itself: a condition on rows, masks of columns.

The same guard as in a text that passes the door, translated by the same rules. Where rows are hidden each column is fenced
(`sql.translation.tables`): what an asker does with it cannot move below the rule, and fails on no hidden row.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from mesh_defs.errors import AccessDeniedError, QueryRejectedError
from mesh_defs.model.access import View
from mesh_defs.sql.row_rule import condition as rule
from mesh_defs.sql.translation import guards
from mesh_defs.sql.translation.expressions import Expressions
from mesh_defs.sql.translation.nodes import refuse_untried
from mesh_defs.sql.translation.scope import Output, Relation, Scope
from mesh_defs.sql.translation.tables import let_through, quoted
from mesh_defs.sql.translation.translate import written
from mesh_defs.sql.translation.values import call, trino_type
from mesh_defs.sql.tree import reread, write
from mesh_defs.sql.view import TOKEN_TYPE, shown_columns

_ROW = "row"
# What every store that Trino reaches keeps these types as.
_STORED = {
    **dict.fromkeys(
        ("TINYINT", "UTINYINT"), "SMALLINT"
    ),  # a store may keep a wider one: Trino widens a mask, and never narrows it
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
    "UBIGINT": "DECIMAL(20,0)",
    **dict.fromkeys(("HUGEINT", "UHUGEINT"), "DECIMAL(38,0)"),
    **dict.fromkeys(("TIMESTAMP_S", "TIMESTAMP_MS"), "TIMESTAMP"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeView:
    """A view in Trino's SQL, over the bare columns of its table. `rule` is None when no row is hidden; `columns`: those that
    are shown and the mask of each, None for what is shown as it is; `unsaid`: those that are left out, and why."""

    rule: str | None
    columns: Mapping[str, str | None]
    unsaid: Mapping[str, str]


def native_view(columns: Mapping[str, str], view: View, tokens: Mapping[str, str | None]) -> NativeView:
    """Return the view of a product with these columns (name -> DuckDB type). `tokens`: column -> the column of the same table
    that holds its tokens, None where there are tokens which Trino does not reach.

    AccessDeniedError when a rule or a mask was not tried to mean the same there.
    """
    stored = {
        name: "VARCHAR" if type_.startswith("ENUM(") else _STORED.get(type_, type_) for name, type_ in columns.items()
    }
    unsaid = dict(_unsaid(stored, view, tokens))
    said = {name: type_ for name, type_ in stored.items() if name not in unsaid}
    kept = {column: token for column, token in tokens.items() if token is not None}
    try:
        guard = _guard(said, kept, view)
        scope = Scope(relations=[Relation(alias=_ROW, name="", outputs=_outputs(stored, kept))])
        expressions = Expressions(_no_subquery)
        condition = guards.condition(guard, scope, expressions)
        shown = {
            each.name: _mask(each, fenced=condition is not None) for each in guards.shown(guard, scope, expressions)
        }
    except QueryRejectedError as error:
        what = f"a rule or a mask cannot be said to Trino: {error.what}"
        raise AccessDeniedError(what, fix="ask through the door instead") from None
    return NativeView(rule=None if condition is None else written(_gate(condition)), columns=shown, unsaid=unsaid)


def _guard(columns: Mapping[str, str], tokens: Mapping[str, str], view: View) -> exp.Select:
    """The guard, read as the door's text is read."""
    table = exp.Table(this=quoted(_ROW), alias=exp.TableAlias(this=quoted(_ROW)))
    select = exp.Select(expressions=[*shown_columns(columns, tokens, view, _ROW)], from_=exp.From(this=table))
    if view.rules:
        select.set("where", exp.Where(this=exp.and_(*(rule(each.bound, _ROW) for each in view.rules), wrap=False)))
    if not select.expressions:
        return select
    guard = reread(write(select))
    refuse_untried(guard)
    assert isinstance(guard, exp.Select)
    return guard


def _gate(condition: exp.Expr) -> exp.Expr:
    """The rule, and once more as what is never NULL and never moves behind what an asker wrote.

    `NULL AND x` evaluates x: conditions that name no column stand beside the rule, fenced columns or not. Trino puts what is
    not deterministic before all that can fail. By the rule itself files are pruned, and Postgres sends fewer rows.
    """
    through = exp.If(this=condition.copy(), true=let_through(call("random")))
    return exp.And(this=exp.Paren(this=condition), expression=exp.Case(ifs=[through], default=exp.false()))


def _outputs(stored: Mapping[str, str], tokens: Mapping[str, str]) -> list[Output]:
    typed = {**stored, **dict.fromkeys(tokens.values(), TOKEN_TYPE)}
    return [Output(name=name, type=type_, column=name if trino_type(type_) else None) for name, type_ in typed.items()]


def _unsaid(stored: Mapping[str, str], view: View, tokens: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    """Columns whose tokens cannot stand in their place: a mask has its column's type, and reads its table alone."""
    for name, mask in view.masks.items():
        if mask.kind != "token" or name not in tokens:
            continue
        if tokens[name] is None:
            yield name, "its tokens lie where Trino does not read them"
        elif stored.get(name) != TOKEN_TYPE:
            yield name, f"its tokens are texts, and Trino shows a {stored.get(name)} in this column"


def _mask(column: guards.ShownColumn, *, fenced: bool) -> str | None:
    if not (column.masked or fenced):
        return None
    shown = _shown(column)
    return written(exp.Case(ifs=[exp.If(this=let_through(call("random")), true=shown)]) if fenced else shown)


def _shown(column: guards.ShownColumn) -> exp.Expr:
    """A value of any type may stand as it is, and NULL for it."""
    if column.value is not None:
        return column.value.tree
    return exp.Null() if column.masked else exp.column(quoted(column.name))


def _no_subquery(node: exp.Expr, scope: Scope) -> tuple[exp.Query, list[Output]]:
    raise QueryRejectedError("a rule holds no SELECT")
