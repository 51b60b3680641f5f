"""What `mesh draft` writes: a contract that reads back, with its guesses marked and no value of a row in it."""

from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from click.testing import CliRunner, Result

from mesh_defs.cli.main import mesh as command
from mesh_defs.documents.odcs import read_contract
from mesh_defs.documents.standards import read_standards
from mesh_defs.model.contract import Contract
from mesh_defs.query.mesh import open_mesh
from mesh_defs.settings import Settings, load_settings
from tests.authoring.test_external import IN_FOLDER, external
from tests.meshes import refresh, rows, settings_of
from tests.storage.sources import duckdb_file, parquet, postgres_says

PEOPLE = """SELECT n::BIGINT AS person_id, 'user' || n || '@example.org' AS contact,
    'Ann' || chr(97 + (n % 26)::INT) || ' Smith' AS label, '10.0.' || n % 250 || '.7' AS seen_from,
    DATE '1950-01-17' + n::INT AS birth_date, 40000.77 + n AS salary, n / 1000.0::DOUBLE AS share, n % 7 AS orders,
    CASE WHEN n % 2 = 0 THEN 'x' END AS note, TIMESTAMP '2026-11-01 10:00:00' + to_seconds(n) AS created_at
    FROM range(500) t(n)"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings = settings_of(tmp_path / "mesh", {"crm": external("crm.people", IN_FOLDER)})
    monkeypatch.setenv("MESH_ROOT", str(settings.root))
    return settings


def root_of(settings: Settings) -> Path:
    return settings.storage_root("crm", open_mesh(settings).domains["crm"].storage)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["draft", *arguments])


def drafted(*arguments: str) -> str:
    done = run(*arguments)
    assert done.exit_code == 0, (done.output, done.exception)
    assert "to mend by hand" not in done.stderr, done.stderr
    return done.stdout


def back(settings: Settings, text: str, tmp_path: Path) -> Contract:
    file = tmp_path / "back.odcs.yaml"
    file.write_text(text, encoding="utf-8")
    return read_contract(file, read_standards(settings.root), root=tmp_path)


def test_reads_back_as_an_external_audience_product(settings: Settings, tmp_path: Path) -> None:
    parquet(root_of(settings) / "exports" / "customers" / "a.parquet", PEOPLE)
    text = drafted("crm/exports/customers")
    contract = back(settings, text, tmp_path)
    assert (contract.product, contract.external, contract.granularity) == ("crm.customers", True, "audience")
    assert (contract.servers[0].kind, contract.servers[0].place) == ("parquet", "exports/customers")
    person = contract.column("person_id")
    assert person and person.primary_key and person.identifies == "person"
    classes = {column.name: column.classification for column in contract.columns}
    assert classes == {
        "person_id": "confidential",
        "contact": "restricted",
        "label": "restricted",
        "seen_from": "restricted",
        "birth_date": "restricted",
        "salary": "confidential",
        "share": "internal",
        "orders": "internal",
        "note": "internal",
        "created_at": "internal",
    }
    assert [column.name for column in contract.columns if not (column.required or column.primary_key)] == ["note"]


def test_says_what_is_a_guess_and_how_many_rows_it_is_from(settings: Settings) -> None:
    parquet(root_of(settings) / "exports" / "customers" / "a.parquet", PEOPLE)
    text = drafted("crm/exports/customers")
    assert "after a look at all 500 rows" in text
    assert "# confirm: restricted, since its values look like an e-mail address" in text
    assert "# confirm: restricted, since its name says a date of birth" in text
    assert "# confirm: it identifies the person" in text


def test_no_value_of_a_row_is_written(settings: Settings) -> None:
    file = parquet(root_of(settings) / "exports" / "customers" / "a.parquet", PEOPLE)
    text = drafted("crm/exports/customers")
    values = duckdb.sql(f"SELECT * FROM '{file}' WHERE note IS NOT NULL").fetchall()
    written = yaml.safe_load(text)
    leaves = set(_leaves(written)) - {0, 1}
    told = {str(value) for row in values for value in row if len(str(value)) > 2}
    assert not told & {str(leaf) for leaf in leaves}
    for sample in ("@example.org", "Smith", "1950", "40000", "2026-11", "10.0."):
        assert sample not in text


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in _leaves(each)]
    return [leaf for each in value for leaf in _leaves(each)] if isinstance(value, list) else [value]


def test_bounds_of_nature_are_promised_and_only_where_nobody_is_told_by_them(settings: Settings) -> None:
    parquet(root_of(settings) / "exports" / "customers" / "a.parquet", PEOPLE)
    properties = {
        each["name"]: each for each in yaml.safe_load(drafted("crm/exports/customers"))["schema"][0]["properties"]
    }
    assert properties["orders"]["logicalTypeOptions"] == {"minimum": 0}
    assert properties["share"]["logicalTypeOptions"] == {"minimum": 0, "maximum": 1}
    assert "logicalTypeOptions" not in properties["salary"]


def test_a_drafted_contract_can_be_used_as_it_is(settings: Settings, tmp_path: Path) -> None:
    parquet(root_of(settings) / "exports" / "customers" / "a.parquet", PEOPLE)
    out = settings.root / "domains" / "crm" / "contracts" / "customers.odcs.yaml"
    done = run("crm/exports/customers", "--out", str(out))
    assert done.exit_code == 0, done.output
    access = "format: 1\nproduct: crm.customers\ngrants: [{id: a, roles: [analyst], purposes: [measurement]}]\n"
    (settings.root / "domains" / "crm" / "access").mkdir()
    (settings.root / "domains" / "crm" / "access" / "customers.access.yaml").write_text(access)
    outcome = refresh(settings, "crm.customers")["crm.customers"]
    assert outcome.state == "observed", outcome.told
    assert rows(settings, "SELECT count(*) FROM crm.customers") == [(500,)]


def test_odd_names_are_quoted_and_kept_as_physical_names(settings: Settings, tmp_path: Path, postgres: str) -> None:
    odd = 'it\'s: {a} #"1"\n- x'
    quoted = odd.replace('"', '""')
    columns = (
        '"Customer ID" int',
        '"customer-id" int',
        '"E-Mail: #1" text',
        '"größe" int',
        '"- x\ny: z" int',
        '"1st" int',
        '"yes" bool',
    )
    postgres_says(
        postgres,
        'CREATE SCHEMA "Odd Schema"',
        f'CREATE TABLE "Odd Schema"."{quoted.replace(chr(10), " ")}" ({", ".join(columns)})',
        f'INSERT INTO "Odd Schema"."{quoted.replace(chr(10), " ")}" VALUES (1, 1, \'a@b.cd\', 1, 1, 1, true)',
    )
    loaded = load_settings({"MESH_ROOT": str(settings.root), "MESH_CRM_POSTGRES": postgres})
    done = CliRunner(env={"MESH_CRM_POSTGRES": postgres}).invoke(command, ["draft", "crm"])
    assert done.exit_code == 0, (done.output, done.exception)
    document = yaml.safe_load(done.stdout)
    names = {each["name"]: each.get("physicalName") for each in document["schema"][0]["properties"]}
    assert names["customer_id"] == "Customer ID" and names["customer_id_2"] == "customer-id"
    assert names["e_mail_1"] == "E-Mail: #1" and names["c_1st"] == "1st" and names["yes"] is None
    assert document["servers"][0]["schema"] == "Odd Schema"
    assert loaded.overrides


def test_events_are_known_by_their_time_and_whom_they_happened_to(settings: Settings, tmp_path: Path) -> None:
    select = "SELECT n AS event_id, n % 9 AS user_id, TIMESTAMP '2026-01-01' + to_hours(n) AS occurred_at FROM range(50) t(n)"
    parquet(root_of(settings) / "clicks.parquet", select)
    contract = back(settings, drafted("crm/clicks.parquet"), tmp_path)
    assert contract.granularity == "event"
    assert {column.name: column.identifies for column in contract.columns} == {
        "event_id": "event",
        "user_id": "person",
        "occurred_at": "event_time",
    }


def test_a_pair_of_columns_may_be_the_key(settings: Settings, tmp_path: Path) -> None:
    select = "SELECT n // 10 AS store_id, DATE '2026-01-01' + (n % 10)::INT AS day, 5 AS sold FROM range(100) t(n)"
    parquet(root_of(settings) / "sales.parquet", select)
    contract = back(settings, drafted("crm/sales.parquet"), tmp_path)
    assert [column.name for column in contract.columns if column.primary_key] == ["store_id", "day"]
    assert contract.granularity == "aggregate"


def test_an_empty_table_promises_nothing_of_its_rows(settings: Settings, tmp_path: Path) -> None:
    duckdb_file(root_of(settings) / "crm.duckdb", "CREATE TABLE people (id BIGINT, email VARCHAR)")
    contract = back(settings, drafted("crm/crm.duckdb/main.people"), tmp_path)
    assert not any(column.required or column.unique for column in contract.columns)
    email = contract.column("email")
    assert email and email.classification == "restricted" and contract.servers[0].table == "main.people"


def test_nested_and_odd_types_read_back(settings: Settings, tmp_path: Path) -> None:
    duckdb_file(
        root_of(settings) / "crm.duckdb",
        "CREATE TYPE mood AS ENUM ('secretly sad', 'glad')",
        "CREATE TABLE t AS SELECT [1, 2] AS l, {'a': 1, 'b': 'x'} AS s, 1::HUGEINT AS h, 1.5::DECIMAL(9, 2) AS d,"
        " 'glad'::mood AS m, '00:01'::TIME AS at, uuid() AS u, 'x'::BLOB AS b, MAP {'k': 1} AS mp, TIMESTAMPTZ '2026-01-01' AS z",
    )
    text = drafted("crm/crm.duckdb/main.t")
    contract = back(settings, text, tmp_path)
    assert len(contract.columns) == 10 and "secretly" not in text


def test_only_so_many_rows_are_looked_at(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from mesh_defs.catalog import profile

    monkeypatch.setattr(profile, "ROWS_MAX", 100)
    parquet(root_of(settings) / "many.parquet", "SELECT n FROM range(1000) t(n)")
    assert "after a look at the first 100 rows" in drafted("crm/many.parquet")


def test_several_objects_are_listed_and_a_file_is_never_replaced(settings: Settings, tmp_path: Path) -> None:
    parquet(root_of(settings) / "a.parquet", "SELECT 1 AS x")
    parquet(root_of(settings) / "b.parquet", "SELECT 1 AS x")
    done = run("crm")
    assert done.exit_code != 0 and "2 objects lie there" in str(done.exception) and "a.parquet" in str(done.exception)
    (tmp_path / "mine.yaml").write_text("mine")
    assert run("crm/a.parquet", "--out", str(tmp_path / "mine.yaml")).exit_code == 2
    assert (tmp_path / "mine.yaml").read_text() == "mine"


def test_a_folder_of_no_domain_is_marked_to_confirm(settings: Settings, tmp_path: Path) -> None:
    parquet(tmp_path / "dump" / "People.parquet", "SELECT 1 AS id, 'x' AS name")
    text = drafted(str(tmp_path / "dump" / "People.parquet"))
    contract = back(settings, text, tmp_path)
    assert contract.product == "to_confirm.people" and "# confirm: the domain" in text
