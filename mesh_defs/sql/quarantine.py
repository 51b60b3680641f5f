"""SELECTs over rows that break a promise: each row with its reasons, good and bad rows apart, values hidden.

A relation is text of a storage's own making, which may stand after FROM. No text of a person's is read here.
"""

from collections.abc import Mapping, Sequence

from sqlglot import exp

_PLAIN = frozenset(
    ["BOOLEAN", "VARCHAR", "DECIMAL", "FLOAT", "DOUBLE"]
    + [f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")]
    + ["INTEGER", "UINTEGER"]
)


def with_reasons(relation: str, rules: Sequence[tuple[str, exp.Expr]], reasons: str) -> str:
    """Return a SELECT of every row with one more column: the names of the rules that it breaks, null when none.

    A rule is a name and a predicate that is true for the rows that break it. Each is evaluated once per row.
    """
    broken = [exp.Case().when(predicate.copy(), exp.Literal.string(name)) for name, predicate in rules]
    joined = exp.Anonymous(this="CONCAT_WS", expressions=[exp.Literal.string(", "), *broken])
    named = exp.alias_(exp.Nullif(this=joined, expression=exp.Literal.string("")), reasons, quoted=True)
    return _from(relation, exp.Star(), named).sql("duckdb")


def good_rows(relation: str, columns: Sequence[str], reasons: str) -> str:
    """Return a SELECT of the rows without a reason, without that column."""
    return _from(relation, *map(_column, columns)).where(_is_null(reasons)).sql("duckdb")


def bad_rows(relation: str, columns: Sequence[str], reasons: str) -> str:
    """Return a SELECT of the rows with a reason, which stands last."""
    chosen = _from(relation, *map(_column, (*columns, reasons)))
    return chosen.where(exp.not_(_is_null(reasons))).sql("duckdb")


def together(*selects: str) -> str:
    """Return one SELECT of the rows of all of them, which have the same columns in the same order."""
    return exp.union(*selects, distinct=False, dialect="duckdb").sql("duckdb")


def masked(relation: str, columns: Mapping[str, str], masks: Mapping[str, str], limit: int | None) -> str:
    """Return a SELECT of some rows, where a column that has a mask shows that text for every value that is not null.

    What is masked never leaves the engine. `columns` are name -> type: what is no number, truth or text becomes text, for
    bad rows hold dates that Python has not.
    """
    shown = [_masked(name, masks[name]) if name in masks else _shown(name, type_) for name, type_ in columns.items()]
    select = _from(relation, *shown)
    return (select if limit is None else select.limit(limit)).sql("duckdb")


def _shown(name: str, type_: str) -> exp.Expr:
    plain = type_.partition("(")[0] in _PLAIN
    return _column(name) if plain else exp.alias_(exp.cast(_column(name), "TEXT"), name, quoted=True)


def _masked(name: str, mask: str) -> exp.Expr:
    hidden = exp.Case().when(exp.not_(_is_null(name)), exp.Literal.string(mask))
    return exp.alias_(hidden, name, quoted=True)


def _from(relation: str, *expressions: exp.Expr) -> exp.Select:
    source = exp.maybe_parse(relation, into=exp.From, prefix="FROM", dialect="duckdb")
    return exp.select(*expressions).from_(source.this)


def _column(name: str) -> exp.Column:
    return exp.column(name, quoted=True)


def _is_null(name: str) -> exp.Expr:
    return exp.Is(this=_column(name), expression=exp.null())
