"""A Trino that asks the policy server shows each person what the door shows them, and nothing else."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import uvicorn
from trino.exceptions import TrinoUserError

from mesh_defs.model.place import TrinoAccess
from mesh_defs.processes.programs import free_ports
from mesh_defs.query.mesh import open_mesh
from mesh_defs.query.platform import open_platform
from mesh_defs.settings import Settings, load_settings
from mesh_defs.trino.canary import Canary
from mesh_defs.trino.config import Sizing, config_of
from mesh_defs.trino.folder import write
from mesh_defs.trino.names import names_of
from mesh_defs.trino.policy_server import PolicyServer
from mesh_defs.trino.serve import sight_of, watch
from mesh_defs.trino.server import Machine, running
from tests.factories import write as write_file
from tests.meshes import PERSON, REGION, contract, grants, make_mesh, refresh, rows, sql
from tests.servers import new_database
from tests.trino_server import Trino

COLUMNS = (
    PERSON,
    REGION,
    "{name: born, logicalType: date}",
    "{name: email, logicalType: string, classification: confidential}",
    "{name: secret, logicalType: string}",
)
SELECT = """
SELECT n AS person_id, ['north', 'south', 'Ärger'][1 + n % 3] AS region, DATE '2000-01-15' + CAST(n * 40 AS INTEGER) AS born,
       CASE WHEN n % 4 > 0 THEN 'ü' || n || '@mail.example' END AS email, 'x' AS secret
