"""The door, first form: who may ask what, what an answer says it moved, and what is on record."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mesh_defs.errors import AccessDeniedError, EngineError, NotFoundError, QueryRejectedError, StorageError
from mesh_defs.model.query import GovernedSQL, QueryRequest
from mesh_defs.query.platform import open_platform
from mesh_defs.query.run import run_query
from mesh_defs.settings import Settings
from tests.meshes import ask, contract, rows, settings_of, sql


def test_answers_across_domains_and_storages(shared_mesh: Settings) -> None:
    query = """SELECT p.region, max(r.persons) FROM people.persons AS p JOIN shop.regions AS r USING (region)
               GROUP BY 1 ORDER BY 1"""
    assert rows(shared_mesh, query) == [("north", 5), ("south", 5)]


def test_says_what_it_read_in_place_and_what_crossed(shared_mesh: Settings) -> None:
    answer = ask(shared_mesh, "SELECT person_id FROM people.persons WHERE region = 'north'")
    table = answer.table()
    moved = answer.movement
    assert (table.num_rows, moved.rows_crossed, moved.bytes_crossed) == (5, 5, table.nbytes)
    assert [(read.product, read.grant) for read in moved.products] == [("people.persons", "analysts")]
    assert moved.rows_read == 10
    assert moved.bytes_read > 0


def test_records_the_decision_before_the_first_row_and_the_answer_after(shared_mesh: Settings) -> None:
    platform = open_platform(shared_mesh)
    answer = ask(shared_mesh, "SELECT 1 AS one, region FROM shop.regions")
    newest = platform.ledger.entries(limit=1)[0]
    assert (newest.kind, newest.body["principal"], newest.body["purpose"]) == ("allowed", "ada", "measurement")
    assert set(newest.body["versions"]) == {"shop.regions"}
    answer.table()
    newest = platform.ledger.entries(limit=1)[0]
    assert (newest.kind, newest.body["rows_crossed"]) == ("answered", 2)


def test_never_records_the_text_of_a_query(shared_mesh: Settings) -> None:
    ask(shared_mesh, "SELECT region FROM shop.regions WHERE region = 'a secret literal'").table()
    told = str(open_platform(shared_mesh).ledger.entries(limit=5))
    assert "secret" not in told


def test_denies_without_a_grant_and_answers_alike_for_what_does_not_exist(shared_mesh: Settings) -> None:
    messages = []
    for product in ("people.persons", "people.nobody"):
        with pytest.raises(NotFoundError) as denied:
            ask(shared_mesh, f"SELECT * FROM {product}", who="guest")
        messages.append(str(denied.value).replace(product, "…"))
    assert messages[0] == messages[1]
    assert open_platform(shared_mesh).ledger.entries(limit=1)[0].kind == "denied"


def test_denies_another_purpose_and_names_the_granted_one(shared_mesh: Settings) -> None:
    with pytest.raises(AccessDeniedError, match="measurement"):
        ask(shared_mesh, "SELECT * FROM people.persons", purpose="planning")
    with pytest.raises(AccessDeniedError, match="no purpose"):
        ask(shared_mesh, "SELECT * FROM people.persons", purpose=None)


def test_denies_one_forbidden_product_among_allowed_ones(shared_mesh: Settings) -> None:
    with pytest.raises(NotFoundError):
        ask(shared_mesh, "SELECT * FROM shop.regions, people.persons", who="max")


def test_refuses_who_is_not_in_the_standards(shared_mesh: Settings) -> None:
    with pytest.raises(AccessDeniedError, match="did you mean 'ada'"):
        ask(shared_mesh, "SELECT 1 AS one", who="adda")


def test_lets_a_domain_read_its_own_and_what_it_was_granted(shared_mesh: Settings) -> None:
    assert rows(shared_mesh, "SELECT count(*) FROM people.persons", who="service:people") == [(10,)]
    assert rows(shared_mesh, "SELECT count(*) FROM people.persons", who="service:shop") == [(10,)]
    with pytest.raises(AccessDeniedError, match="no grant"):
        ask(shared_mesh, "SELECT * FROM shop.regions", who="service:people")


@pytest.mark.parametrize(
    "query",
    [
        "DROP TABLE people.persons",
        "SELECT 1; SELECT 2",
        "COPY (SELECT 1) TO '/tmp/x'",
        "SELECT * FROM read_parquet('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM pin_people__persons",
        "SELECT * FROM memory.people.persons",
        "ATTACH 'x.db'",
        "",
    ],
)
def test_takes_one_select_over_products_and_nothing_else(shared_mesh: Settings, query: str) -> None:
    with pytest.raises(QueryRejectedError):
        ask(shared_mesh, query)


def test_a_column_that_no_contract_promises_does_not_exist(shared_mesh: Settings) -> None:
    with pytest.raises(QueryRejectedError, match="email"):
        ask(shared_mesh, "SELECT email FROM people.persons").table()


def test_an_error_of_the_engine_carries_no_value(shared_mesh: Settings) -> None:
    with pytest.raises((EngineError, QueryRejectedError)) as failed:
        ask(shared_mesh, "SELECT CAST(region AS INTEGER) FROM people.persons").table()
    assert "north" not in str(failed.value)
    assert "south" not in str(failed.value)


def test_stops_a_query_that_outlives_its_limit(shared_mesh: Settings) -> None:
    platform = open_platform(shared_mesh)
    platform.engine._seconds = 0.2
    endless = "SELECT count(*) FROM range(10000000000) a(i), range(1000000) b(j) WHERE i % 7 = j % 11"
    request = QueryRequest(sql=endless, principal="ada", purpose="measurement")
    with pytest.raises(EngineError, match="stopped after"):
        run_query(request, platform).table()


def test_the_engine_can_open_nothing_but_the_pinned_files(shared_mesh: Settings, tmp_path: Path) -> None:
    """Even if a file function slipped past the parser: the instance itself is locked."""
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    platform, pins = open_platform(shared_mesh), ask(shared_mesh, "SELECT region FROM shop.regions").pins
    for statement in (f"FROM read_csv('{secret}')", "SET memory_limit = '9GB'", f"COPY (SELECT 1) TO '{tmp_path}/x'"):
        with pytest.raises(EngineError):
            platform.engine.run(GovernedSQL(text=statement, pins=pins, guards={}), {})


def test_says_how_to_publish_what_was_never_published(tmp_path: Path) -> None:
    domain = {**contract("people.persons"), **sql("persons", "SELECT 1 AS person_id, 'x' AS region")}
    settings = settings_of(tmp_path / "mesh", {"people": domain})
    with pytest.raises(StorageError, match="mesh refresh"):
        ask(settings, "SELECT * FROM people.persons", who="service:people")


def test_denies_when_the_declarations_are_too_old_to_be_trusted(shared_mesh: Settings) -> None:
    platform = open_platform(shared_mesh)
    later = replace(platform, clock=lambda: platform.clock() + timedelta(days=30))
    request = QueryRequest(sql="SELECT * FROM shop.regions", principal="ada", purpose="measurement")
    with pytest.raises(AccessDeniedError, match="older than"):
        run_query(request, later)


def test_fills_parameters(shared_mesh: Settings) -> None:
    request = QueryRequest(
        sql="SELECT count(*) FROM people.persons WHERE region = $region",
        principal="ada",
        purpose="measurement",
        parameters={"region": "north"},
    )
    assert run_query(request, open_platform(shared_mesh)).table().to_pylist() == [{"count_star()": 5}]


def test_a_parameter_that_is_missing_is_the_askers_fault(shared_mesh: Settings) -> None:
    with pytest.raises(QueryRejectedError, match="region"):
        ask(shared_mesh, "SELECT count(*) FROM people.persons WHERE region = $region").table()
