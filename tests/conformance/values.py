"""A generated product: values at the edges of every type that is promised, the same for the same seed. Writes nothing."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A column's DuckDB type, how a contract says it, and values of it as DuckDB writes them; NULL is one of all."""

    type: str
    logical: str
    values: Sequence[str]
    literals: Sequence[str] = field(default=())

    def drawn(self, dice: random.Random) -> str:
        return f"CAST({dice.choice(['NULL', *self.values])} AS {self.type})"


_TEXTS = (
    "''",
    "' '",
    "'EU'",
    "'eu'",
    "'EU '",
    "'Grüße'",
    "'Gru\u0308\u00dfe'",  # decomposed: another text
    "'straße'",
    "'STRASSE'",
    "'🎈'",
    "'x🎈y'",
    "'\ufffd'",
    "'\ue000'",  # above the surrogates of an astral letter in UTF-16, below it in UTF-8
    "'İ'",
    "'ЕU'",  # a Cyrillic letter
    "'a_b%c\\d'",
    "'it''s'",
    "'tab\tend'",
    "'line\nend'",
    "'\u00a0'",
    "'NULL'",
    "'12'",
    "repeat('ü', 300)",
)
KINDS: Mapping[str, Kind] = {
    "t": Kind(
        type="VARCHAR", logical="string", values=_TEXTS, literals=[each for each in _TEXTS if "repeat" not in each]
    ),
    "u": Kind(type="VARCHAR", logical="string", values=_TEXTS, literals=["'EU'", "''", "'🎈'"]),
    "n": Kind(
        type="INTEGER",
        logical="integer",
        values=("0", "1", "-1", "7", "2147483647", "-2147483648"),
        literals=("0", "-1", "7", "2147483647"),
    ),
    "k": Kind(
        type="BIGINT",
        logical="integer",
        values=("0", "42", "9007199254740993", "9223372036854775807", "-9223372036854775808"),
        literals=("42", "900719925474099300", "-1"),
    ),
    "s": Kind(type="SMALLINT", logical="integer", values=("0", "32767", "-32768", "5"), literals=("5", "-32768")),
    "h": Kind(
        type="DECIMAL(38,0)",
        logical="number",
        values=("0", "99999999999999999999999999999999999999", "-99999999999999999999999999999999999999", "5"),
        literals=("5", "0", "99999999999999999999999999999999999999"),
    ),
    "m": Kind(
        type="DECIMAL(12,2)",
        logical="number",
        values=("0", "0.10", "-0.01", "9999999999.99", "-7.25"),
        literals=("0.1", "-7.25", "0", "9999999999.99"),
    ),
    "p": Kind(
        type="DECIMAL(38,18)",
        logical="number",
        values=("0.000000000000000001", "-1", "99999999999999999999.999999999999999999", "0"),
        literals=("0.000000000000000001", "-1"),
    ),
    "f": Kind(
        type="DOUBLE",
        logical="number",
        values=("0.0", "'-0.0'", "'nan'", "'inf'", "'-inf'", "1.5", "0.1", "5e-324", "1.7976931348623157e308", "1e15"),
        literals=("0", "1.5", "0.1", "-1e99", "1e15"),
    ),
    "r": Kind(
        type="FLOAT",
        logical="number",
        values=("0.0", "'-0.0'", "'nan'", "'inf'", "1.5", "0.1", "3.4028235e38", "16777216"),
        literals=("1.5", "0.1", "0"),
    ),
    "d": Kind(
        type="DATE",
        logical="date",
        values=(
            *("'0001-01-01'", "'1582-10-04'", "'1582-10-10'", "'1582-10-15'", "'1899-12-31'", "'1970-01-01'"),
            *("'2000-02-29'", "'2024-12-30'", "'9999-12-31'"),
        ),
        literals=("'1970-01-01'", "DATE '2000-02-29'", "'1582-10-10'", "'9999-12-31'"),
    ),
    "w": Kind(
        type="TIMESTAMP",
        logical="timestamp",
        values=(
            *(
                "'0001-01-01 00:00:00'",
                "'1582-10-10 12:00:00'",
                "'1969-12-31 23:59:59.999999'",
                "'1970-01-01 00:00:00'",
            ),
            *(
                "'2021-03-28 02:30:00'",
                "'2024-02-29 12:30:15.5'",
                "'2038-01-19 03:14:07'",
                "'9999-12-31 23:59:59.999999'",
            ),
        ),
        literals=("'1970-01-01 00:00:00'", "TIMESTAMP '2021-03-28 02:30:00'", "'2024-02-29T12:30:15.5'"),
    ),
    "z": Kind(
        type="TIMESTAMP WITH TIME ZONE",
        logical="timestamp",
        values=("'1969-12-31 23:59:59.999999+00'", "'2021-03-28 02:30:00+01'", "'2024-07-01 00:00:00-11'"),
    ),
    "o": Kind(type="BOOLEAN", logical="boolean", values=("true", "false"), literals=("true", "false")),
    "i": Kind(
        type="UUID",
        logical="string",
        values=("'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-4fff-bfff-ffffffffffff'"),
        literals=("'FFFFFFFF-ffff-4fff-bfff-ffffffffffff'",),
    ),
    "consent": Kind(type="BOOLEAN", logical="boolean", values=("true", "true", "false"), literals=("true",)),
}
# What Trino has no type for, or the translation does not know yet.
ODD: Mapping[str, Kind] = {
    "tags": Kind(type="VARCHAR[]", logical="array", values=("['a', 'ü']", "[]", "[NULL, '']")),
    "c": Kind(type="TIME", logical="time", values=("'00:00:00'", "'23:59:59.999999'")),
    "x": Kind(type="BLOB", logical="string", values=("'\\x00\\xFF'::BLOB", "''::BLOB")),
    "y": Kind(type="UINTEGER", logical="integer", values=("0", "4294967295"), literals=("4294967295",)),
    "v": Kind(
        type="HUGEINT", logical="integer", values=("0", "170141183460469231731687303715884105", "-5"), literals=("-5",)
    ),
    "e": Kind(type="TINYINT", logical="integer", values=("-128", "127"), literals=("127",)),
    "o": KINDS["o"],
}


