"""The door on a real Trino: the same rows for the same person as from DuckDB, and nothing of what a rule hides."""

import threading
import time
from dataclasses import replace

import pytest

from mesh_defs.engine.trino_client import Client
from mesh_defs.errors import EngineError, MeshError, QueryRejectedError, UnreachableError
from mesh_defs.model.place import TrinoAccess
from mesh_defs.query.platform import open_platform
from mesh_defs.settings import load_settings
from tests.cli.test_commands import mesh as command
from tests.trino.conftest import World

PRODUCTS = ["lake.people", "base.people"]


@pytest.mark.parametrize("who", ["ada", "max"])
@pytest.mark.parametrize("product", PRODUCTS)
def test_a_person_sees_the_same_rows_and_types_on_both_engines(world: World, product: str, who: str) -> None:
    query = f"SELECT * FROM {product} ORDER BY person_id"
    with world.ask(query, who=who) as one, world.ask(query, "duckdb", who=who) as other:
        ours, theirs = one.table(), other.table()
    assert ours.schema == theirs.schema
    assert str(ours.to_pylist()) == str(theirs.to_pylist())
    assert (one.plan.engine, one.receipt.engine) == ("trino", "trino")


# Each fails on a hidden row, if it is evaluated there.
FAILING = [
    "SELECT person_id FROM {p} WHERE person_id / (amount - 0.10) > 0 OR 1 // (person_id - 3) IS NULL",
    "SELECT count(*) FROM {p} WHERE CAST(amount AS TINYINT) > 100",
    "SELECT person_id FROM {p} WHERE CAST(amount AS SMALLINT) < 10 OR agreed",
    "SELECT a.person_id FROM {p} a JOIN {p} b ON CAST(a.amount AS SMALLINT) = b.person_id",
    "SELECT region, count(*) FROM {p} GROUP BY region HAVING min(CAST(amount AS SMALLINT)) < 0",
    "SELECT person_id FROM {p} a WHERE EXISTS (SELECT 1 FROM {p} b WHERE CAST(b.amount AS SMALLINT) < a.person_id)",
]


@pytest.mark.parametrize("query", FAILING)
@pytest.mark.parametrize("product", PRODUCTS)
def test_what_fails_on_a_hidden_row_is_answered_as_if_there_were_none(world: World, product: str, query: str) -> None:
    """99,999,999.99 fits no SMALLINT, and is of a hidden row; 12,345.67 is seen and fits."""
    asked = query.format(p=product)
    assert outcome(world, asked, "trino") == outcome(world, asked, "duckdb")


def outcome(world: World, query: str, engine: str) -> str:
    try:
        with world.ask(query, engine) as answer:  # type: ignore[arg-type]
            return str(sorted(map(str, answer.table().to_pylist())))
    except MeshError as error:
        return f"{type(error).__name__}: {error.what}"


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_condition_without_a_column_that_may_fail_is_refused_where_rows_are_hidden(
    world: World, product: str
) -> None:
    """It would be evaluated beside the rule: failing, it would tell that there are rows at all."""
    with pytest.raises(QueryRejectedError, match="would stand beside a rule"):
        world.ask(f"SELECT count(*) FROM {product} WHERE CAST(1000 AS TINYINT) = 1")
    with (
        pytest.raises(EngineError),
        world.ask(f"SELECT count(*) FROM {product} WHERE CAST(1000 AS TINYINT) = 1", who="max") as a,
    ):
        a.table()


def test_products_of_both_stores_are_joined(world: World) -> None:
    query = """SELECT l.region, count(*) AS n, sum(b.amount) AS s, avg(b.amount) AS a FROM lake.people l
        JOIN base.people b USING (person_id) GROUP BY ALL ORDER BY ALL"""
    with world.ask(query, who="max") as one, world.ask(query, "duckdb", who="max") as other:
        assert one.table().equals(other.table())


@pytest.mark.parametrize("product", PRODUCTS)
def test_aggregates_and_the_first_rows_come_of_either_store(world: World, product: str) -> None:
    for query in (
        f"SELECT count(*) AS n, sum(amount) AS s, max(region) AS r FROM {product}",
        f"SELECT person_id FROM {product} WHERE amount > 0 ORDER BY person_id DESC LIMIT 2",
    ):
        with world.ask(query, who="max") as one, world.ask(query, "duckdb", who="max") as other:
            assert one.table().equals(other.table())


def test_parameters_and_explain(world: World) -> None:
    query = "SELECT person_id FROM lake.people WHERE amount > $least ORDER BY 1"
    with world.ask(query, parameters={"least": 0}) as answer:
        assert answer.table().to_pydict() == {"person_id": [1, 7]}
    told = world.ask(f"EXPLAIN {query}", parameters={"least": 0}).table().to_pylist()
    assert told[-1] == {"product": None, "step": "engine", "detail": "trino: it was asked for"}


