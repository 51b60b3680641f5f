"""A Trino that asks the policy server shows each person what the door shows them, and nothing else."""

from collections.abc import Iterator

import pytest
from trino.exceptions import TrinoUserError

from mesh_defs.query.mesh import open_mesh
from mesh_defs.query.platform import open_platform
from mesh_defs.settings import load_settings
from mesh_defs.trino.config import Sizing, config_of
from mesh_defs.trino.server import Machine
from tests.factories import write as write_file
from tests.meshes import PERSON, REGION, contract, grants, make_mesh, refresh, rows, sql
from tests.servers import new_database
from tests.trino_server import Asking, asking, watched

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
DENIED = r"Access Denied|not found or not allowed|cannot be resolved|No matching resource group"
TABLE = "people_postgres.persons.v1"


@pytest.fixture(scope="module")
def started(
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
        assert config_of(open_mesh(settings), settings, Sizing()).refused == {}
        with asking(settings, trino_machine, folder / "out") as made:
            yield made


@pytest.fixture(scope="module")
def trusted(started: Asking) -> Iterator[Asking]:
    with pytest.raises(TrinoUserError, match="Access Denied"):  # before the canary came back
        started.trino.rows(f"SELECT person_id FROM {TABLE}", user="ada+measurement")
    with watched(started):
        yield started


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
