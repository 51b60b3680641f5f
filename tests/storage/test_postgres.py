"""What only a database does: types it would change, views for psql, roles, locks of readers, and passwords."""

import re
import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from urllib.parse import quote

import duckdb
import psycopg
import pytest

from mesh_defs.errors import StorageError, StorageUnreachableError
from mesh_defs.model.contract import Server
from mesh_defs.model.names import literal
from mesh_defs.model.place import Access
from mesh_defs.settings import load_settings
from mesh_defs.storage.open import allowed_paths, attach, storage_at
from tests.meshes import SERVERS, ask, refresh, settings_of, two_domains
from tests.storage.places import Place, postgres_place

LATER = timedelta(days=1)


@pytest.fixture
def place(postgres: str) -> Place:
    return postgres_place(postgres)


@pytest.fixture
def kind() -> str:
    return "postgres"


def as_role(place: Place, role: str) -> Place:
    url = psycopg.conninfo.make_conninfo(place.access.postgres, user=role, password="""pa'ss \\ "word\"""")
    return postgres_place(url)


WIDER = [
    ("DECIMAL(38,0)", "[1::HUGEINT]", "[]"),
    ("DECIMAL(38,0)", "(-170141183460469231)::HUGEINT", ""),
    ("DECIMAL(20,0)", "18446744073709551615::UBIGINT", ""),
    ("BIGINT", "4294967295::UINTEGER", ""),
    ("INTEGER", "65535::USMALLINT", ""),
    ("SMALLINT", "255::UTINYINT", ""),
    ("SMALLINT", "[(-128)::TINYINT]", "[]"),
    ("TIMESTAMP", "TIMESTAMP_S '2026-01-01'", ""),
    ("VARCHAR", "'it''s, a'::ENUM('it''s, a', 'b), INTERVAL')", ""),
    ("INTEGER", "array_value(1, NULL)", "[]"),
    ("INTERVAL", "INTERVAL '1 month 40 days 25 hours'", ""),
    ("TIME WITH TIME ZONE", "TIMETZ '10:00:00+02'", ""),
    ("TIME", "TIME '24:00:00'", ""),
    ("DATE", "DATE 'infinity'", ""),
    ("DATE", "DATE '-4000-01-01'", ""),
    ("TIMESTAMP", "TIMESTAMP '-infinity'", ""),
    ("FLOAT", "'nan'::FLOAT", ""),
    ("DOUBLE", "['-0.0'::DOUBLE, 'inf'::DOUBLE]", "[]"),
    ("BLOB", "['\\x00'::BLOB]", "[]"),
    ("DECIMAL(4,2)", "[1.50::DECIMAL(4,2)]", "[]"),
]


@pytest.mark.parametrize(("type_", "expression", "list_"), WIDER, ids=[expression for _, expression, _ in WIDER])
def test_keeps_every_value_in_a_type_that_holds_it(storage, connection, rows, type_, expression, list_) -> None:
    candidate = storage.stage(connection, f"SELECT {expression} AS x")
    assert dict(candidate.columns) == {"x": type_ + list_}
    expected = connection.execute(f"SELECT CAST({expression} AS {type_}{list_})").fetchall()
    assert repr(rows(candidate.parts)) == repr(expected)


CHANGED = [
    "{'a': 1}",
    "MAP {1: 2}",
    "[[1], [2, 3]]",
    "[{'a': 1}]",
    "['{}'::JSON]",
    "union_value(a := 1)",
    "'x'::VARIANT",
    "'101'::BIT",
    "1::BIGNUM",
    "TIMESTAMP_NS '2026-01-01 00:00:00.123456789'",
    "TIME_NS '10:00:00.123456789'",
    "[TIMESTAMP_NS '2026-01-01']",
]


@pytest.mark.parametrize("expression", CHANGED)
def test_refuses_a_type_that_it_would_change(storage, connection, stored, expression) -> None:
    with pytest.raises(StorageError, match=r"column 'changed' holds .*Postgres cannot keep as it is — CAST it"):
        storage.stage(connection, f"SELECT {expression} AS changed")
    assert stored() == set()


