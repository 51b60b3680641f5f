"""The laptop's Postgres: it survives restarts, asks everybody for a password, and grants exactly what was declared."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psycopg
import pytest
from click.testing import CliRunner

from mesh_defs.cli.main import mesh
from mesh_defs.errors import StorageError, UnreachableError
from mesh_defs.model.contract import Server
from mesh_defs.processes.postgres import data_folder, is_running, port_of, start, stop
from mesh_defs.processes.postgres_roles import provision, role_of
from mesh_defs.settings import Settings, load_settings, read_secrets
from mesh_defs.storage.base import Storage
from mesh_defs.storage.open import attach, storage_at
from tests.meshes import settings_of, two_domains


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    """Not below pytest's own folder, which every pytest that starts closes to other users, the server's among them."""
    with tempfile.TemporaryDirectory() as root:
        (Path(root) / "mesh.yaml").write_text("")
        settings = load_settings({"MESH_ROOT": root})
        yield settings
        stop(settings)


def again(settings: Settings, **environ: str) -> Settings:
    """The settings as a new process reads them, with the secrets files."""
    return load_settings({"MESH_ROOT": str(settings.root), **environ})


def storage(settings: Settings, domain: str, schema: str, *, write: bool = True) -> Storage:
    access = again(settings).access(domain, domain, write=write)
    return storage_at(Server(environment="local", kind="postgres", place=schema), access)


def publish(settings: Settings, domain: str, schema: str, value: int = 1) -> None:
    with duckdb.connect() as connection:
        own = storage(settings, domain, schema)
        own.publish(own.stage(connection, f"SELECT {value} AS a"), stamp={"contract_version": "1.0.0"})


def secrets(settings: Settings, domain: str) -> dict[str, str]:
    return read_secrets(settings.secrets / f"{domain}.env")


def readable(url: str) -> set[str]:
    """Schemas whose tables this role may read, of those that hold a product."""
    query = """
        SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relname LIKE 'data\\_2%' AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
    """
    with psycopg.connect(url) as connection:
        return {row[0] for row in connection.execute(query).fetchall()}


def test_starts_once_keeps_its_data_and_stops(settings) -> None:
    url = start(settings)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (a int)")
    assert start(settings) == url
    assert (is_running(settings), stop(settings), is_running(settings), stop(settings)) == (True, True, False, False)
    with psycopg.connect(start(settings)) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_nobody_gets_in_without_the_password(settings) -> None:
    url = start(settings)
    for attempt in (
        psycopg.conninfo.make_conninfo(url, password="guess"),
        url.replace(url.split(":")[2].split("@")[0], ""),
    ):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(attempt)
    assert (settings.secrets / "postgres.superuser").stat().st_mode & 0o777 == 0o600


def test_it_listens_on_a_port_once_it_was_given_one_and_asks_there_for_passwords_too() -> None:
    with tempfile.TemporaryDirectory() as root:
        (Path(root) / "mesh.yaml").write_text("")
        own = load_settings({"MESH_ROOT": root})
        try:
            start(own)
            assert port_of(own) is None
            start(own, port=0)
            provision(own, "audiences", schemas=["persons"], readers={"events": ["persons"]})
            port, told = port_of(own), secrets(own, "audiences")
            by_port = told["MESH_AUDIENCES_POSTGRES_READ"]
            assert f"host=127.0.0.1&port={port}" in by_port
            assert [name for name, url in told.items() if "127.0.0.1" in url] == ["MESH_AUDIENCES_POSTGRES_READ"]
            publish(own, "audiences", "persons")
            for url in told.values():
                assert readable(url) == {"persons"}
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(by_port.replace(psycopg.conninfo.conninfo_to_dict(by_port)["password"], "guess"))
            stop(own)
            start(own)
            assert (port_of(own), readable(by_port)) == (port, {"persons"})
        finally:
            stop(own)


def test_a_port_that_is_taken_is_told_and_not_kept() -> None:
    with tempfile.TemporaryDirectory() as root, socket.socket() as other:
        (Path(root) / "mesh.yaml").write_text("")
        own = load_settings({"MESH_ROOT": root})
        other.bind(("127.0.0.1", 0))
        other.listen()
        try:
            with pytest.raises(UnreachableError, match=r"is taken .*mesh postgres start --port \d+"):
                start(own, port=other.getsockname()[1])
            assert readable_at_all(start(own))
        finally:
            stop(own)


def readable_at_all(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def test_a_lost_superusers_password_is_told(settings) -> None:
    start(settings)
    file = settings.secrets / "postgres.superuser"
    password = file.read_text()
    file.unlink()
    try:
        with pytest.raises(StorageError, match="the password of Postgres's superuser is gone — put it back, or remove"):
            start(settings)
    finally:
        file.write_text(password)
    assert start(settings)


def test_a_domain_publishes_and_each_reader_reads_exactly_what_it_declares(settings) -> None:
    readers = {"events": ["persons"], "creatives": []}
    provision(settings, "audiences", schemas=["persons", "private"], readers=readers)
    for schema in ("persons", "private"):
        publish(settings, "audiences", schema)
        publish(settings, "audiences", schema, 2)
    told = secrets(settings, "audiences")
    assert readable(told["MESH_AUDIENCES_POSTGRES_READ"]) == {"persons", "private"}
    assert readable(told["MESH_AUDIENCES_POSTGRES_READ_FOR_EVENTS"]) == {"persons"}
    assert readable(told["MESH_AUDIENCES_POSTGRES_READ_FOR_CREATIVES"]) == set()
    by_events = again(settings, MESH_AUDIENCES_POSTGRES_READ=told["MESH_AUDIENCES_POSTGRES_READ_FOR_EVENTS"])
    access = by_events.access("audiences", "audiences", write=False)
    place = storage_at(Server(environment="local", kind="postgres", place="persons"), access)
    with duckdb.connect() as connection:
        relation = attach(connection, place.pin("audiences.persons", place.current()), access)
        assert connection.execute(f"FROM {relation}").fetchall() == [(2,)]
        with pytest.raises(StorageError, match=r"may not do that|may only be read"):
            place.stage(connection, "SELECT 3 AS a")
    private = storage_at(Server(environment="local", kind="postgres", place="private"), access)
    with pytest.raises(StorageError, match="may not do that"):
        private.current()


def test_a_reader_writes_nothing_even_when_it_tries(settings) -> None:
    provision(settings, "audiences", schemas=["persons"], readers={"events": ["persons"]})
    publish(settings, "audiences", "persons")
    with psycopg.connect(
        secrets(settings, "audiences")["MESH_AUDIENCES_POSTGRES_READ_FOR_EVENTS"], autocommit=True
    ) as reader:
        reader.execute("SET default_transaction_read_only = off")
        for attack in (
            "UPDATE persons.mesh_pointer SET sequence = 0",
            "SELECT FROM persons.mesh_pointer FOR UPDATE",
            "DELETE FROM persons.mesh_history",
            "CREATE TABLE persons.mine (a int)",
            "CREATE TABLE public.mine (a int)",
            "CREATE SCHEMA mine",
            "CREATE TEMP TABLE mine (a int)",
            "DROP VIEW persons.v1",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(attack)


def test_domains_do_not_reach_one_another(settings) -> None:
    for domain in ("audiences", "events"):
        provision(settings, domain, schemas=["persons"], readers={})
        publish(settings, domain, "persons")
    owner = psycopg.conninfo.conninfo_to_dict(secrets(settings, "audiences")["MESH_AUDIENCES_POSTGRES"])
    for database in (role_of("events"), "postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(psycopg.conninfo.make_conninfo(**{**owner, "dbname": database}))
    with psycopg.connect(secrets(settings, "audiences")["MESH_AUDIENCES_POSTGRES"], autocommit=True) as connection:
        for attack in (
            "CREATE ROLE mine",
            "ALTER ROLE postgres PASSWORD 'x'",
            "SELECT pg_read_file('/etc/passwd')",
            "COPY (SELECT 1) TO PROGRAM 'true'",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(attack)


def test_provisioning_again_keeps_passwords_and_other_secrets(settings) -> None:
    provision(settings, "retailer", schemas=["orders"], readers={"events": ["orders"]})
    file = settings.secrets / "retailer.env"
    file.write_text(file.read_text() + "MESH_RETAILER_S3=https://k:s@host\n")
    before = secrets(settings, "retailer")
    provision(settings, "retailer", schemas=["orders", "returns"], readers={"events": ["orders"]})
    assert secrets(settings, "retailer") == before
    assert file.stat().st_mode & 0o777 == 0o600
    assert settings.secrets.stat().st_mode & 0o077 == 0
    publish(settings, "retailer", "returns")
    assert readable(before["MESH_RETAILER_POSTGRES_READ"]) == {"returns"}


def test_who_declares_an_input_no_more_reads_it_no_more(settings) -> None:
    schemas = ["orders", "returns"]
    provision(settings, "shop", schemas=schemas, readers={"events": schemas, "creatives": ["orders"]})
    for schema in schemas:
        publish(settings, "shop", schema)
    old = secrets(settings, "shop")
    provision(settings, "shop", schemas=schemas, readers={"events": ["returns"]})
    publish(settings, "shop", "orders", 2)
    assert readable(old["MESH_SHOP_POSTGRES_READ_FOR_EVENTS"]) == {"returns"}
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(old["MESH_SHOP_POSTGRES_READ_FOR_CREATIVES"])
    assert "MESH_SHOP_POSTGRES_READ_FOR_CREATIVES" not in secrets(settings, "shop")


def test_a_domain_named_like_anothers_reader_is_not_its_reader(settings) -> None:
    provision(settings, "crm", schemas=["people"], readers={"ads": ["people"]})
    publish(settings, "crm", "people")
    for domain in ("crm_read", "crm_for_ads", "postgres", "d" * 63, "d" * 62):
        provision(settings, domain, schemas=["people"], readers={})
        publish(settings, domain, "people")
    told = secrets(settings, "crm")
    assert readable(told["MESH_CRM_POSTGRES_READ"]) == readable(told["MESH_CRM_POSTGRES_READ_FOR_ADS"]) == {"people"}
    assert len({role_of("d" * 63), role_of("d" * 62), role_of("d" * 63, "read")}) == 3


def test_no_reader_gets_a_schema_that_the_domain_does_not_have(settings) -> None:
    with pytest.raises(StorageError, match="audiences has no schema 'orders' to read"):
        provision(settings, "audiences", schemas=["persons"], readers={"events": ["orders"]})


def test_a_server_of_production_is_not_overwritten(settings) -> None:
    settings.secrets.mkdir(exist_ok=True)
    file = settings.secrets / "ads.env"
    file.write_text("MESH_ADS_POSTGRES=postgresql://u:p@db.example.com/ads\n")
    with pytest.raises(StorageError, match="MESH_ADS_POSTGRES names a server of its own already"):
        provision(settings, "ads", schemas=["x"], readers={})
    assert "db.example.com" in file.read_text()


def test_the_command_line_starts_and_stops_it(monkeypatch) -> None:
    with tempfile.TemporaryDirectory() as folder:
        own = settings_of(Path(folder) / "mesh", two_domains())
        monkeypatch.setenv("MESH_ROOT", str(own.root))
        words = ("status", "start", "status", "stop", "stop")
        done = [CliRunner().invoke(mesh, ["postgres", word]) for word in words]
        stop(own)
    assert [each.exit_code for each in done] == [3, 0, 0, 0, 0]
    assert done[0].output == "does not run — `mesh postgres start`\n"
    assert str(data_folder(own)) in done[1].output
    assert [each.output for each in done[2:]] == ["runs\n", "stopped\n", "it did not run\n"]


def test_no_secret_is_in_the_servers_log(settings) -> None:
    provision(settings, "audiences", schemas=["persons"], readers={"events": ["persons"]})
    log = Path(data_folder(settings) / "log").read_text()
    for url in (*secrets(settings, "audiences").values(), start(settings)):
        assert psycopg.conninfo.conninfo_to_dict(url)["password"] not in log
