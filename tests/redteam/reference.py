"""A database that physically holds only what ana may see, and whether two answers are the same answer."""

import math
import re
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from mesh_defs.model.names import literal, quoted
from tests.redteam.data import Table, World
from tests.redteam.door import Asked, Outcome, rows_of

Row = tuple[Any, ...]
_DESCRIBE = re.compile(r"\s*(describe|desc|show)\b", re.IGNORECASE)
# SUMMARIZE estimates these; two layouts of the same rows give two estimates.
_ESTIMATES = {"approx_unique": 0.2, "q25": 0.05, "q50": 0.05, "q75": 0.05, "std": 1e-9, "avg": 1e-9}


# What an attacker asks is asked here too.
SECONDS_MAX = 5.0
NO_ANSWER = "the reference does not answer"


class NoReferenceError(Exception):
    """The reference cannot be built, because the door does not answer what it must be built from."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Plain DuckDB over permitted rows: nothing hidden can come out of it."""

    connection: duckdb.DuckDBPyConnection

    def ask(self, sql: str, parameters: Mapping[str, Any] | None = None, *, optimised: bool = True) -> Outcome:
        """What the same question comes to here; not `optimised`: planned word by word."""
        cursor = self.connection.cursor()
        cursor.execute(f"PRAGMA {'enable' if optimised else 'disable'}_optimizer")
        timer = threading.Timer(SECONDS_MAX, cursor.interrupt)
        timer.start()
        try:
            table = cursor.execute(sql, dict(parameters) if parameters else None).to_arrow_table()
            return Outcome(columns=tuple(table.schema.names), rows=tuple(rows_of(table)))
        except Exception as error:  # noqa: BLE001  a reference that cannot answer decides nothing
            return Outcome(error=type(error).__name__, texts=(str(error),))
        finally:
            timer.cancel()

    def answers(self, sql: str, parameters: Mapping[str, Any] | None = None) -> bool:
        """Whether permitted rows give an answer however the question is planned: none of them makes it fail."""
        return all(self.ask(sql, parameters, optimised=each).answered for each in (True, False))

    def agrees(self, sql: str, outcome: Outcome, parameters: Mapping[str, Any] | None = None) -> str | None:
        """None when this is the right answer to the question; else what is wrong with it."""
        wanted = self.ask(sql, parameters)
        if not wanted.answered:
            return f"{NO_ANSWER}: {wanted.told.splitlines()[0][:200]}"
        wanted = _described_alike(sql, wanted, outcome)
        if same_rows(outcome.rows, wanted.rows) or _same_summary(outcome, wanted):
            return None
        if (free := _without_limit(sql)) and len(outcome.rows) == len(wanted.rows):
            if _are_among(outcome.rows, self.ask(free, parameters).rows) and not _is_ordered(sql):
                return None
            if _is_ordered(sql) and self._is_a_prefix(sql, outcome.rows, parameters):
                return None
        return f"{len(outcome.rows)} rows, {_difference(outcome.rows, wanted.rows)}"

    def _is_a_prefix(self, sql: str, rows: Sequence[Row], parameters: Mapping[str, Any] | None) -> bool:
        """Whether the rows differ from the reference's only in how ties at the limit were broken."""
        ranked = _ranked(sql)
        every = self.ask(ranked, parameters) if ranked else None
        if every is None or not every.answered:
            return False
        limited = self.ask(sql, parameters).rows
        by_row: dict[str, list[int]] = {}
        for *row, rank in every.rows:
            by_row.setdefault(_key(tuple(row)), []).append(rank)
        try:
            return sorted(min(by_row[_key(row)]) for row in rows) == sorted(min(by_row[_key(row)]) for row in limited)
        except KeyError:
            return False


def reference_for(world: World, door: Asked) -> Reference:
    """Build it from the fixture's definition; a token is whatever the door shows for the row's key."""
    limits: dict[str, Any] = {
        "threads": 1,
        "memory_limit": "1GB",
        "enable_external_access": False,
        "autoinstall_known_extensions": False,
    }
    connection = duckdb.connect(config=limits)
    for table in world.tables:
        if table.grants:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(table.domain)}")
            select = _permitted(table, door, connection)
            for name, values in world.attributes.items():
                select = select.replace(f"${{principal.{name}}}", ", ".join(map(literal, values)))
            connection.execute(f"CREATE TABLE {table.product} AS {select}")
    return Reference(connection=connection)


def _permitted(table: Table, door: Asked, connection: duckdb.DuckDBPyConnection) -> str:
    grant = table.grants[0]
    masks: Mapping[str, Any] = grant.get("masks", {})
    key = next(iter(table.columns))
    shown = [
        _masked(name, masks.get(name), type_) if masks.get(name) != "deny" else None
        for name, type_ in table.columns.items()
    ]
    rows = f"SELECT * FROM ({table.select}) AS made WHERE {grant.get('rows') or 'true'}"
    tokens = [name for name in table.columns if masks.get(name) == "token"]
    if tokens:
        wanted = ", ".join(map(quoted, (key, *tokens)))
        outcome = door.ask(f"SELECT {wanted} FROM {table.product}")
        if not outcome.answered:
            raise NoReferenceError(f"the door does not show the tokens of {table.product}: {outcome.told}")
        types = ", ".join(
            f"{quoted(name)} {'VARCHAR' if name in tokens else table.columns[name]}" for name in (key, *tokens)
        )
        connection.execute(f"CREATE OR REPLACE TEMP TABLE tokens_of_{table.name} ({types})")
        if outcome.rows:
            connection.executemany(
                f"INSERT INTO tokens_of_{table.name} VALUES ({', '.join('?' * (len(tokens) + 1))})", list(outcome.rows)
            )
    join = f" JOIN tokens_of_{table.name} AS token USING ({quoted(key)})" if tokens else ""
    columns = ", ".join(each for each in shown if each)
    # The order in which the table's own SELECT makes its rows, where a join would lose it.
    return f"SELECT {columns} FROM ({rows}) AS permitted{join} ORDER BY {quoted(key)}"


