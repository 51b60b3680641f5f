"""A mesh whose products lie where both engines read them, and a Trino that has its catalogs."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from mesh_defs.model.names import literal
from mesh_defs.model.query import EngineName, QueryRequest
from mesh_defs.query.answer import Answer
from mesh_defs.query.platform import Platform, open_platform
from mesh_defs.query.run import run_query
from mesh_defs.settings import Settings, load_settings
from mesh_defs.trino.config import Sizing, config_of
from tests.meshes import contract, grants, refresh, settings_of, sql
from tests.servers import new_database
from tests.trino_server import Trino

# Values at the edges of each type, rows that a rule hides, and texts that are no numbers on hidden rows alone.
PEOPLE = """
SELECT * FROM (VALUES
    (1, 'EU', '10', 'Grüße 🎈', 1.5::DOUBLE, 0.10::DECIMAL(12,2), DATE '2020-02-29',
        TIMESTAMP '1969-12-31 23:59:59.999999', TRUE),
    (2, 'EU', '-7', '', 'nan'::DOUBLE, -7.25, DATE '1999-12-31', TIMESTAMP '2000-01-01 00:00:00', FALSE),
    (3, 'US', 'a secret', 'straße', '-0.0'::DOUBLE, 0, DATE '0001-01-01', TIMESTAMP '2038-01-19 03:14:07', NULL),
    (4, 'eu', 'another', '  Ab ß İ ', 0.0, 99999999.99, DATE '9999-12-31', NULL, TRUE),
    (5, NULL, 'a third', NULL, 'inf'::DOUBLE, NULL, NULL, TIMESTAMP '2024-02-29 12:30:15.5', FALSE),
    (6, 'EU', '12', '12', -2.5, -0.05, DATE '2024-12-30', TIMESTAMP '2021-03-28 02:30:00', TRUE),
    (7, 'EU', '300', 'a_b%c', NULL, 12345.67, DATE '1970-01-01', TIMESTAMP '1582-10-10 00:00:00', NULL)
) t(person_id, region, code, note, score, amount, day, seen, agreed)
"""
_COLUMNS = (
    "{name: person_id, logicalType: integer, primaryKey: true, customProperties: [{property: identifies, value: person}]}",
    "{name: region, logicalType: string}",
    "{name: code, logicalType: string}",
    "{name: note, logicalType: string}",
    "{name: score, logicalType: number}",
    "{name: amount, logicalType: number, physicalType: 'DECIMAL(12,2)'}",
    "{name: day, logicalType: date}",
    "{name: seen, logicalType: timestamp}",
    "{name: agreed, logicalType: boolean}",
)
ALL = "{id: all, roles: [planner], purposes: [measurement]}"
EUROPE = (
    "{id: europe, roles: [analyst], purposes: [measurement], rows: \"region = 'EU'\","
    " masks: {note: {truncate: 2}, day: {truncate: year}}}"
)


@dataclass(frozen=True)
class World:
    """Asks the same on either engine."""

    settings: Settings
    platform: Platform
    trino: Trino

    def ask(self, query: str, engine: EngineName | None = "trino", who: str = "ada", **given: object) -> Answer:
        request = QueryRequest(sql=query, principal=who, purpose="measurement", engine=engine, **given)  # type: ignore[arg-type]
        return run_query(request, self.platform)


def product(name: str, storage: str) -> dict[str, str]:
    """One table of people, stored so."""
    short = name.partition(".")[2]
    return {
        **contract(name, columns=_COLUMNS, storage=storage),
        **sql(short, PEOPLE),
        **grants(name, EUROPE, ALL),
    }


@pytest.fixture(scope="session")
def world(trino: Trino, postgres_tcp_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("world") / "mesh"
    with new_database(postgres_tcp_server) as lake, new_database(postgres_tcp_server) as base:
        made = settings_of(
            root, {"lake": product("lake.people", "iceberg"), "base": product("base.people", "postgres")}
        )
        made.secrets.mkdir(parents=True, exist_ok=True)
        for domain, url in (("lake", lake), ("base", base)):
            (made.secrets / f"{domain}.env").write_text(f"MESH_{domain.upper()}_POSTGRES={_url(url)}\n")
        settings = load_settings({"MESH_ROOT": str(made.root), "MESH_TRINO_URL": trino.url})
        told = {name: outcome.state for name, outcome in refresh(settings).items()}
        assert set(told.values()) == {"published"}, told
        platform = open_platform(settings)
        catalogs = make_catalogs(trino, platform)
        yield World(settings, platform, trino)
        platform.engine.close()
        for name in catalogs:
            trino.rows(f"DROP CATALOG {name}")


def make_catalogs(trino: Trino, platform: Platform) -> list[str]:
    """Let a Trino know the catalogs of the mesh; return their names."""
    reached = config_of(platform.mesh, platform.settings, Sizing()).reached
    catalogs = {each.catalog.name: each.catalog for each in reached}
    for name, catalog in catalogs.items():
        listed = ", ".join(
            f'"{key}" = {literal(value)}' for key, value in catalog.properties.items() if key != "connector.name"
        )
        trino.rows(f"CREATE CATALOG {name} USING {catalog.properties['connector.name']} WITH ({listed})")
    return list(catalogs)


def _url(conninfo: str) -> str:
    from psycopg.conninfo import conninfo_to_dict

    told = conninfo_to_dict(conninfo)
    return f"postgresql://{told['user']}@{told['host']}:{told['port']}/{told['dbname']}"
