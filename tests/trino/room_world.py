"""A room of two parties in one mesh whose products both engines read: `agency` asks (Parquet, registered), `shop` is protected.

The rows are those at which engines differ: keys that look alike, texts beyond ASCII, boundary days, decimals, sums past 64
bits; and groups at the edges of what may be shown. The protected products are Iceberg's.
"""

import base64
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh_defs.cleanroom.extract import Seat
from mesh_defs.cleanroom.frozen import content_digest
from mesh_defs.cleanroom.room import Room
from mesh_defs.cleanroom.signed import RoomFolder, state
from mesh_defs.ledger import Ledger
from mesh_defs.model.names import literal
from mesh_defs.model.query import EngineName
from mesh_defs.model.room import SharedTable
from mesh_defs.query.platform import Platform, open_platform
from mesh_defs.settings import Settings, load_settings
from mesh_defs.trino.register import register
from tests.meshes import contract, grants, refresh, settings_of, sql
from tests.servers import new_database
from tests.trino_server import Trino, catalogs

SHOP, AGENCY, HOST = "shop", "agency", "host"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PERSONS_MIN = 3
Engines = Mapping[str, EngineName]
# Keys that a careless engine takes for one another; the tables have rows without one, and with an empty one, too.
KEYS = (
    "ada",
    "Ada",
    "ADA",
    " ada",
    "ada ",
    "Grüße",
    "Gru\u0308ße",
    "GRÜSSE",
    "ß",
    "ẞ",
    "ı",
    "i",
    "🎈",
    "o'hara",
    "a\\b",
    "01",
    "1",
)
CHANNELS = (
    "web",
    "Web",
    " web",
    "straße",
    "STRASSE",
    "é",
    "e\u0301",
    "o'neil",
    "a\\b",
    "%",
    "日本",
    "🎈",
    "two\nlines",
)
DAYS = ("0001-01-01", "1582-10-10", "1970-01-01", "2024-02-29", "9999-12-31")
TIMES = ("0001-01-01 00:00:00", "1969-12-31 23:59:59.999999", "2038-01-19 03:14:07")
CODES = (-9223372036854775808, -1, 0, 7, 2147483648, 9223372036854775807)
# Domains of more values than a CASE of Trino's has branches.
MANY = [f"channel {n}" for n in range(600)]
MANY_DAYS = [str(date(2024, 1, 1) + timedelta(days=n)) for n in range(366)]
LIMITS = ("two", "three", "four", "half", "most", "minus")
_EDGES = f"""
SELECT k AS person, c.channel, c.day, c.at, c.code, c.units, c.price, c.huge, row_number() OVER () AS row
FROM (SELECT unnest([{", ".join(map(literal, KEYS))}, NULL, '']) AS k) AS keys, (
    SELECT n,
        [{", ".join(map(literal, CHANNELS))}, 'nobody''s', NULL][1 + n % {len(CHANNELS) + 2}] AS channel,
        [{", ".join(f"DATE '{each}'" for each in DAYS)}, NULL][1 + n % {len(DAYS) + 1}] AS day,
        [{", ".join(f"TIMESTAMP '{each}'" for each in TIMES)}, NULL][1 + n % {len(TIMES) + 1}] AS at,
        (CAST([{", ".join(map(str, CODES))}, NULL] AS BIGINT[]))[1 + n % {len(CODES) + 1}] AS code,
        CASE WHEN n % 5 > 0 THEN CAST(n % 11 - 5 AS INTEGER) END AS units,
        (CAST([0.01, -0.0, -7.25, 99999999999999999.99, NULL] AS DECIMAL(19, 2)[]))[1 + n % 5] AS price,
        (CAST([9223372036854775807, 9223372036854775807, -1, NULL] AS BIGINT[]))[1 + n % 4] AS huge
    FROM range(420) AS r(n)
) AS c
"""
# Persons two, three and four of a kind; one who has exactly half, and one who has more; a sum of nothing.
_LIMITS = """
SELECT 'p' || n AS person, 'two' AS kind, 'x' AS side, 10 AS units, n AS row FROM range(2) AS r(n)
UNION ALL SELECT 'p' || n, 'three', 'x', 10, 10 + n FROM range(3) AS r(n)
UNION ALL SELECT 'p' || n, 'four', 'y', 10, 20 + n FROM range(4) AS r(n)
UNION ALL SELECT 'p' || n, 'half', 'y', CASE n WHEN 0 THEN 30 ELSE 10 END, 30 + n FROM range(4) AS r(n)
UNION ALL SELECT 'p' || n, 'most', 'x', CASE n WHEN 0 THEN 31 ELSE 10 END, 40 + n FROM range(4) AS r(n)
UNION ALL SELECT 'p' || n, 'minus', 'y', CASE n WHEN 0 THEN -10 ELSE 10 END, 50 + n FROM range(4) AS r(n)
"""
_TEXT, _DAY, _TIME = ("logicalType: string", "logicalType: date", "logicalType: timestamp")
_INT, _BIG = ("logicalType: integer, physicalType: INTEGER", "logicalType: integer, physicalType: BIGINT")
_CENTS = "logicalType: number, physicalType: 'DECIMAL(19,2)'"
_EDGE_COLUMNS = {
    "person": _TEXT,
    "channel": _TEXT,
    "day": _DAY,
    "at": _TIME,
    "code": _BIG,
    "units": _INT,
    "price": _CENTS,
    "huge": _BIG,
}
_KEYED = {"whole": "BIGINT", "decimal": "DECIMAL(12,2)", "uuid": "UUID"}
_KEYED_SQL = """
SELECT n - 20 AS whole, CAST((n - 20) / 4 AS DECIMAL(12, 2)) AS decimal,
    CAST(substr(md5(n::VARCHAR), 1, 32) AS UUID) AS uuid, DATE '1969-12-01' + CAST(n AS INTEGER) AS day, (n - 20) / 4 AS float,
    n AS row FROM range(40) AS r(n)
"""
_KEYED_COLUMNS = {
    "whole": _BIG,
    "decimal": "logicalType: number, physicalType: 'DECIMAL(12,2)'",
    "uuid": "logicalType: string, physicalType: UUID",
    "day": _DAY,
    "float": "logicalType: number, physicalType: DOUBLE",
}
_TO_ROOM = "{id: room, principals: [ada], purposes: [measurement]}"