FROM range(1, 21) AS numbers(n)
"""
TO_ADA = (
    "{id: analysts, roles: [analyst], purposes: [measurement], rows: \"region = 'Ärger' OR born < '2001-01-01'\","
    " columns: [person_id, born, email], masks: {born: {truncate: month}, email: {truncate: 2}}}"
)
DENIED = r"Access Denied|not found or not allowed|cannot be resolved"
TABLE = "people_postgres.persons.v1"


@dataclass(frozen=True)
class Asking:
    """A mesh, and a Trino over it that asks its policy server."""

    settings: Settings
    trino: Trino
    server: PolicyServer


@contextmanager
def serving(server: PolicyServer) -> Iterator[str]:
    (port,) = free_ports(1)
    web = uvicorn.Server(uvicorn.Config(server.app(), host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=web.run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        web.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def asking(
    postgres_tcp_server: str, trino_machine: Machine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Asking]:
    folder = tmp_path_factory.mktemp("asking")
    people = {
        **contract("people.persons", storage="postgres", columns=COLUMNS),
        **sql("persons", SELECT),
        **grants("people.persons", TO_ADA),
    }
    hidden = {**contract("people.hidden", storage="postgres"), **sql("hidden", "SELECT 1 AS person_id, 'x' AS region")}
    make_mesh(folder / "mesh", {"people": {**people, **hidden}})
    with new_database(postgres_tcp_server) as url:
        write_file(folder / "mesh/.mesh/secrets", "people.env", f"MESH_PEOPLE_POSTGRES={url} password=any")
        settings = load_settings({"MESH_ROOT": str(folder / "mesh")})
        assert {each.state for each in refresh(settings).values()} == {"published"}
        names = names_of()
        server = PolicyServer(sight_of(settings), Canary(names.canary), names)
        with serving(server) as policy_url:
            sizing = Sizing(policy_url=policy_url, heap_megabytes=1024)
            config = config_of(open_mesh(settings), settings, sizing)
            assert config.refused == {}
            write(folder / "out", config.files)
            with running(folder / "out", trino_machine, {"PATH": os.environ["PATH"], **config.secrets}) as trino_url:
                yield Asking(settings, Trino(trino_url), server)


@pytest.fixture(scope="module")
def trusted(asking: Asking) -> Asking:
    with pytest.raises(TrinoUserError, match="Access Denied"):  # before the canary came back
        asking.trino.rows(f"SELECT person_id FROM {TABLE}", user="ada+measurement")
    stop = threading.Event()
    access = TrinoAccess(url=asking.trino.url, user=asking.server.names.canary)
    thread = threading.Thread(target=watch, args=(asking.server.canary, access, stop), daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not asking.server.canary.trusted and time.monotonic() < deadline:
        time.sleep(0.1)
    stop.set()
    thread.join()
    assert asking.server.canary.trusted
    return asking


def test_shows_the_rows_and_columns_that_the_door_shows(trusted: Asking) -> None:
    seen = trusted.trino.rows(f"SELECT * FROM {TABLE} ORDER BY person_id", user="ada+measurement")
    told = rows(trusted.settings, "SELECT * FROM people.persons ORDER BY person_id")
    assert seen == [list(row) for row in told]
    assert 0 < len(seen) < 20
    assert {len(row) for row in seen} == {3}


def test_counts_no_hidden_row(trusted: Asking) -> None:
    told = rows(trusted.settings, "SELECT count(*) FROM people.persons")
    assert trusted.trino.rows(f"SELECT count(*) FROM {TABLE}", user="ada+measurement") == [list(told[0])]


@pytest.mark.parametrize(
    "user",
    [
        "ada",
        "ada+",
        "ada+planning",
        "ada+nothing",
        "max+planning",
        "service:people+measurement",
        "+measurement",
        "guest+measurement",
    ],
)
def test_denies_who_has_no_grant_for_that_purpose(trusted: Asking, user: str) -> None:
    with pytest.raises(TrinoUserError, match="Access Denied"):
        trusted.trino.rows(f"SELECT person_id FROM {TABLE}", user=user)


@pytest.mark.parametrize(
    "statement",
    [
        f"SELECT secret FROM {TABLE}",
        f"SELECT person_id FROM {TABLE} WHERE region = 'north'",
        "SELECT * FROM people_postgres.hidden.v1",
        "SELECT * FROM people_postgres.persons.mesh_history",
        "SELECT * FROM TABLE(people_postgres.system.query(query => 'SELECT * FROM persons.v1'))",
        "CALL people_postgres.system.execute(query => 'DROP SCHEMA persons CASCADE')",
        f"DELETE FROM {TABLE}",
        f"INSERT INTO {TABLE} (person_id) VALUES (1)",
        f"DROP TABLE {TABLE}",
        "CREATE SCHEMA people_postgres.mine",
        f"CREATE TABLE people_postgres.persons.mine AS SELECT * FROM {TABLE}",
        f"SHOW CREATE TABLE {TABLE}",
        "SELECT * FROM system.runtime.nodes",
        "SET SESSION query_max_execution_time = '1d'",
        "SELECT type_name FROM system.jdbc.types",
    ],
)
def test_denies_whatever_is_not_reading_what_is_shown(trusted: Asking, statement: str) -> None:
    with pytest.raises(TrinoUserError, match=DENIED):
        trusted.trino.rows(statement, user="ada+measurement")


def test_no_table_of_a_version_is_shown(trusted: Asking) -> None:
    platform = open_platform(trusted.settings, build=False)
    version = platform.storage_of(platform.mesh.products["people.persons"]).current()
    assert version
    with pytest.raises(TrinoUserError, match=DENIED):
        trusted.trino.rows(f"SELECT * FROM people_postgres.persons.{version.parts[0].path}", user="ada+measurement")


def test_lists_only_what_is_shown(trusted: Asking) -> None:
    def listed(statement: str) -> list[str]:
        return [row[0] for row in trusted.trino.rows(statement, user="ada+measurement")]

    assert listed("SHOW CATALOGS") == ["people_postgres"]
    assert listed("SHOW SCHEMAS FROM people_postgres") == ["information_schema", "persons"]
    assert listed("SHOW TABLES FROM people_postgres.persons") == ["v1"]
    assert listed(f"DESCRIBE {TABLE}") == ["person_id", "born", "email"]
    inventory = "SELECT column_name FROM people_postgres.information_schema.columns WHERE table_schema = 'persons'"
    assert listed(inventory) == ["person_id", "born", "email"]


def test_each_reading_is_on_record_with_what_was_decided(trusted: Asking) -> None:
    trusted.trino.rows(f"SELECT born FROM {TABLE}", user="ada+measurement")
    with pytest.raises(TrinoUserError):
        trusted.trino.rows(f"SELECT born FROM {TABLE}", user="max+planning")
    denied, allowed = open_platform(trusted.settings, build=False).ledger.search(limit=2)
    assert (denied.kind, denied.body["principal"], denied.body["products"]) == ("denied", "max", ["people.persons"])
    assert (allowed.kind, allowed.body["purpose"], allowed.body["columns"]) == ("allowed", "measurement", ["born"])
    assert allowed.body["grants"] == {"people.persons": "analysts"}
