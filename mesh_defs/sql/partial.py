"""What one party runs for a clean room: its persons under tokens, their rows, or both added up.

Written from an `Extract` and the agreement alone; no word of an asker is in it.
"""

from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from mesh_defs.model.room import DimensionValue, Field, SharedTable
from mesh_defs.sql.tree import write
from mesh_defs.sql.uniform import call

# A parameter of the SELECT, so that no key stands in a text.
KEY = "key"
PERSON, TOKEN, NUMBER, ROWS = "person", "token", "id", "n"
# Of a hash so many digits are sent, as is argued in `cleanroom.parcel`. The rest stays unknown: who saw all could go on hashing.
TOKEN_DIGITS = 24
# As many as make a number of 8 bytes.
NUMBER_DIGITS = 16
OTHER = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What is wanted of one party's tables: dimensions by their codes, measures with their number of decimals.

    `texts` are the dimensions whose columns are VARCHAR.
    `within`: for each dimension that may be narrowed, the values beside which no row counts. `once`: each person counts once
    for each combination of codes, however many rows there are.
    """

    tables: tuple[SharedTable, ...]
    dimensions: tuple[Field, ...]
    within: Mapping[Field, tuple[DimensionValue, ...]]
    measures: Mapping[Field, int]
    once: bool
    texts: frozenset[Field] = frozenset()

    @property
    def codes(self) -> tuple[str, ...]:
        """Names of the columns of codes."""
        return tuple(f"d{n}" for n in range(len(self.dimensions)))


def persons_sql(own: Own) -> str:
    """Return a SELECT of `id`, which is DuckDB's hash of a person, and `token`, once for each person, in the order of `id`."""
    once = exp.Select(expressions=[_person()], distinct=exp.Distinct(), from_=_sub(_rows(own), "read"))
    shown = [_as(_hash(), NUMBER), _as(_token(_person()), TOKEN)]
    return write(exp.Select(expressions=shown, from_=_sub(once, "once"), order=_order(NUMBER)))


def rows_sql(own: Own, shared: Collection[int]) -> str:
    """Return a SELECT of each row's `id`, codes d0, … and measures m0, …, in the order of `id` and codes.

    `id` is the hash of its person, or, where she shares that with another, what the first NUMBER_DIGITS of her token say:
    anybody can write an address whose hash is another's. `shared` are those hashes. To look for one takes as long as for
    none: else whoever wrote such an address would learn by the clock whether the other is there. To sort rows takes the
    engine a third of what it takes to tell millions of persons apart.
    """
    listed = [exp.Literal.number(each) for each in sorted(shared) or [0]]
    apart = exp.If(this=exp.In(this=_hash(), expressions=listed), true=_number())
    columns = (*own.codes, *(f"m{n}" for n in range(len(own.measures))))
    shown = [
        _as(exp.Case(ifs=[apart], default=_hash()), NUMBER),
        *(exp.column(_name(each)) for each in columns),
    ]
    return write(
        exp.Select(
            expressions=shown, from_=_sub(_rows(own, listed=own.texts), "read"), order=_order(NUMBER, *own.codes)
        )
    )


def partial_sql(own: Own) -> str:
    """Return a SELECT of `token` (TOKEN_DIGITS hexadecimal digits), the codes d0, d1, …, `n` rows, and for each measure its sum
    s0, … and its number of values c0, …; one row for each person and codes, in no order. For any engine.

    A code is the place of the value in the dimension's domain, -1 for any other and for NULL. Rows without a person do not
    count. Tokens are SHA-256 of a key, which is a parameter, and the person, cut to its first 96 bits (chop-MD: Coron, Dodis,
    Malinaud and Puniya 2005), and are made once for each person, not for each row.
    """
    codes = [exp.column(_name(each)) for each in own.codes]
    counted = [] if own.once else list(_totals(own.measures))
    persons = exp.Select(
        expressions=[_person(), *codes, *(counted or [_as(exp.Literal.number(1), ROWS)])],
        from_=_sub(_rows(own), "read"),
        group=exp.Group(expressions=[_person(), *(each.copy() for each in codes)]),
    )
    sent = [exp.column(_name(each.alias_or_name), table=_name("persons")) for each in persons.expressions[1:]]
    if codes:
        return write(_keyed(persons, sent))
    shown = [_as(_token(_person()), TOKEN), *sent]
    return write(exp.Select(expressions=shown, from_=_sub(persons, "persons")))