@dataclass(frozen=True, kw_only=True)
class RoomWorld:
    """Both parties' platform, and what their agreements say."""

    settings: Settings
    platform: Platform
    folder: Path
    keys: Mapping[str, Ed25519PrivateKey]

    def seat(self, party: str, engine: EngineName) -> Seat:
        return Seat(party=party, platform=self.platform, principal="ada", purpose="measurement", engine=engine)

    def room(self, engines: Engines, level: str = "threshold", **changes: Any) -> Room:
        """A fresh room whose parties read by these engines."""
        body = self.agreement(level) | changes
        files = RoomFolder(self.folder / secrets.token_hex(4) / "edges")
        files.path.mkdir(parents=True)
        (files.path / "agreement.yaml").write_text(yaml.safe_dump(body, sort_keys=False, allow_unicode=True))
        for party in (SHOP, AGENCY):
            files.keep(state("signed", files.agreement(), party, self.keys[party], NOW))
        ledger = Ledger(f"sqlite:///{files.path.parent / 'ledger.db'}")
        seats = {party: self.seat(party, engine) for party, engine in engines.items()}
        return Room(folder=files, seats=seats, ledger=ledger, clock=lambda: NOW)

    def agreement(self, level: str) -> dict[str, Any]:
        """The agreement as its file says it."""
        named = {name: {"name": name, "key": _public(key)} for name, key in self.keys.items()}
        bounds = {"lower": -100, "upper": 100}
        sums = {"functions": ["sum", "avg"]}
        tables = [
            _table("shop.edges", "person", channel=list(CHANNELS), day=list(DAYS), at=list(TIMES), code=list(CODES))
            | {
                "measures": {
                    "units": {**sums, **bounds},
                    "price": {**sums, **bounds, "decimals": 2},
                    "huge": {**sums, **bounds},
                }
            },
            _table("shop.long", "person", channel=[*MANY, *CHANNELS], day=MANY_DAYS) | {"product": "shop.edges"},
            _table("shop.nothing", "person", channel=list(CHANNELS)) | {"measures": {"units": {**sums, **bounds}}},
            _table("shop.limits", "person", kind=list(LIMITS), side=["x", "y"])
            | {"measures": {"units": {**sums, **bounds}}},
            *(_table(f"shop.by_{kind}", kind) | {"product": "shop.keyed"} for kind in _KEYED_COLUMNS),
            _table("agency.people", "person", tier=["gold", "Gold"]),
            *(_table(f"agency.by_{kind}", kind) | {"product": "agency.keyed"} for kind in _KEYED_COLUMNS),
        ]
        for each in tables:
            if each["party"] == AGENCY:
                each["digest"] = self.digest(each, "duckdb") if each["name"] != "agency.by_float" else "0" * 64
        rule = {"name": "all", "level": level, "persons_min": PERSONS_MIN, "dominance_max": 0.5, "groups_max": 1000}
        template = {
            "name": "by_kind",
            "sql": "SELECT l.kind, sum(l.units) AS units FROM shop.limits AS l JOIN agency.people AS p"
            " ON l.person = p.person WHERE l.side = $side GROUP BY l.kind",
            "parameters": {"side": "shop.limits.side"},
        }
        body = {
            "format": 1,
            "id": "edges",
            "title": "What engines might read otherwise",
            "parties": [named[SHOP], named[AGENCY]],
            "analysts": [AGENCY],
            "recipients": [AGENCY],
            "joins": named[HOST],
            "valid": {"from": NOW.date(), "until": NOW.date()},
            "tables": tables,
            "rules": [rule],
            "templates": [template],
            "waived": {"mesh": ["one_population"]},
        }
        private = {"rho": 900.0, "rho_per_release": 1.0, "groups_max": 4, "rows_max": 3}
        return body | ({"privacy": private} if level == "privacy" else {})

    def digest(self, table: Mapping[str, Any], engine: EngineName) -> str:
        """What `mesh room freeze` writes, by one engine."""
        shared = SharedTable(
            name=table["name"],
            party=table["party"],
            product=table["product"],
            person=table["person"],
            dimensions={name: tuple(values) for name, values in table["dimensions"].items()},
        )
        return content_digest(shared, self.seat(table["party"], engine))


