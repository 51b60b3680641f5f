"""Two parties with a mesh, a key and a ledger each, and a join with its own: what a room between processes consists of."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import yaml

from mesh_defs.cleanroom.extract import Seat
from mesh_defs.cleanroom.frozen import content_digest
from mesh_defs.cleanroom.keys import identity, make_identity
from mesh_defs.cleanroom.processes import folder_of
from mesh_defs.cleanroom.signed import state
from mesh_defs.model.room import SharedTable
from mesh_defs.query.platform import open_platform
from mesh_defs.settings import Settings, load_settings
from tests.meshes import contract, grants, make_mesh, refresh, sql

ROOM, SHOP, AGENCY, JOIN = "sales-lift", "shop", "agency", "neutral"
PERSONS_MIN = 5
PRIVACY = {"rho": 0.9, "rho_per_release": 0.4, "groups_max": 6, "rows_max": 20}
CHANNELS = ("video", "display", "rare")
# Persons 1 to 400 bought, persons 201 to 600 were reached; a region that nobody agreed on, and rows without a person.
ORDERS = """
SELECT n AS order_id, CASE WHEN n % 97 > 0 THEN 'mail' || (1 + n % 400) || '@shop.example' END AS email,
       ['north', 'south', 'moon'][1 + n % 3] AS region, CAST(1 + n % 50 AS INTEGER) AS cents
