"""The door on a real Trino: the same rows for the same person as from DuckDB, and nothing of what a rule hides."""

import pytest

from mesh_defs.errors import EngineError, MeshError, QueryRejectedError
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


def test_parameters_and_explain(world: World) -> None:
    query = "SELECT person_id FROM lake.people WHERE amount > $least ORDER BY 1"
    with world.ask(query, parameters={"least": 0}) as answer:
        assert answer.table().to_pydict() == {"person_id": [1, 7]}
    told = world.ask(f"EXPLAIN {query}", parameters={"least": 0}).table().to_pylist()
    assert told[-1] == {"product": None, "step": "engine", "detail": "trino: it was asked for"}


def test_what_the_engines_mean_differently_is_refused_and_on_record(world: World) -> None:
    with pytest.raises(QueryRejectedError, match=r"on Trino .*VARCHAR to INTEGER.*--engine duckdb"):
        world.ask("SELECT CAST(code AS INTEGER) FROM lake.people")
    newest = next(iter(world.platform.ledger.search(limit=1)))
    assert (newest.kind, newest.body["code"]) == ("refused", "query-rejected")
