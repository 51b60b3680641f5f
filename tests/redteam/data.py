"""What the fixture mesh holds and who may see what of it, as the README of the corpora says. Writes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

ANA, PURPOSE = "ana", "reporting"
EU_ROWS = "region = 'EU'"
EU_MASKS = {"email": "token", "person_id": "null", "attrs": "null"}
NOBODY: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Table:
    """One product: columns (name -> DuckDB type), the SELECT that makes it, and its grants as access files say them.

    The first column is its key. `tokens`: column -> the kind of identifier that joinable tokens are made for.
    """

    product: str
    columns: Mapping[str, str]
    select: str
    grants: tuple[Mapping[str, Any], ...] = NOBODY
    tokens: Mapping[str, str] = field(default_factory=dict)

    @property
    def domain(self) -> str:
        return self.product.partition(".")[0]

    @property
    def name(self) -> str:
        return self.product.partition(".")[2]

    def grant(self, **changes: Any) -> "Table":
        """The same product, its one grant changed."""
        return replace(self, grants=tuple({**grant, **changes} for grant in self.grants))


def to_ana(*, rows: str | None = EU_ROWS, masks: Mapping[str, Any] = EU_MASKS) -> Mapping[str, Any]:
    """The grant of the analysts, as it stands in an access file."""
    grant: dict[str, Any] = {"id": "analysts-eu", "roles": ["analyst_eu"], "purposes": [PURPOSE]}
    return {**grant, **({"rows": rows} if rows else {}), **({"masks": dict(masks)} if masks else {})}


# i stands for a row's number, 1 to ROWS.
ROWS = 3000
_REGION = "['EU', 'US', 'APAC'][1 + i % 3]"
_EMAIL = "'u' || i || '@s3cr3t.test'"
ORDERS = Table(
    product="sales.orders",
    columns={
        "order_id": "INTEGER",
        "region": "VARCHAR",
        "person_id": "VARCHAR",
        "email": "VARCHAR",
        "amount": "DOUBLE",
        "note": "VARCHAR",
        "attrs": "STRUCT(email VARCHAR, tier INTEGER)",
    },
    select=f"""SELECT CAST(i AS INTEGER) AS order_id, {_REGION} AS region,
    'PID-' || lpad(CAST(i AS VARCHAR), 6, '0') AS person_id, {_EMAIL} AS email, CAST(i * 7 % 100 AS DOUBLE) AS amount,
    'NOTE-' || {_REGION} || '-' || i AS note,
    {{'email': {_EMAIL}, 'tier': CAST(i % 4 AS INTEGER)}} AS attrs FROM range(1, {ROWS + 1}) AS numbers(i)""",
    grants=(to_ana(),),
    tokens={"email": "email"},
)
# An engine learns while it scans, and changes the order of what it does after some 50,000 rows.
LARGE_ROWS = 300_000
LARGE_ORDERS = replace(
    ORDERS.grant(masks=dict.fromkeys(EU_MASKS, "null")),
    select=ORDERS.select.replace(f"range(1, {ROWS + 1})", f"range(1, {LARGE_ROWS + 1})"),
)
SALARIES = Table(
    product="hr.salaries",
    columns={"who": "VARCHAR", "pay": "DOUBLE"},
    select="SELECT 'LEAKHIDDEN-' || i AS who, CAST(1000.0 * i AS DOUBLE) AS pay FROM range(1, 50) AS numbers(i)",
)


def without_structs(table: Table) -> Table:
    """The same for a storage that keeps no nested types: its nearest equivalent is JSON in a text."""
    nested = [name for name, type_ in table.columns.items() if type_.startswith("STRUCT")]
    columns = {name: "VARCHAR" if name in nested else type_ for name, type_ in table.columns.items()}
    casts = ", ".join(f"CAST(to_json({name}) AS VARCHAR) AS {name}" if name in nested else name for name in columns)
    select = f"SELECT {casts} FROM ({table.select}) AS given"
    return replace(table, columns=columns, select=select) if nested else table


def without_tokens(table: Table) -> Table:
    """The same for an external product, which the mesh does not publish: what would be a token is empty instead."""
    if not table.tokens:
        return table
    masks = {name: "null" if mask == "token" else mask for name, mask in EU_MASKS.items()}
    return replace(table.grant(masks=masks), tokens={})


@dataclass(frozen=True, kw_only=True)
class World:
    """A whole mesh to be attacked: products, and the attributes of ana."""

    tables: tuple[Table, ...] = (ORDERS, SALARIES)
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {"regions": ("EU",)})

    def with_orders(self, orders: Table) -> "World":
        """The same world with another sales.orders."""
        return replace(self, tables=(orders, *self.tables[1:]))


README = World()