def _masked(name: str, mask: Any, type_: str) -> str:
    """The same as the platform's masks, said again, so that a mistake there is seen here."""
    column = f"permitted.{quoted(name)}"
    if mask is None:
        return column
    if mask == "token":
        return f"token.{quoted(name)} AS {quoted(name)}"
    if mask == "null":
        return f"CAST(NULL AS {type_}) AS {quoted(name)}"
    if "constant" in mask:
        value = mask["constant"]
        return f"CAST({value if isinstance(value, int) else literal(str(value))} AS {type_}) AS {quoted(name)}"
    if isinstance(mask["truncate"], int):
        return f"left({column}, {mask['truncate']}) AS {quoted(name)}"
    return f"CAST(date_trunc({literal(mask['truncate'])}, {column}) AS {type_}) AS {quoted(name)}"


def same_rows(one: Iterable[Row], other: Iterable[Row]) -> bool:
    """Compare as multisets; floats within rounding, since sums depend on the order of adding."""
    left, right = sorted(one, key=_key), sorted(other, key=_key)
    return len(left) == len(right) and all(map(_same, left, right))


def _key(row: Any) -> str:
    return repr(_rounded(row))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.9g}" if math.isfinite(value) else repr(value)
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        return one == other or math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other)


def _same_summary(one: Outcome, other: Outcome) -> bool:
    """SUMMARIZE's rows, whose estimates may differ a little; nothing else may."""
    if "approx_unique" not in one.columns or one.columns != other.columns or len(one.rows) != len(other.rows):
        return False
    return all(
        _near(mine, theirs, _ESTIMATES[name]) if name in _ESTIMATES else _same(mine, theirs)
        for left, right in zip(one.rows, other.rows, strict=True)
        for name, mine, theirs in zip(one.columns, left, right, strict=True)
    )


def _described_alike(sql: str, wanted: Outcome, outcome: Outcome) -> Outcome:
    """DESCRIBE is answered by the platform: what it tells of a column must be right, it need not be all that DuckDB tells."""
    if not _DESCRIBE.match(sql) or not set(outcome.columns) <= set(wanted.columns):
        return wanted
    places = [wanted.columns.index(name) for name in outcome.columns]
    return replace(wanted, columns=outcome.columns, rows=tuple(tuple(row[n] for n in places) for row in wanted.rows))


def _near(one: Any, other: Any, tolerance: float) -> bool:
    try:
        return math.isclose(float(one), float(other), rel_tol=tolerance, abs_tol=1e-9)
    except (TypeError, ValueError):
        return bool(one == other)


def _are_among(rows: Sequence[Row], every: Sequence[Row]) -> bool:
    return not Counter(map(_key, rows)) - Counter(map(_key, every))


def _tree(sql: str) -> exp.Query | None:
    try:
        tree = sqlglot.parse_one(sql.rstrip().rstrip(";"), dialect="duckdb")
    except (sqlglot.errors.SqlglotError, RecursionError):
        return None
    return tree if isinstance(tree, exp.Query) else None


def _without_limit(sql: str) -> str | None:
    """The question without its own LIMIT; None when it has none."""
    tree = _tree(sql)
    if tree is None or not (tree.args.get("limit") or tree.args.get("offset")):
        return None
    tree.set("limit", None)
    tree.set("offset", None)
    return tree.sql("duckdb")


def _is_ordered(sql: str) -> bool:
    tree = _tree(sql)
    return bool(tree is not None and tree.args.get("order"))


def _ranked(sql: str) -> str | None:
    """Every row with its rank in the question's own order, ties together; None when that cannot be said."""
    tree = _tree(sql)
    if not isinstance(tree, exp.Select) or tree.args.get("distinct"):
        return None
    order = tree.args["order"].copy()
    for ordered in order.expressions:
        key = ordered.this
        if isinstance(key, exp.Literal) and not key.is_string:
            ordered.set("this", tree.expressions[int(key.name) - 1].unalias().copy())
        elif isinstance(key, exp.Column) and not key.table:
            named = next((each for each in tree.expressions if each.alias == key.name), None)
            if named is not None:
                ordered.set("this", named.unalias().copy())
    rank = exp.Window(this=exp.Anonymous(this="dense_rank"), order=order)
    for part in ("order", "limit", "offset"):
        tree.set(part, None)
    return tree.select(rank).sql("duckdb")


def _difference(one: Sequence[Row], other: Sequence[Row]) -> str:
    mine, theirs = Counter(map(_key, one)), Counter(map(_key, other))
    surplus, missing = list((mine - theirs).elements()), list((theirs - mine).elements())
    return (
        f"{len(surplus)} of which are not right, {len(missing)} are missing (e.g. {str((surplus + missing)[:1])[:200]})"
    )