@pytest.mark.parametrize("expression", ["'a' || chr(0)", "['a' || chr(0)]"])
def test_a_nul_character_is_refused_and_its_columns_named(storage, connection, stored, expression) -> None:
    with pytest.raises(StorageError, match=r"the character NUL.*in note.*replace\(column, chr\(0\)"):
        storage.stage(connection, f"SELECT {expression} AS note")
    assert stored() == set()


@pytest.mark.parametrize("expression", ["DATE '-5000-01-01'", "DATE '5881580-01-01'", "TIMESTAMP '-5000-01-01'"])
def test_a_date_beyond_postgres_is_refused_not_moved(storage, connection, stored, expression) -> None:
    with pytest.raises(StorageError, match="outside of what Postgres keeps"):
        storage.stage(connection, f"SELECT {expression} AS day")
    assert stored() == set()


@pytest.mark.parametrize(
    ("name", "told"),
    [("ß" * 32, "longer than Postgres's 63 bytes"), ("ctid", "no column"), ("XMIN", None)],
)
def test_a_name_that_postgres_would_change_is_refused(storage, connection, rows, name, told) -> None:
    select = f'SELECT 1 AS "{name}", 2 AS b'
    if told is None:
        assert rows(storage.stage(connection, select).parts) == [(1, 2)]
        return
    with pytest.raises(StorageError, match=told):
        storage.stage(connection, select)


def test_two_thousand_columns_are_refused_with_the_reason(storage, connection, stored) -> None:
    with pytest.raises(StorageError, match="more columns than Postgres keeps"):
        storage.stage(connection, "SELECT " + ", ".join(f"1 AS c{n}" for n in range(2000)))
    assert stored() == set()


def test_without_its_variable_it_names_it(tmp_path) -> None:
    server = Server(environment="local", kind="postgres", place="persons")
    with pytest.raises(StorageError, match=r"MESH_AUDIENCES_POSTGRES is not set.* — set MESH_AUDIENCES_POSTGRES"):
        storage_at(server, Access(root=tmp_path, variable="MESH_AUDIENCES"))


def test_a_url_that_is_none_is_told_without_showing_it() -> None:
    storage = postgres_place("postgresql://u:s3cret@host:notaport:x/db?what=1").storage()
    with pytest.raises(StorageError, match="MESH_EVENTS_POSTGRES is not a Postgres URL") as caught:
        storage.current()
    assert "s3cret" not in str(caught.value)


def test_a_refused_part_is_no_part_of_a_version(storage, connection) -> None:
    """Its table stays where it was: only the quarantine's own way reads it, and a pointer that names it is damaged."""
    storage.refuse(storage.stage(connection, "SELECT 2 AS a"), [{"check": "x"}])
    [refused] = storage.refused()
    with pytest.raises(StorageError, match="is missing"):
        storage.relation(connection, refused.parts)
    assert connection.execute(f"SELECT a FROM {storage.refused_relation(connection, refused)}").fetchall() == [(2,)]


def test_a_retired_place_keeps_only_what_others_put_there(storage, published, owner, connection) -> None:
    assert storage.retire() == ()
    for version in ("1.0.0", "2.0.0"):
        published("SELECT 1 AS a", contract_version=version)
    storage.refuse(storage.stage(connection, "SELECT 2 AS a"), [{"check": "x"}])
    owner.execute("CREATE TABLE impressions.notes (a int); CREATE VIEW public.theirs AS SELECT * FROM impressions.v1")
    with pytest.raises(StorageError, match="somebody's own views stand on it — drop those views"):
        storage.retire()
    assert len(storage.versions()) == 2
    owner.execute("DROP VIEW public.theirs")
    assert len(storage.retire()) == 2 + 3 + 3
    left = "SELECT relname FROM pg_class WHERE relnamespace = 'impressions'::regnamespace"
    assert owner.execute(left).fetchall() == [("notes",)]
    assert (storage.current(), storage.retire()) == (None, ())
    assert published("SELECT 3 AS a", contract_version="1.0.0") == storage.current()


def test_tables_that_somebody_made_under_our_names_are_told(storage, owner, connection) -> None:
    owner.execute("CREATE SCHEMA impressions; CREATE TABLE impressions.mesh_pointer (a int)")
    with pytest.raises(StorageError, match="DuplicateTable"):
        storage.publish(storage.stage(connection, "SELECT 1 AS a"), stamp={})