FROM range(1, 3001) AS numbers(n)
"""
REACHED = """
SELECT 'mail' || n || '@shop.example' AS email, ['video', 'display'][1 + n % 2] AS channel
FROM range(201, 601) AS numbers(n)
"""
QUESTION = (
    "SELECT o.region, r.channel, count(*) AS orders, count(DISTINCT o.email) AS buyers, sum(o.cents) AS cents"
    " FROM shop.orders AS o JOIN agency.reached AS r ON o.email = r.email GROUP BY o.region, r.channel"
)
_TO_ROOM = "{id: room, principals: [ada], purposes: [measurement]}"
_EMAIL = "{name: email, logicalType: string, classification: confidential}"


@dataclass(frozen=True, kw_only=True)
class Parties:
    """The settings of all meshes, by name of party or join."""

    meshes: Mapping[str, Settings]
    frozen: str

    @property
    def names(self) -> tuple[str, ...]:
        """The parties, without the join."""
        return tuple(name for name in self.meshes if name != JOIN)

    def fresh(self) -> None:
        """Forget all that was asked, and by whom it was signed."""
        for settings in self.meshes.values():
            for file in (*settings.home.glob("ledger.*"), *settings.secrets.glob("ledger.*")):
                file.unlink()
            shutil.rmtree(settings.home / "rooms", ignore_errors=True)

    def agree(self, urls: Mapping[str, str], **changes: Any) -> None:
        """Write one agreement into all three meshes, signed by both parties."""
        for name in self.meshes:
            folder = folder_of(self.meshes[name], ROOM)
            shutil.rmtree(folder.path, ignore_errors=True)
            folder.path.mkdir(parents=True)
            (folder.path / "agreement.yaml").write_text(yaml.safe_dump(self.body(urls) | changes, sort_keys=False))
            seats = {"format": 1, "seats": {name: {"principal": "ada", "purpose": "measurement"}}}
            if name != JOIN:
                (folder.path / "seats.yaml").write_text(yaml.safe_dump(seats))
        self.sign()

    def private(self, urls: Mapping[str, str]) -> None:
        """As `agree`, at the privacy level."""
        body = self.body(urls)
        (orders, reached), (rule,) = body["tables"], body["rules"]
        orders["measures"]["cents"] |= {"lower": 0, "upper": 1_000}
        self.agree(urls, tables=[orders, reached], rules=[{**rule, "level": "privacy"}], privacy=PRIVACY)

    def sign(self) -> None:
        """The parties sign what lies in their own folder; all get the signatures."""
        for name in self.names:
            own = folder_of(self.meshes[name], ROOM)
            agreement = own.agreement()
            said = state("signed", agreement, name, identity(self.meshes[name]), agreement.valid_from)
            for settings in self.meshes.values():
                folder_of(settings, ROOM).keep(said)

    def body(self, urls: Mapping[str, str]) -> dict[str, Any]:
        """The agreement as its file says it."""
        named = {
            name: {"name": name, "key": make_identity(settings)[0], "url": urls[name]}
            for name, settings in self.meshes.items()
        }
        return {
            "format": 1,
            "id": ROOM,
            "title": "Who bought after they saw it",
            "parties": [named[name] for name in reversed(self.names)],
            "analysts": [AGENCY],
            "recipients": [AGENCY],
            "joins": named[JOIN],
            "valid": {"from": date(2026, 1, 1), "until": date(2036, 1, 1)},
            "tables": [
                {
                    "name": "shop.orders",
                    "party": SHOP,
                    "product": "sales.orders",
                    "person": "email",
                    "dimensions": {"region": ["north", "south"]},
                    "measures": {"cents": {"functions": ["sum", "avg"]}},
                    "rules": ["counts"],
                },
                {
                    "name": "agency.reached",
                    "party": AGENCY,
                    "product": "media.reached",
                    "person": "email",
                    "dimensions": {"channel": list(CHANNELS)},
                    "rules": ["counts"],
                    "digest": self.frozen,
                },
            ],
            "rules": [{"name": "counts", "level": "threshold", "persons_min": PERSONS_MIN, "dominance_max": 0.9}],
        }


@contextmanager
def parties(more: Mapping[str, Mapping[str, Mapping[str, str]]] | None = None) -> Iterator[Parties]:
    """Make and publish the three meshes, and those of `more` parties (by name, their domains)."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        shop = {
            **contract(
                "sales.orders",
                granularity="aggregate",
                columns=(
                    "{name: order_id, logicalType: integer, primaryKey: true}",
                    _EMAIL,
                    "{name: region, logicalType: string}",
                    "{name: cents, logicalType: integer, physicalType: INTEGER}",
                ),
                custom=("{property: grain, value: [order_id]}",),
            ),
            **sql("orders", ORDERS),
            **grants("sales.orders", _TO_ROOM),
        }
        reached = {
            **contract(
                "media.reached",
                granularity="aggregate",
                columns=(_EMAIL, "{name: channel, logicalType: string}"),
                custom=("{property: grain, value: [email]}",),
            ),
            **sql("reached", REACHED),
            **grants("media.reached", _TO_ROOM),
        }
        meshes = {
            party: load_settings({"MESH_ROOT": str(make_mesh(folder / party, domains)), "MESH_PRINCIPAL": "ada"})
            for party, domains in {SHOP: {"sales": shop}, AGENCY: {"media": reached}, **(more or {}), JOIN: {}}.items()
        }
        for party, settings in meshes.items():
            outcomes = refresh(settings) if party != JOIN else {}
            assert {each.state for each in outcomes.values()} <= {"published"}, outcomes
        yield Parties(meshes=meshes, frozen=_digest(meshes[AGENCY]))


def _digest(settings: Settings) -> str:
    table = SharedTable(
        name="agency.reached", party=AGENCY, product="media.reached", person="email", dimensions={"channel": CHANNELS}
    )
    seat = Seat(party=AGENCY, platform=open_platform(settings), principal="ada", purpose="measurement")
    return content_digest(table, seat)


def plain(question: str = QUESTION) -> list[tuple[Any, ...]]:
    """The same question of both tables in one database: groups of public values, with as many persons as were agreed on."""
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA shop; CREATE SCHEMA agency")
        connection.execute(f"CREATE TABLE shop.orders AS {ORDERS}")
        connection.execute(f"CREATE TABLE agency.reached AS {REACHED}")
        rows = connection.execute(f"SELECT * FROM ({question}) ORDER BY ALL").fetchall()
        return [row for row in rows if "moon" not in row]