def domains() -> dict[str, dict[str, str]]:
    """Both parties' products."""
    people = f"SELECT unnest([{', '.join(map(literal, KEYS))}, NULL, '']) AS person, ['gold', 'Gold', 'none'] AS tiers"
    people = f"SELECT person, tiers[1 + row_number() OVER () % 3] AS tier, row_number() OVER () AS row FROM ({people})"
    people += " UNION ALL SELECT 'p' || n, 'gold', 1000 + n FROM range(100) AS r(n)"
    return {
        "shop": {
            **_product("shop.edges", "iceberg", _EDGE_COLUMNS, _EDGES),
            **_product("shop.nothing", "iceberg", _EDGE_COLUMNS, f"SELECT * FROM ({_EDGES}) WHERE false"),
            **_product(
                "shop.limits", "iceberg", {"person": _TEXT, "kind": _TEXT, "side": _TEXT, "units": _INT}, _LIMITS
            ),
            **_product("shop.keyed", "iceberg", _KEYED_COLUMNS, _KEYED_SQL),
        },
        "agency": {
            **_product("agency.people", "parquet", {"person": _TEXT, "tier": _TEXT}, people),
            **_product("agency.keyed", "parquet", _KEYED_COLUMNS, _KEYED_SQL),
        },
    }


@contextmanager
def room_world(trino: Trino, server: str, folder: Path) -> Iterator[RoomWorld]:
    """Publish it, and let the Trino read it."""
    with ExitStack() as stack:
        settings = published(folder / "mesh", domains(), trino, server, stack)
        platform = open_platform(settings)
        stack.callback(platform.engine.close)
        keys = {name: Ed25519PrivateKey.generate() for name in (SHOP, AGENCY, HOST)}
        yield RoomWorld(settings=settings, platform=platform, folder=folder, keys=keys)


def published(
    root: Path, domains: Mapping[str, Mapping[str, str]], trino: Trino, server: str, stack: ExitStack
) -> Settings:
    """Write a mesh, publish it, and let the Trino read it while the stack is open."""
    from tests.trino.conftest import _url

    made = settings_of(root, domains)
    made.secrets.mkdir(parents=True, exist_ok=True)
    for domain in domains:
        url = _url(stack.enter_context(new_database(server)))
        (made.secrets / f"{domain}.env").write_text(f"MESH_{domain.upper()}_POSTGRES={url}\n")
    settings = load_settings({"MESH_ROOT": str(made.root), "MESH_TRINO_URL": trino.url})
    told = {name: (each.state, each.told) for name, each in refresh(settings).items()}
    assert {state for state, _ in told.values()} == {"published"}, told
    stack.enter_context(catalogs(trino, settings))
    mesh = open_platform(settings).mesh
    assert {each.state for each in register(mesh, settings)} <= {"registered"}
    return settings


def _product(name: str, storage: str, columns: Mapping[str, str], select: str) -> dict[str, str]:
    listed = tuple(f"{{name: {column}, {type_}}}" for column, type_ in columns.items())
    return {
        **contract(
            name,
            columns=(*listed, "{name: row, logicalType: integer, primaryKey: true}"),
            storage=storage,
            granularity="aggregate",
            custom=("{property: grain, value: [row]}",),
        ),
        **sql(name.partition(".")[2], select),
        **grants(name, _TO_ROOM),
    }


def _table(name: str, person: str, **dimensions: list[Any]) -> dict[str, Any]:
    party = name.partition(".")[0]
    return {"name": name, "party": party, "product": name, "person": person, "dimensions": dimensions, "rules": ["all"]}


def _public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()