def test_a_record_changed_by_hand_is_told_and_never_believed(storage, published, owner) -> None:
    published("SELECT 1 AS a")
    owner.execute(
        "UPDATE impressions.mesh_history SET record = replace(record::text, '\"rows\": 1', '\"rows\": 2')::json"
    )
    for attempt in (storage.current, storage.versions, lambda: published("SELECT 2 AS a")):
        with pytest.raises(StorageError, match=r"the pointer does not match its checksum — restore mesh_pointer"):
            attempt()
    owner.execute("DELETE FROM impressions.mesh_history")
    with pytest.raises(StorageError, match="has no record of the version that it points to"):
        storage.current()
    owner.execute("DELETE FROM impressions.mesh_pointer")
    with pytest.raises(StorageError, match="the pointer is empty"):
        storage.current()


# --- roles, and what a reader may see and do


def test_a_role_that_was_granted_one_schema_reads_exactly_it(place, published, owner, role, connection) -> None:
    version, reader = published("SELECT 1 AS a"), as_role(place, role)
    with pytest.raises(StorageError, match="its role may not do that"):
        reader.storage().current()
    owner.execute(f"GRANT USAGE ON SCHEMA impressions TO {role}")
    owner.execute(
        f"GRANT SELECT ON impressions.mesh_pointer, impressions.mesh_history, impressions.mesh_refused TO {role}"
    )
    assert reader.storage().current() == version
    with pytest.raises(StorageError, match=f"role may not read impressions.{version.parts[0].path}"):
        reader.storage().pin("a.b", version)
    owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA impressions TO {role}")
    relation = attach(connection, reader.storage().pin("a.b", version), reader.access)
    assert connection.execute(f"FROM {relation}").fetchall() == [(1,)]
    with pytest.raises(StorageError, match="its role may not do that — let its role create, read and write"):
        reader.storage().stage(connection, "SELECT 2 AS a")


