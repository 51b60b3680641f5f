"""Worlds for the fuzzer: what ana may see is the same in all of them, what she may not see is another thing in each.

Visible are the rows whose number is a multiple of three. Masked columns differ in visible rows too, where the mask hides it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.redteam.data import PURPOSE, SALARIES, Table, World

ROWS = 120


@dataclass(frozen=True, kw_only=True)
class Hidden:
    """What hidden rows and masked cells hold: by column an expression of i, the row's number; and which rows there are."""

    rows: str = f"SELECT i FROM range(1, {ROWS + 1}) AS numbers(i)"
    values: Mapping[str, str] = field(default_factory=dict)
    salaries: str | None = SALARIES.select


_MORE = f"SELECT i FROM range(1, {ROWS + 1}) AS numbers(i) UNION ALL SELECT i * 3 + 1 AS i FROM range(1000, 1700) AS more(i)"
_ODD = {
    "note": "['', 'x', '١٢', '-', '1e400', '0x', NULL, repeat('é', 20000), '{{', '9999999999'][1 + i % 10]",
    "amount": "[1e308, -1e308, CAST('nan' AS DOUBLE), CAST('inf' AS DOUBLE), NULL, -0.0, 1e-300][1 + i % 7]",
    "region": "['', 'eu', 'EU ', NULL, 'ЕU'][1 + i % 5]",
    "person": "['', NULL, repeat('p', 3000), 'PID'][1 + i % 4]",
    "tier": "[NULL, -2147483648, 2147483647][1 + i % 3]",
    "seen_on": "[DATE '0001-01-01', DATE '9999-12-31', NULL][1 + i % 3]",
    "at": "[TIMESTAMP '0001-01-01 00:00:00', TIMESTAMP '9999-12-31 23:59:59.999999', NULL][1 + i % 3]",
    "price": "[-99999999.99, 99999999.99, 0.00, NULL][1 + i % 4]",
    "tags": "[[], NULL, [NULL], ['', 'x'], list_transform(range(300), lambda n: 'tag')][1 + i % 5]",
    "payload": "['', '{{', 'null', '[1', NULL, '{\"a\": {\"a\": 1}}'][1 + i % 6]",
    "code": "['', NULL, 'zz', repeat('q', 5000)][1 + i % 4]",
    "order_of_visit": "[NULL, -2147483648, 2147483647, 0][1 + i % 4]",
}
_OTHER = {
    "note": "'other ' || (i * 31 % 977)",
    "amount": "CAST(i * 13 % 71 AS DOUBLE)",
    "region": "['US', 'APAC', 'LATAM'][1 + i % 3]",
    "person": "'other person ' || i",
    "tier": "i * 5 % 11",
    "seen_on": "DATE '2020-06-01' + CAST(i AS INTEGER)",
    "at": "TIMESTAMP '2020-06-01 12:00:00' + to_hours(i)",
    "price": "CAST(i AS DECIMAL(10, 2)) / 7",
    "tags": "['other', 'tag' || i % 4]",
    "payload": "'{\"a\": ' || i || '}'",
    "code": "'other' || i",
    "order_of_visit": "i * 7",
}
MUTATIONS: Mapping[str, Hidden] = {
    "other values": Hidden(values=_OTHER, salaries="SELECT 'someone' AS who, CAST(1 AS DOUBLE) AS pay"),
    "odd values, more rows": Hidden(rows=_MORE, values=_ODD),
    "no hidden rows, no hr": Hidden(
        rows=f"SELECT i * 3 AS i FROM range(1, {ROWS // 3 + 1}) AS numbers(i)", salaries=None
    ),
    "nulls": Hidden(values=dict.fromkeys(_OTHER, "NULL")),
}

_BASE = {
    "note": "'hidden ' || i",
    "amount": "CAST(i AS DOUBLE)",
    "region": "['US', 'APAC'][1 + i % 2]",
    "person": "'PID-' || i",
    "tier": "i % 4",
    "seen_on": "DATE '2024-01-01' + CAST(i AS INTEGER)",
    "at": "TIMESTAMP '2024-01-01 08:00:00' + to_minutes(i)",
    "price": "CAST(i AS DECIMAL(10, 2))",
    "tags": "['hidden', 'h' || i % 3]",
    "payload": "'{\"h\": ' || i || '}'",
    "code": "'HH' || i",
    "order_of_visit": "i",
}
_ORDERS_COLUMNS = {
    "order_id": "INTEGER",
    "region": "VARCHAR",
    "person_id": "VARCHAR",
    "email": "VARCHAR",
    "amount": "DOUBLE",
    "note": "VARCHAR",
    "attrs": "STRUCT(email VARCHAR, tier INTEGER)",
}
_VISITS_COLUMNS = {
    "visit_id": "INTEGER",
    "order_id": "INTEGER",
    "seen_on": "DATE",
    "at": "TIMESTAMP",
    "price": "DECIMAL(10,2)",
    "tags": "VARCHAR[]",
    "payload": "VARCHAR",
    "score": "INTEGER",
    "flag": "BOOLEAN",
    "comment": "VARCHAR",
    "born": "DATE",
    "code": "VARCHAR",
    "secret": "VARCHAR",
}


