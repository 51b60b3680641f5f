"""DuckDB's column types as text: the one spelling that `typeof` gives, from whatever spelling a person used."""

import re
from collections.abc import Callable, Iterator

from mesh_defs.model.names import literal, quoted
from mesh_defs.sql.keywords import KEYWORDS

CHARACTERS_MAX = 10_000
DEPTH_MAX = 32

_TOKENS = re.compile(r"""\s*(?:("(?:[^"]|"")+")|('(?:[^']|'')*')|([A-Za-z_]\w*|\d+|[(),\[\]]))""", re.ASCII)
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SPELLINGS = {
    "VARCHAR": "VARCHAR TEXT STRING CHAR CHARACTER BPCHAR NCHAR NVARCHAR",
    "BOOLEAN": "BOOLEAN BOOL LOGICAL",
    "TINYINT": "TINYINT INT1",
    "SMALLINT": "SMALLINT INT2 INT16 SHORT",
    "INTEGER": "INTEGER INT INT4 INT32 SIGNED INTEGRAL",
    "BIGINT": "BIGINT INT8 INT64 LONG OID",
    "HUGEINT": "HUGEINT INT128",
    "UTINYINT": "UTINYINT UINT8",
    "USMALLINT": "USMALLINT UINT16",
    "UINTEGER": "UINTEGER UINT32",
    "UBIGINT": "UBIGINT UINT64",
    "UHUGEINT": "UHUGEINT UINT128",
    "BIGNUM": "BIGNUM VARINT",
    "FLOAT": "FLOAT FLOAT4 REAL",
    "DOUBLE": "DOUBLE FLOAT8",
    "BLOB": "BLOB BYTEA BINARY VARBINARY",
    "BIT": "BIT BITSTRING",
    "DATE": "DATE",
    "TIME": "TIME",
    "TIME_NS": "TIME_NS",
    "TIME WITH TIME ZONE": "TIMETZ",
    "TIMESTAMP": "TIMESTAMP DATETIME TIMESTAMP_US",
    "TIMESTAMP_S": "TIMESTAMP_S",
    "TIMESTAMP_MS": "TIMESTAMP_MS",
    "TIMESTAMP_NS": "TIMESTAMP_NS",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ",
    "INTERVAL": "INTERVAL",
    "UUID": "UUID GUID",
    "JSON": "JSON",
    "VARIANT": "VARIANT",
    "GEOMETRY": "GEOMETRY",
}
_SECOND_DIGITS = ((0, "_S"), (3, "_MS"), (6, ""), (9, "_NS"))
_CANONICAL = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings.split()}


def duckdb_type(text: str) -> str | None:
    """Return the type as DuckDB 1.5.5's `typeof` writes it; None when it is no type that every DuckDB has.

    Pure, and safe on hostile text: what is returned holds nothing but a type.
    """
    if len(text) > CHARACTERS_MAX or "\x00" in text:
        return None
    try:
        reader = _Reader(text)
        found = reader.type()
        return found if reader.ended else None
    except _NotAType:
        return None


class _NotAType(Exception):
    """The text is not a type; stays within this module."""


class _Reader:
    """Recursive descent over the tokens of one type."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._place = 0
        self._depth = 0

    @property
    def ended(self) -> bool:
        return self._place == len(self._tokens)

    def type(self) -> str:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise _NotAType
        found = self._element()
        while self._take("["):
            size = "" if self._take("]") else self._number(1, 100_000)
            if size:
                self._expect("]")
            found += f"[{size}]"
        self._depth -= 1
        return found

    def _element(self) -> str:
        name = self._word()
        if name in _NESTED and self._take("("):
            found = _NESTED[name](self)
            self._expect(")")
            return found
        if name in ("DECIMAL", "NUMERIC", "DEC"):
            return self._decimal()
        if name in ("TIME", "TIMESTAMP"):
            return self._time(name)
        if name == "DOUBLE" and self._take("PRECISION"):
            return "DOUBLE"
        if name == "CHARACTER":
            self._take("VARYING")
        if name not in _CANONICAL:
            raise _NotAType
        if _CANONICAL[name] == "VARCHAR" and self._take("("):  # a length, which DuckDB ignores
            self._number(0, 2**31 - 1)
            self._expect(")")
        return _CANONICAL[name]

    def _decimal(self) -> str:
        width, scale = "18", "3"
        if self._take("("):
            width, scale = self._number(1, 38), "0"
            if self._take(","):
                scale = self._number(0, int(width))
            self._expect(")")
        return f"DECIMAL({width},{scale})"

    def _time(self, name: str) -> str:
        for zone, suffix in (("WITH", " WITH TIME ZONE"), ("WITHOUT", "")):
            if self._take(zone):
                self._expect("TIME")
                self._expect("ZONE")
                return name + suffix
        if name == "TIMESTAMP" and self._take("("):
            digits = int(self._number(0, 9))
            self._expect(")")
            return "TIMESTAMP" + next(suffix for most, suffix in _SECOND_DIGITS if digits <= most)
        return name

    def _fields(self) -> Iterator[str]:
        names: set[str] = set()
        while not names or self._take(","):
            name = self._name()
            if name.lower() in names:
                raise _NotAType
            names.add(name.lower())
            plain = _PLAIN_NAME.fullmatch(name) and name.lower() not in KEYWORDS
            yield f"{name if plain else quoted(name)} {self.type()}"

    def _struct(self) -> str:
        return f"STRUCT({', '.join(self._fields())})"

    def _union(self) -> str:
        return f"UNION({', '.join(self._fields())})"

    def _map(self) -> str:
        key = self.type()
        self._expect(",")
        return f"MAP({key}, {self.type()})"

    def _enum(self) -> str:
        values: list[str] = []
        while not values or self._take(","):
            token = self._next()
            value = token[1:-1].replace("''", "'")
            if not token.startswith("'") or value in values:
                raise _NotAType
            values.append(value)
        return f"ENUM({', '.join(map(literal, values))})"

    def _name(self) -> str:
        token = self._next()
        if token.startswith('"'):
            return token[1:-1].replace('""', '"')
        if not _PLAIN_NAME.fullmatch(token):
            raise _NotAType
        return token

    def _word(self) -> str:
        return self._name().upper()

    def _number(self, least: int, most: int) -> str:
        token = self._next()
        if not token.isdigit() or len(token) > 10 or not least <= int(token) <= most:
            raise _NotAType
        return str(int(token))

    def _next(self) -> str:
        if self.ended:
            raise _NotAType
        self._place += 1
        return self._tokens[self._place - 1]

    def _take(self, token: str) -> bool:
        taken = not self.ended and self._tokens[self._place].upper() == token
        self._place += taken
        return taken

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise _NotAType


_NESTED: dict[str, Callable[[_Reader], str]] = {
    "STRUCT": _Reader._struct,
    "ROW": _Reader._struct,
    "UNION": _Reader._union,
    "MAP": _Reader._map,
    "ENUM": _Reader._enum,
}


def _tokens(text: str) -> Iterator[str]:
    place, end = 0, len(text.rstrip())
    while place < end:
        match = _TOKENS.match(text, place)
        if not match:
            raise _NotAType
        place = match.end()
        yield match.group(match.lastindex or 0)