def test_what_the_engines_mean_differently_is_refused_and_on_record(world: World) -> None:
    with pytest.raises(QueryRejectedError, match=r"on Trino .*DOUBLE to VARCHAR.*--engine duckdb"):
        world.ask("SELECT CAST(score AS VARCHAR) FROM lake.people")
    newest = next(iter(world.platform.ledger.search(limit=1)))
    assert (newest.kind, newest.body["code"]) == ("refused", "query-rejected")


def test_a_question_of_the_day_gives_both_engines_the_same_over_the_visible_rows(world: World) -> None:
    """Hidden codes are no numbers: `another` ends no query, and is none of its rows."""
    query = """SELECT region, CAST(code AS INTEGER) AS number, regexp_extract(code, '([0-9]+)$', 1) AS digits,
        strftime(day, '%Y-%m') AS month FROM lake.people
        QUALIFY row_number() OVER (PARTITION BY region ORDER BY CAST(code AS INTEGER) DESC) <= 2 ORDER BY number"""
    for _ in range(2):  # the second time by what was kept of the first
        with world.ask(query) as one, world.ask(query, "duckdb") as other:
            assert one.table().equals(other.table())
    with world.ask("SELECT [1, 2][2] AS x") as answer:
        assert (answer.plan.engine, answer.table().to_pylist()) == ("duckdb", [{"x": 2}])


LONG = "SELECT count(*) AS n FROM " + ", ".join(f"lake.people p{number}" for number in range(11))


def test_a_trino_that_is_down_is_told_and_on_record(world: World) -> None:
    root = str(world.settings.root)
    platform = open_platform(load_settings({"MESH_ROOT": root, "MESH_TRINO_URL": "http://127.0.0.1:9"}))
    with pytest.raises(UnreachableError, match=r"does not answer .*--engine duckdb"):
        replace(world, platform=platform).ask("SELECT region FROM lake.people")
    (newest,) = platform.ledger.search(limit=1)
    assert (newest.kind, newest.body["code"]) == ("refused", "unreachable")


def test_a_query_that_is_killed_over_there_is_told_and_on_record(world: World) -> None:
    def kill() -> None:
        found: list[list[str]] = []
        for _ in range(200):
            found = world.trino.rows(
                "SELECT query_id FROM system.runtime.queries WHERE source = 'mesh' AND state = 'RUNNING'"
                " AND query NOT LIKE 'EXPLAIN%'"
            )
            if found:
                break
            time.sleep(0.1)
        for (each,) in found:
            world.trino.rows(f"CALL system.runtime.kill_query(query_id => '{each}', message => 'no')")

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(EngineError, match="cancelled"):
        world.ask(LONG, who="max").table()
    killer.join()
    newest, before = world.platform.ledger.search(limit=2)
    assert (newest.kind, before.kind) == ("failed", "allowed")
    assert before.body["engine"] == "trino"


def test_the_time_limit_ends_it_on_the_server_too(world: World) -> None:
    client = Client(TrinoAccess(url=world.trino.url, user="tester"), 1.0)
    with pytest.raises(EngineError, match=r"1 s|time limit"):
        client.text(f"SELECT count(*) /* {(mark := 'a mark of ours')} */ FROM {_crossed(8)}")
    for _ in range(100):
        still = world.trino.rows(
            f"SELECT state FROM system.runtime.queries WHERE query LIKE '%{mark}%' AND query NOT LIKE '%runtime.queries%'"
        )
        if still and {state for (state,) in still} <= {"FAILED", "FINISHED"}:
            return
        time.sleep(0.1)
    raise AssertionError(still)


def _crossed(times: int) -> str:
    return ", ".join(f"UNNEST(sequence(1, 100)) t{number}(x)" for number in range(times))


def test_a_large_answer_comes_in_bounded_batches(world: World) -> None:
    tables = ", ".join(f"lake.people p{number}" for number in range(6))
    with world.ask(f"SELECT p0.*, p1.person_id AS other FROM {tables}", who="max") as answer:
        sizes = [batch.nbytes for batch in answer.reader()]
    assert answer.movement.rows_crossed == 7**6
    assert len(sizes) > 1
    assert max(sizes) < 20 * 2**20


def test_the_command_asks_either_engine(world: World) -> None:
    told = {"MESH_TRINO_URL": world.trino.url, "MESH_PURPOSE": "measurement"}
    query = ("query", "SELECT person_id, amount, score FROM lake.people ORDER BY 1", "--as", "max")
    printed = [command(world.settings, *query, "--engine", engine, **told) for engine in ("trino", "duckdb")]
    assert [done.returncode for done in printed] == [0, 0], printed
    assert printed[0].stdout == printed[1].stdout