def _keyed(persons: exp.Select, sent: Sequence[exp.Expr]) -> exp.Select:
    """What is sent of rows of which a person may have several, with her token."""
    once = exp.Select(expressions=[_person()], distinct=exp.Distinct(), from_=_from("persons"))
    keyed = exp.Select(
        expressions=[_person(), _as(_token(_person()), TOKEN)],
        from_=_sub(once, "once"),
    )
    ctes = [exp.CTE(this=persons, alias=_alias("persons")), exp.CTE(this=keyed, alias=_alias("keyed"))]
    same = exp.EQ(this=_person("persons"), expression=_person("keyed"))
    return exp.Select(
        with_=exp.With(expressions=ctes),
        expressions=[exp.column(_name(TOKEN), table=_name("keyed")), *sent],
        from_=_from("persons"),
        joins=[exp.Join(this=exp.Table(this=_name("keyed")), on=same)],
    )


def _hash() -> exp.Expr:
    return call("hash", _person())


def _number() -> exp.Expr:
    digits = call("substr", _token(_person()), exp.Literal.number(1), exp.Literal.number(NUMBER_DIGITS))
    return _cast(call("concat", exp.Literal.string("0x"), digits), "UBIGINT")


def _token(person: exp.Expr) -> exp.Expr:
    whole = call("sha256", call("concat", exp.Placeholder(this=KEY), person))
    return call("substr", whole, exp.Literal.number(1), exp.Literal.number(TOKEN_DIGITS))


def _rows(own: Own, listed: Container[Field] = ()) -> exp.Select:
    """One row for each row of the join, with codes instead of values. Tables of one party meet by the person alone.

    Values of `listed` dimensions are looked up in a list, which takes DuckDB a fifth of what a CASE does.
    """
    aliases = {table.name: f"t{n}" for n, table in enumerate(own.tables)}
    persons = [exp.column(_name(table.person), table=_name(aliases[table.name])) for table in own.tables]
    shown = [_as(_cast(persons[0].copy(), "VARCHAR"), PERSON)]
    for name, field in zip(own.codes, own.dimensions, strict=True):
        (domain,) = (table.dimensions[field.column] for table in own.tables if table.name == field.table)
        code = _place if field in listed else _case
        shown.append(_as(_cast(code(_column(field, aliases), domain), "SMALLINT"), name))
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


def _case(column: exp.Expr, domain: Sequence[DimensionValue]) -> exp.Expr:
    cases = [
        exp.If(this=exp.EQ(this=column.copy(), expression=_literal(value)), true=exp.Literal.number(code))
        for code, value in enumerate(domain)
    ]
    return exp.Case(ifs=cases, default=_other())


def _place(column: exp.Expr, domain: Sequence[DimensionValue]) -> exp.Expr:
    place = call("list_position", exp.Array(expressions=[_literal(value) for value in domain]), column)
    return call("coalesce", exp.Sub(this=place, expression=exp.Literal.number(1)), _other())


def _other() -> exp.Expr:
    return exp.Neg(this=exp.Literal.number(-OTHER))


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


def _sub(select: exp.Select, name: str) -> exp.From:
    return exp.From(this=exp.Subquery(this=select, alias=_alias(name)))


def _order(*names: str) -> exp.Order:
    return exp.Order(expressions=[exp.Ordered(this=exp.column(_name(each))) for each in names])


def _as(value: exp.Expr, name: str) -> exp.Alias:
    return exp.Alias(this=value, alias=_name(name))


def _alias(name: str) -> exp.TableAlias:
    return exp.TableAlias(this=_name(name))


def _cast(value: exp.Expr, type_: str) -> exp.Cast:
    return exp.Cast(this=value, to=exp.DataType.build(type_, dialect="duckdb"))


def _name(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)