def select(kinds: Mapping[str, Kind], rows: int, dice: random.Random) -> str:
    """A SELECT of so many rows; `row_id` numbers them."""
    made = (f"({n}, {', '.join(kind.drawn(dice) for kind in kinds.values())})" for n in range(1, rows + 1))
    return f"SELECT * FROM (VALUES {', '.join(made)}) AS made(row_id, {', '.join(kinds)})"


def rule(kinds: Mapping[str, Kind], dice: random.Random, depth: int = 2) -> str:
    """A row rule of the whole row language over these columns."""
    if depth and dice.random() < 0.6:
        shape = dice.choice(("({} AND {})", "({} OR {})", "NOT ({})"))
        return shape.format(*(rule(kinds, dice, depth - 1) for _ in range(shape.count("{}"))))
    name = dice.choice([name for name, kind in kinds.items()])
    kind = kinds[name]
    if not kind.literals or dice.random() < 0.1:
        return f"{name} IS {dice.choice(('', 'NOT '))}NULL"
    return _condition(name, kind, dice, [other for other, each in kinds.items() if each.type == kind.type])


def _condition(name: str, kind: Kind, dice: random.Random, alike: Sequence[str]) -> str:
    one, other = dice.choice(kind.literals), dice.choice(kind.literals)
    sign = dice.choice(("=", "<>", "<", "<=", ">", ">="))
    shapes = [
        f"{name} {sign} {one}",
        f"{one} {sign} {name}",
        f"{name} {sign} {dice.choice(alike)}",
        f"{name} IN ({one}, {other})",
        f"{name} BETWEEN {one} AND {other}",
    ]
    if kind.type == "BOOLEAN":
        shapes += [name, f"{name} IS {dice.choice(('TRUE', 'NOT TRUE', 'FALSE', 'NOT FALSE'))}"]
    return dice.choice(shapes)
