"""What one party runs for a clean room: of each person under a token, and of each combination of dimensions, the counts and sums.

Written from an `Extract` and the agreement alone; no word of an asker is in it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from mesh_defs.model.room import DimensionValue, Field, SharedTable
from mesh_defs.sql.tree import write
from mesh_defs.sql.uniform import call

# A parameter of the SELECT, so that no key stands in a text.
KEY = "key"
PERSON, TOKEN, ROWS = "person", "token", "n"
# Of a hash so many digits are sent, as is argued in `cleanroom.parcel`. The rest stays unknown: who saw all could go on hashing.
TOKEN_DIGITS = 24
OTHER = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What is wanted of one party's tables: dimensions by their codes, measures with their number of decimals.

    `within`: for each dimension that may be narrowed, the values beside which no row counts. `once`: each person counts once
    for each combination of codes, however many rows there are.
    """

    tables: tuple[SharedTable, ...]
    dimensions: tuple[Field, ...]
    within: Mapping[Field, tuple[DimensionValue, ...]]
    measures: Mapping[Field, int]
    once: bool


def partial_sql(own: Own) -> str:
    """Return a SELECT of `token` (TOKEN_DIGITS hexadecimal digits), the codes d0, d1, …, `n` rows, and for each measure its sum
    s0, … and its number of values c0, …; one row for each person and codes, in no order.

    A code is the place of the value in the dimension's domain, -1 for any other and for NULL. Rows without a person do not
    count. Tokens are SHA-256 of a key, which is a parameter, and the person, cut to its first 96 bits (chop-MD: Coron, Dodis,
    Malinaud and Puniya 2005), and are made once for each person, not for each row.
    """
    codes = [exp.column(_name(f"d{n}")) for n in range(len(own.dimensions))]
    counted = [] if own.once else list(_totals(own.measures))
    persons = exp.Select(
        expressions=[_person(), *codes, *(counted or [_as(exp.Literal.number(1), ROWS)])],
        from_=exp.From(this=exp.Subquery(this=_rows(own), alias=_alias("read"))),
        group=exp.Group(expressions=[_person(), *(each.copy() for each in codes)]),
    )
    sent = [exp.column(_name(each.alias_or_name), table=_name("persons")) for each in persons.expressions[1:]]
    if codes:
        return write(_keyed(persons, sent))
    from_ = exp.From(this=exp.Subquery(this=persons, alias=_alias("persons")))
    return write(exp.Select(expressions=[_as(_token(_person()), TOKEN), *sent], from_=from_))


def columns_of(own: Own) -> tuple[str, ...]:
    """Names of the columns of `partial_sql`, in order."""
    codes = [f"d{n}" for n in range(len(own.dimensions))]
    sums = [] if own.once else [f"{kind}{n}" for n in range(len(own.measures)) for kind in "sc"]
    return (TOKEN, *codes, ROWS, *sums)


def _keyed(persons: exp.Select, sent: Sequence[exp.Expr]) -> exp.Select:
    """What is sent of rows of which a person may have several, with her token."""
    once = exp.Select(expressions=[_person()], distinct=exp.Distinct(), from_=_from("persons"))
    keyed = exp.Select(
        expressions=[_person(), _as(_token(_person()), TOKEN)],
        from_=exp.From(this=exp.Subquery(this=once, alias=_alias("once"))),
    )
    ctes = [exp.CTE(this=persons, alias=_alias("persons")), exp.CTE(this=keyed, alias=_alias("keyed"))]
    same = exp.EQ(this=_person("persons"), expression=_person("keyed"))
    return exp.Select(
        with_=exp.With(expressions=ctes),
        expressions=[exp.column(_name(TOKEN), table=_name("keyed")), *sent],
        from_=_from("persons"),
        joins=[exp.Join(this=exp.Table(this=_name("keyed")), on=same)],
    )


def _token(person: exp.Expr) -> exp.Expr:
    whole = call("sha256", call("concat", exp.Placeholder(this=KEY), person))
    return call("substr", whole, exp.Literal.number(1), exp.Literal.number(TOKEN_DIGITS))


def _rows(own: Own) -> exp.Select:
    """One row for each row of the join, with codes instead of values. Tables of one party meet by the person alone."""
    aliases = {table.name: f"t{n}" for n, table in enumerate(own.tables)}
    persons = [exp.column(_name(table.person), table=_name(aliases[table.name])) for table in own.tables]
    shown = [_as(_cast(persons[0].copy(), "VARCHAR"), PERSON)]
    shown += [_as(_code(field, own.tables, aliases), f"d{number}") for number, field in enumerate(own.dimensions)]
    if not own.once:
        shown += [_as(_column(field, aliases), f"m{number}") for number, field in enumerate(own.measures)]
    conditions: list[exp.Expr] = [exp.Not(this=exp.Is(this=persons[0].copy(), expression=exp.Null()))]
    conditions += [
        exp.In(this=_column(field, aliases), expressions=[_literal(value) for value in values])
        for field, values in sorted(own.within.items())
    ]
    return exp.Select(
        expressions=shown,
        from_=exp.From(this=_table(own.tables[0], aliases)),
        joins=[
            exp.Join(this=_table(table, aliases), on=exp.EQ(this=persons[0].copy(), expression=person.copy()))
            for table, person in list(zip(own.tables, persons, strict=True))[1:]
        ],
        where=exp.Where(this=exp.and_(*conditions)),
    )


def _totals(measures: Mapping[Field, int]) -> Iterator[exp.Expr]:
    yield _as(call("count", exp.Star()), ROWS)
    for number, scale in enumerate(measures.values()):
        measure = exp.column(_name(f"m{number}"))
        yield _as(_cast(call("sum", measure), f"DECIMAL(38,{scale})"), f"s{number}")
        yield _as(call("count", measure.copy()), f"c{number}")


def _code(field: Field, tables: Sequence[SharedTable], aliases: Mapping[str, str]) -> exp.Expr:
    (domain,) = (table.dimensions[field.column] for table in tables if table.name == field.table)
    cases = [
        exp.If(this=exp.EQ(this=_column(field, aliases), expression=_literal(value)), true=exp.Literal.number(code))
        for code, value in enumerate(domain)
    ]
    return _cast(exp.Case(ifs=cases, default=exp.Neg(this=exp.Literal.number(-OTHER))), "SMALLINT")


def _column(field: Field, aliases: Mapping[str, str]) -> exp.Column:
    return exp.column(_name(field.column), table=_name(aliases[field.table]))


def _table(table: SharedTable, aliases: Mapping[str, str]) -> exp.Table:
    domain, name = table.product.split(".")
    return exp.Table(this=_name(name), db=_name(domain), alias=_alias(aliases[table.name]))


def _literal(value: DimensionValue) -> exp.Expr:
    return exp.Literal.number(value) if isinstance(value, int) else exp.Literal.string(value)


def _person(table: str | None = None) -> exp.Column:
    return exp.column(_name(PERSON), table=_name(table) if table else None)


def _from(name: str) -> exp.From:
    return exp.From(this=exp.Table(this=_name(name)))


def _as(value: exp.Expr, name: str) -> exp.Alias:
    return exp.Alias(this=value, alias=_name(name))


def _alias(name: str) -> exp.TableAlias:
    return exp.TableAlias(this=_name(name))


def _cast(value: exp.Expr, type_: str) -> exp.Cast:
    return exp.Cast(this=value, to=exp.DataType.build(type_, dialect="duckdb"))


def _name(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)
