"""What a pin is in Trino, and the subquery that shows of it what may be seen: filtered, masked, and fenced.

Trino merges what an asker wrote into one condition with a rule, and evaluates parts of it on rows that the rule hides;
there is nothing like DuckDB's tables apart to fall back to. So what a rule hides passes a *fence*: a random number that
stands beside each row which the rule let through, and that every column and the row itself depend on. No optimiser may
move a condition on a value that is not deterministic below where it is made; `sql.translation.verify` sees that it did not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from mesh_defs.model.query import TrinoTable
from mesh_defs.model.version import Pin
from mesh_defs.sql.translation.scope import Output
from mesh_defs.sql.translation.values import call, trino_type

FENCE = "fence"
# Wider than what their stores keep for Trino; and of Postgres a time, whose 24:00 Trino takes for the microsecond before.
_NOT_READ = frozenset({"HUGEINT"})
_NOT_READ_FROM = {"postgres": _NOT_READ | {"TIME"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A pin, and the tables of Trino's that hold its rows."""

    pin: Pin
    tables: tuple[TrinoTable, ...]

    def outputs(self) -> list[Output]:
        """Its columns, those of its tokens too."""
        typed: Mapping[str, str] = {**self.pin.columns, **dict.fromkeys(self.pin.tokens.values(), "VARCHAR")}
        unread = _NOT_READ_FROM.get(self.pin.kind, _NOT_READ)
        return [
            Output(name=name, type=type_, column=name if trino_type(type_) and type_ not in unread else None)
            for name, type_ in typed.items()
        ]

    def relation(self, alias: str) -> exp.Expr:
        """What stands in FROM: its table, or all of them one after the other."""
        named = exp.TableAlias(this=quoted(alias))
        if len(self.tables) == 1 and not self.tables[0].columns:
            table = _table(self.tables[0])
            table.set("alias", named)
            return table
        selects = [
            exp.Select(expressions=self._read(table), from_=exp.From(this=_table(table))) for table in self.tables
        ]
        union = exp.union(*selects, distinct=False, copy=False) if len(selects) > 1 else selects[0]
        return exp.Subquery(this=union, alias=named)

    def _read(self, table: TrinoTable) -> list[exp.Expr]:
        """The columns of one of its tables; another system's may have other names, and narrower types."""
        there = {name: name_there for name_there, name in table.columns}
        names = [(each.column, each.type) for each in self.outputs() if each.column]
        return [_promised(there[name], name, type_) if there else exp.column(quoted(name)) for name, type_ in names]


def fenced(guard: exp.Select, columns: Sequence[str], alias: str) -> exp.Select:
    """Put the fence between a guard and all that is done with its rows."""
    guard.append("expressions", exp.Alias(this=call("random"), alias=quoted(FENCE)))
    fence = exp.column(quoted(FENCE), table=quoted(alias))
    shown = [
        exp.Alias(
            this=exp.Case(
                ifs=[exp.If(this=let_through(fence.copy()), true=exp.column(quoted(each), table=quoted(alias)))]
            ),
            alias=quoted(each),
        )
        for each in columns
    ]
    inner = exp.Subquery(this=guard, alias=exp.TableAlias(this=quoted(alias)))
    return exp.Select(expressions=shown, from_=exp.From(this=inner), where=exp.Where(this=let_through(fence)))


def let_through(fence: exp.Expr) -> exp.Expr:
    """Return what is true of every random number, and of what is made of one."""
    return exp.GTE(this=fence, expression=exp.Literal.number("0e0"))


def quoted(name: str) -> exp.Identifier:
    """Return a name in quotes."""
    return exp.to_identifier(name, quoted=True)


def _promised(there: str, name: str, type_: str) -> exp.Expr:
    promised = exp.DataType.build(trino_type(type_) or "", dialect="trino")
    return exp.Alias(this=exp.Cast(this=exp.column(quoted(there)), to=promised), alias=quoted(name))


def _table(table: TrinoTable) -> exp.Table:
    version = None
    if table.snapshot is not None:
        number = exp.Literal.number(str(table.snapshot))
        version = exp.Version(this="VERSION", expression=number, kind="AS OF")
    return exp.Table(this=quoted(table.name), db=quoted(table.schema), catalog=quoted(table.catalog), version=version)
