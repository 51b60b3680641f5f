"""The mesh of the room's corpus: both parties' tables as products, and the agreement that the README of the corpora describes.

One mesh for both parties, and a room in one process: what is attacked are the rules, not the wire (room_processes.py).
"""

import base64
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.scratch import make_mesh
from mesh_defs.cleanroom.extract import Seat
from mesh_defs.cleanroom.frozen import content_digest
from mesh_defs.cleanroom.room import Room
from mesh_defs.cleanroom.signed import RoomFolder, state
from mesh_defs.ledger import Ledger
from mesh_defs.model.room import SharedTable
from mesh_defs.query.mesh import open_mesh
from mesh_defs.query.platform import Platform, open_platform
from mesh_defs.refresh.in_process import refresh_in_process
from mesh_defs.settings import Settings, load_settings
from tests.redteam.room_data import CAMPAIGNS, DEVICES, REGIONS, SEGMENTS, TABLES, TIERS, build

PUBLISHER, ADVERTISER, HOST = "pub", "adv", "host"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PERSONS_MIN, DOMINANCE_MAX = 25, 0.5
# `food` is a segment that nobody is in yet: a domain is agreed upon, not read off the rows.
DIMENSIONS: Mapping[str, Mapping[str, list[str]]] = {
    "pub.persons": {"segment": [*SEGMENTS, "food"], "region": [*REGIONS, "tiny"]},
    "pub.impressions": {"campaign": [*CAMPAIGNS, "whale"], "device": [*DEVICES, "one_heavy"]},
    **{f"adv.{name}": {"tier": list(TIERS)} for name in TABLES["adv"]},
}
TEMPLATES = [
    {
        "name": "reach_by_segment",
        "sql": "SELECT p.segment, count(DISTINCT p.hem) AS reach FROM pub.persons AS p JOIN adv.customers AS c"
        " ON p.hem = c.hem WHERE p.segment = $segment GROUP BY p.segment",
        "parameters": {"segment": "pub.persons.segment"},
    },
    {
        "name": "spend_by_campaign",
        "sql": "SELECT i.campaign, sum(i.cost_micros) AS spend FROM pub.impressions AS i JOIN adv.customers AS c"
        " ON i.hem = c.hem WHERE i.device = $device GROUP BY i.campaign",
        "parameters": {"device": "pub.impressions.device"},
    },
]
# One person has at most 10 rows of each campaign but for the heavy one, of at most 9,999 each.
PRIVACY = {"rho": 0.5, "rho_per_release": 0.5, "groups_max": 5, "rows_max": 10}
COST_BOUNDS = {"lower": 0, "upper": 100_000}
_LOGICAL = {"VARCHAR": "string", "TIMESTAMP": "timestamp", "INTEGER": "integer", "BIGINT": "integer"}
_CONTRACT = """apiVersion: v3.1.0
kind: DataContract
id: urn:redteam:{domain}:{name}
version: 1.0.0
status: active
domain: {domain}
dataProduct: {name}
description: {{purpose: Rows to be asked about.}}
team: {{name: redteam}}
servers: [{{server: local, environment: local, type: local, path: {name}, format: parquet}}]
schema:
  - name: {name}
    properties:
{columns}
customProperties: [{{property: granularity, value: aggregate}}, {{property: grain, value: [row]}}]
"""
_ACCESS = "format: 1\nproduct: {product}\ngrants:\n  - {{id: room, roles: [analyst], purposes: [measurement]}}\n"
_PRODUCT = """from mesh_defs import data_product


@data_product()
def {name}(connection):
    return connection.read_parquet('{file}')
"""