def fuzz_world(hidden: Hidden | None = None) -> World:
    """The world with these hidden values; the base world when none are given."""
    hidden = hidden or Hidden()
    tables = (_orders(hidden), _visits(hidden))
    if hidden.salaries is None:
        return World(tables=tables)
    return World(tables=(*tables, Table(product=SALARIES.product, columns=SALARIES.columns, select=hidden.salaries)))


def _orders(hidden: Hidden) -> Table:
    grant = {
        "id": "analysts-eu",
        "roles": ["analyst_eu"],
        "purposes": [PURPOSE],
        "rows": "region IN (${principal.regions})",
        "masks": {"email": "token", "person_id": "null", "attrs": "null"},
    }
    cells = {
        "order_id": "CAST(i AS INTEGER)",
        "region": _cell("'EU'", "region", hidden),
        "person_id": _value("person", hidden),
        # Tokens of visible rows are seen: their values stay, those of hidden rows do not.
        "email": f"CASE WHEN i % 3 = 0 THEN 'u' || i % 20 || '@s3cr3t.test' ELSE {_value('person', hidden)} END",
        "amount": _cell("[CAST(i % 10 AS DOUBLE), 0.0, NULL][1 + i // 3 % 3]", "amount", hidden),
        "note": _cell(
            "['NOTE-EU-' || i, CAST(i AS VARCHAR), '2024-01-0' || i % 9, NULL, ''][1 + i // 3 % 5]", "note", hidden
        ),
        "attrs": f"{{'email': {_value('person', hidden)}, 'tier': CAST({_value('tier', hidden)} AS INTEGER)}}",
    }
    return Table(
        product="sales.orders",
        columns=_ORDERS_COLUMNS,
        select=_select(cells, _ORDERS_COLUMNS, hidden),
        grants=(grant,),
        tokens={"email": "email"},
    )


def _visits(hidden: Hidden) -> Table:
    grant = {
        "id": "visits",
        "roles": ["analyst_eu"],
        "purposes": [PURPOSE],
        "rows": "score >= 10 AND flag",
        "masks": {
            "comment": {"constant": "?"},
            "born": {"truncate": "year"},
            "code": {"truncate": 2},
            "secret": "deny",
        },
    }
    cells = {
        "visit_id": "CAST(i AS INTEGER)",
        "order_id": _cell("i % 30 * 3", "order_of_visit", hidden),
        "seen_on": _cell("DATE '2024-01-01' + CAST(i % 40 AS INTEGER)", "seen_on", hidden),
        "at": _cell("TIMESTAMP '2024-01-01 00:00:00' + to_minutes(i * 97)", "at", hidden),
        "price": _cell("CAST(i % 17 AS DECIMAL(10, 2)) / 4", "price", hidden),
        "tags": _cell("[['a', 'b'], ['b'], [], NULL, ['c', NULL]][1 + i // 3 % 5]", "tags", hidden),
        "payload": _cell("['{\"a\": ' || i || '}', '{{', '[1, 2]', NULL][1 + i // 3 % 4]", "payload", hidden),
        "score": "CASE WHEN i % 3 = 0 THEN 10 + i % 7 ELSE [9, NULL, 50, -1][1 + i % 4] END",
        "flag": "CASE WHEN i % 3 = 0 THEN true ELSE [true, true, false, NULL][1 + i % 4] END",
        "comment": _value("note", hidden),
        "born": _cell(f"make_date(1980 + i % 9, {_month(hidden)}, 7)", "seen_on", hidden),
        "code": _cell(f"['AB', 'CD'][1 + i % 2] || coalesce({_value('code', hidden)}, '')", "code", hidden),
        "secret": _value("person", hidden),
    }
    return Table(
        product="sales.visits", columns=_VISITS_COLUMNS, select=_select(cells, _VISITS_COLUMNS, hidden), grants=(grant,)
    )


def _month(hidden: Hidden) -> str:
    """Within the year that the mask shows, the month is hidden."""
    return "1 + i % 5" if hidden.values else "8 + i % 5"


def _cell(shown: str, name: str, hidden: Hidden) -> str:
    return f"CASE WHEN i % 3 = 0 THEN {shown} ELSE {_value(name, hidden)} END"


def _value(name: str, hidden: Hidden) -> str:
    return hidden.values.get(name, _BASE[name])


def _select(cells: Mapping[str, str], columns: Mapping[str, str], hidden: Hidden) -> str:
    shown = ", ".join(f"CAST({cell} AS {columns[name]}) AS {name}" for name, cell in cells.items())
    return f"SELECT {shown} FROM ({hidden.rows}) AS numbered"