def test_the_owner_cannot_change_a_part_by_accident(place, published, owner, role) -> None:
    owner.execute(f"CREATE SCHEMA impressions AUTHORIZATION {role}")
    storage = as_role(place, role).storage()
    with duckdb.connect() as connection:
        [part] = storage.publish(storage.stage(connection, "SELECT 1 AS a"), stamp={}).parts
    with psycopg.connect(as_role(place, role).access.postgres, autocommit=True) as own:
        for change in ("DELETE FROM {}", "UPDATE {} SET a = 2", "INSERT INTO {} VALUES (2)", "TRUNCATE {}"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                own.execute(change.format(f"impressions.{part.path}"))


def test_no_password_stands_in_duckdb_or_in_an_error(place, published, owner, role, connection) -> None:
    version = published("SELECT 1 AS a")
    owner.execute(
        f"GRANT USAGE ON SCHEMA impressions TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA impressions TO {role}"
    )
    reader = as_role(place, role)
    pin = reader.storage().pin("a.b", version)
    attach(connection, pin, reader.access)
    seen = repr(connection.execute("FROM duckdb_databases()").fetchall())
    assert connection.execute("FROM duckdb_secrets()").fetchall() == []
    wrong = postgres_place(psycopg.conninfo.make_conninfo(reader.access.postgres, dbname="nowhere"))
    with pytest.raises(StorageError) as caught, duckdb.connect() as other:
        attach(other, pin, wrong.access)
    for text in (seen, str(caught.value), repr(reader), repr(reader.storage()), repr(pin)):
        assert "word" not in text.replace("password", "")
    assert "no such database" in str(caught.value)


def test_a_locked_duckdb_reads_a_pin_and_cannot_write_it(place, storage, published, connection) -> None:
    version = published("SELECT 1 AS a", partition="mon"), published("SELECT 2 AS a", partition="tue")
    pin = storage.pin("a.b", version[1])
    assert allowed_paths(pin) == ()
    relation = attach(connection, pin, place.access)
    connection.execute(f"CREATE VIEW {pin.relation} AS SELECT * FROM {relation}")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    assert connection.execute(f"SELECT a FROM {pin.relation} ORDER BY a").fetchall() == [(1,), (2,)]
    alias = re.search(r"(postgres_\w+)\.", relation)[1]
    for attack in (
        f"CREATE TABLE {alias}.impressions.mine AS SELECT 1 AS a",
        f"DROP TABLE {alias}.impressions.{version[1].parts[0].path}",
        f"CALL postgres_execute('{alias}', 'DROP SCHEMA impressions CASCADE')",
        f"FROM postgres_query('{alias}', 'DROP SCHEMA impressions CASCADE')",
    ):
        with pytest.raises(duckdb.Error):
            connection.execute(attack).fetchall()
    assert connection.execute(f"SELECT count(*) FROM {pin.relation}").fetchall() == [(2,)]


def test_postgres_itself_stops_a_scan_that_takes_too_long(place, storage, published, owner, connection) -> None:
    version = published("SELECT range AS a FROM range(1000)")
    table = version.parts[0].path
    owner.execute(
        "CREATE FUNCTION impressions.slowly(a bigint) RETURNS bigint VOLATILE LANGUAGE sql AS "
        "'SELECT a FROM pg_sleep(0.05)'"
    )
    owner.execute(f"CREATE VIEW impressions.slow AS SELECT impressions.slowly(a) AS a FROM impressions.{table}")
    pin = storage.pin("a.b", version)
    slow = type(pin)(**{**{name: getattr(pin, name) for name in pin.__slots__}, "locations": ("impressions.slow",)})
    relation = attach(connection, slow, place.access, seconds_max=0.2)
    with pytest.raises(duckdb.Error, match="statement timeout"):
        connection.execute(f"SELECT sum(a) FROM {relation}").fetchall()
    running = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mesh' AND state = 'active'"
    assert owner.execute(running).fetchone() == (0,)


def test_connections_close_with_the_attachment_and_with_the_instance(place, storage, published, owner) -> None:
    mine = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mesh' AND datname = current_database()"

    def gone() -> bool:
        for _ in range(600):
            if owner.execute(mine).fetchone() == (0,):
                return True
            threading.Event().wait(0.05)
        return False

    version = published("SELECT range AS a FROM range(300_000)")
    with duckdb.connect() as connection:
        for _ in range(5):
            assert connection.execute(f"SELECT count(*) FROM {storage.relation(connection, version.parts)}").fetchone()
            storage.release(connection, version.parts)
        assert gone()
        attach(connection, storage.pin("a.b", version), place.access)
        assert owner.execute(mine).fetchone() != (0,)
    assert gone()


def test_products_of_one_database_do_not_meet(postgres, connection) -> None:
    places = [postgres_place(postgres, schema) for schema in ("persons", "select", "a_b")]
    for n, place in enumerate(places):
        storage = place.storage()
        storage.publish(storage.stage(connection, f"SELECT {n} AS n"), stamp={"contract_version": "1.0.0"})
    pins = [place.storage().pin("a.b", place.storage().current()) for place in places]
    relations = [attach(connection, pin, place.access) for pin, place in zip(pins, places, strict=True)]
    assert [connection.execute(f"FROM {relation}").fetchall() for relation in relations] == [[(0,)], [(1,)], [(2,)]]
    assert pins[1].locations[0].startswith("select.data_")


def test_a_pinned_table_that_is_gone_is_told_when_it_is_attached(place, storage, published, connection) -> None:
    version = published("SELECT 1 AS a", partition="mon")
    pin = storage.pin("a.b", version)
    place.lose(version.parts[0])
    with pytest.raises(StorageError, match="is gone — ask again to read the newest version"):
        attach(connection, pin, place.access)
    with pytest.raises(StorageError, match="is missing — restore the table, or re-materialize partition 'mon'"):
        storage.pin("a.b", version)


COMPARED = r"""
SELECT * FROM (VALUES
 (1, 'a', 1.5::DOUBLE, DATE '2026-01-01', TIMESTAMPTZ '2026-01-01 10:00:00+02', true, [1, 2], '\x00'::BLOB, 1.50),
 (2, 'it''s', 'nan', DATE 'infinity', TIMESTAMPTZ 'infinity', false, [], '\xFF', -1.5),
 (3, 'b\', '-0.0', DATE '0001-01-01', TIMESTAMPTZ '1900-01-01', NULL, NULL, '', 0),
 (4, 'Ä', 'inf', NULL, NULL, true, [NULL], 'abc', 99),
 (5, NULL, NULL, DATE '-4000-01-01', TIMESTAMPTZ '-4000-01-01', NULL, [2], NULL, NULL),
 (6, '', '-inf', DATE '1970-01-01', TIMESTAMPTZ '-infinity', false, [1, 2, 3], '\x27', 1.5)
) t(i, s, d, day, tz, b, l, bl, dec)
"""
TRICKY = ["s LIKE 'it''%'", "s LIKE 'b\\%'", "s IN ('a', 'b\\', ''' OR true --')", "s = '\\'' OR true --'"]


def test_a_filter_that_postgres_evaluates_means_what_it_means_in_duckdb(place, storage, published, connection) -> None:
    """Row filters are pushed down: quotes, backslashes, collations, NaN and infinities must not be read otherwise."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"CREATE TABLE here AS {COMPARED}")
    relation = attach(connection, storage.pin("a.b", published("FROM here")), place.access)
    tests = list(TRICKY)
    for name, type_ in [row[:2] for row in connection.execute("DESCRIBE here").fetchall()]:
        values = connection.execute(f"SELECT CAST({name} AS VARCHAR) FROM here WHERE {name} IS NOT NULL").fetchall()
        tests += [f"{name} IS NULL", f"{name} IS NOT NULL"]
        for operator in ("=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM"):
            tests += [f"{name} {operator} CAST({literal(value)} AS {type_})" for (value,) in values]
    wrong = []
    for condition in (each for test in tests for each in (test, f"NOT ({test})")):
        query = f"SELECT i FROM {{}} WHERE {condition} ORDER BY i"
        expected = connection.execute(query.format("here")).fetchall()
        if connection.execute(query.format(relation)).fetchall() != expected:
            wrong.append(condition)
    assert wrong == []


@pytest.mark.parametrize("host", ["127.0.0.1", quote("/nowhere", safe="")])
def test_a_server_that_does_not_answer_is_worth_a_retry(host, connection) -> None:
    storage = postgres_place(f"postgresql://ada:s3cret@{host}:1/db").storage()
    for attempt in (
        storage.current,
        lambda: storage.stage(connection, "SELECT 1 AS a"),
        lambda: storage.sweep(datetime.now(UTC), 0),
    ):
        with pytest.raises(StorageUnreachableError, match="Postgres does not answer — start it") as caught:
            attempt()
        assert caught.value.retryable
        assert "s3cret" not in str(caught.value)


def test_decimals_and_days_read_back_in_psql_as_themselves(published, owner) -> None:
    published("SELECT 1.10::DECIMAL(9,2) AS price, DATE '2026-02-28' AS day", contract_version="1.0.0")
    assert owner.execute("SELECT * FROM impressions.v1").fetchall() == [(Decimal("1.10"), date(2026, 2, 28))]


def test_a_mesh_publishes_to_postgres_and_answers_from_it(tmp_path, postgres, owner) -> None:
    domains = two_domains()
    path = "contracts/persons.odcs.yaml"
    server = "{server: local, environment: local, type: postgres, schema: persons}"
    told = domains["people"][path].replace(SERVERS["duckdb"].format(name="persons"), server)
    assert server in told
    domains["people"] = {**domains["people"], path: told}
    root = settings_of(tmp_path / "mesh", domains)
    root.secrets.mkdir(parents=True)
    (root.secrets / "people.env").write_text(f"MESH_PEOPLE_POSTGRES={postgres}\n")
    settings = load_settings({"MESH_ROOT": str(root.root)})
    assert {outcome.state for outcome in refresh(settings).values()} == {"published"}
    answer = ask(settings, "SELECT region, count(*) AS n FROM people.persons GROUP BY region ORDER BY region")
    assert answer.table().to_pylist() == [{"region": "north", "n": 5}, {"region": "south", "n": 5}]
    assert owner.execute("SELECT count(*) FROM persons.v1").fetchone() == (10,)
    for file in root.home.rglob("*"):
        if file.is_file() and file.suffix != ".env":
            assert postgres.encode() not in file.read_bytes(), file