@dataclass(frozen=True, kw_only=True)
class RoomWorld:
    """Both parties' published tables, the same in a DuckDB that answers plainly, and what to sign."""

    folder: Path
    platform: Platform
    plain: duckdb.DuckDBPyConnection
    target: str
    digests: Mapping[str, str]
    keys: Mapping[str, Ed25519PrivateKey]

    def seats(self) -> dict[str, Seat]:
        """Where each party reads."""
        return {
            party: Seat(party=party, platform=self.platform, principal="ada", purpose="measurement")
            for party in (PUBLISHER, ADVERTISER)
        }

    def agreement(self, level: str = "threshold", **changes: Any) -> dict[str, Any]:
        """The agreement as its file says it."""
        rule = {"name": "all", "level": level, "persons_min": PERSONS_MIN, "dominance_max": DOMINANCE_MAX}
        named = {name: {"name": name, "key": _public(self.keys[name])} for name in self.keys}
        body = {
            "format": 1,
            "id": "corpus",
            "title": "What the corpus attacks",
            "parties": [named[PUBLISHER], named[ADVERTISER]],
            "analysts": [ADVERTISER],
            "recipients": [ADVERTISER],
            "joins": named[HOST],
            "valid": {"from": (NOW - timedelta(days=30)).date(), "until": (NOW + timedelta(days=30)).date()},
            "tables": [self._table(name) for name in DIMENSIONS],
            "rules": [rule],
            "templates": TEMPLATES,
            **({"privacy": PRIVACY} if level == "privacy" else {}),
        }
        return {**body, **changes}

    def room(self, folder: Path, body: Mapping[str, Any], *, signers: Sequence[str] = (PUBLISHER, ADVERTISER)) -> Room:
        """Write an agreement, sign it, and open the room with a ledger of its own; whatever was in `folder` is gone."""
        shutil.rmtree(folder, ignore_errors=True)
        files = RoomFolder(folder / "corpus")
        files.path.mkdir(parents=True)
        (files.path / "agreement.yaml").write_text(yaml.safe_dump(dict(body), sort_keys=False))
        for party in signers:
            files.keep(state("signed", files.agreement(), party, self.keys[party], NOW))
        return self.reopened(files)

    def reopened(self, files: RoomFolder, clock: datetime = NOW) -> Room:
        """The same room in a new process, as far as it can tell."""
        ledger = Ledger(f"sqlite:///{files.path.parent / 'ledger.db'}")
        return Room(folder=files, seats=self.seats(), ledger=ledger, clock=lambda: clock)

    def _table(self, name: str) -> dict[str, Any]:
        party = name.partition(".")[0]
        measures = {"cost_micros": {"functions": ["sum", "avg"], **COST_BOUNDS}} if name == "pub.impressions" else {}
        table = {"name": name, "party": party, "product": name, "person": "hem", "rules": ["all"]}
        frozen = {"digest": self.digests[name]} if name in self.digests else {}
        return {**table, "dimensions": dict(DIMENSIONS[name]), "measures": measures, **frozen}


@contextmanager
def room_world(setup_sql: Iterable[str] = ()) -> Iterator[RoomWorld]:
    """Build, publish and open both parties' tables. Takes some 15 s."""
    with TemporaryDirectory() as name, duckdb.connect() as plain:
        folder = Path(name)
        target = build(plain, setup_sql)
        platform = open_platform(published(folder, "mesh", plain, TABLES))
        keys = {name: Ed25519PrivateKey.generate() for name in (PUBLISHER, ADVERTISER, HOST)}
        digests = digests_of(platform)
        count_asker_once(plain)
        yield RoomWorld(folder=folder, platform=platform, plain=plain, target=target, digests=digests, keys=keys)


def digests_of(platform: Platform) -> dict[str, str]:
    """What the advertiser's tables are frozen by."""
    seat = Seat(party=ADVERTISER, platform=platform, principal="ada", purpose="measurement")
    tables = [
        SharedTable(name=f"adv.{each}", party="adv", product=f"adv.{each}", person="hem", dimensions={"tier": TIERS})
        for each in TABLES["adv"]
    ]
    return {table.name: content_digest(table, seat) for table in tables}


def published(
    folder: Path, mesh: str, plain: duckdb.DuckDBPyConnection, tables: Mapping[str, Sequence[str]]
) -> Settings:
    """Write a mesh with these tables, and publish them."""
    domains = {
        domain: {path: text for name in names for path, text in _files(domain, name, folder, plain).items()}
        for domain, names in tables.items()
    }
    settings = load_settings({"MESH_ROOT": str(make_mesh(folder / mesh, domains))})
    outcomes = refresh_in_process(settings, open_mesh(settings))
    wrong = [each for each in outcomes if each.state != "published"]
    assert not wrong, wrong
    return settings


def _files(domain: str, name: str, folder: Path, plain: duckdb.DuckDBPyConnection) -> dict[str, str]:
    file = folder / f"{domain}_{name}.parquet"
    plain.execute(f"COPY (SELECT *, row_number() OVER () AS row FROM {domain}.{name}) TO '{file}' (FORMAT parquet)")
    columns = plain.execute(f"DESCRIBE FROM '{file}'").fetchall()
    lines = "\n".join(
        f"      - {{name: {column}, logicalType: {_LOGICAL[type_]}, physicalType: '{type_}'}}"
        for column, type_, *_ in columns
    )
    return {
        f"contracts/{name}.odcs.yaml": _CONTRACT.format(domain=domain, name=name, columns=lines),
        f"access/{name}.access.yaml": _ACCESS.format(product=f"{domain}.{name}"),
        f"products/{name}.py": _PRODUCT.format(name=name, file=file),
    }


def count_asker_once(plain: duckdb.DuckDBPyConnection) -> None:
    """The plain answer is over the asking party's tables without repetition."""
    for name in TABLES["adv"]:
        plain.execute(f"CREATE OR REPLACE TABLE adv.{name} AS SELECT DISTINCT * FROM adv.{name}")


def _public(private: Ed25519PrivateKey) -> str:
    return base64.b64encode(private.public_key().public_bytes_raw()).decode()
