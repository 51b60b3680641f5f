"""The fence is what keeps hidden rows silent: taken away, their failures show on a real Trino; put back, they do not.

A mutation of our own code, so that these tests fail on the day when the fence no longer does anything, or is not needed.
"""

from collections.abc import Iterator, Sequence

import pytest
from sqlglot import exp
from trino.exceptions import TrinoUserError

from mesh_defs.errors import EngineError, QueryRejectedError
from mesh_defs.sql.translation import native, queries
from mesh_defs.trino.server import Machine
from tests.trino.conftest import World
from tests.trino_server import Asking, asking, watched

# Fails on the hidden amount 99,999,999.99 alone.
FAILING = "SELECT count(*) AS n FROM {p} WHERE CAST(amount AS SMALLINT) > 100"
PLACES = {"lake.people": "lake_iceberg.lake.people", "base.people": "base_postgres.people.v1"}


def unfenced(guard: exp.Select, columns: Sequence[str], alias: str) -> exp.Select:
    return guard


@pytest.mark.parametrize("product", list(PLACES))
def test_without_the_fence_a_hidden_row_fails_the_query(
    world: World, product: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = FAILING.format(p=product)
    with world.ask(query) as fenced, world.ask(query, "duckdb") as other:
        assert fenced.table().to_pylist() == other.table().to_pylist() == [{"n": 1}]
    monkeypatch.setattr(queries, "fenced", unfenced)
    with pytest.raises(QueryRejectedError, match="would stand beside a rule"):  # seen in Trino's plan
        world.ask(f"{query} AND true")
    monkeypatch.setattr("mesh_defs.engine.trino.verify_fences", lambda plan, guards: None)
    with pytest.raises(EngineError), world.ask(f"{query} AND true") as answer:
        answer.table()


@pytest.fixture(scope="module")
def enforcing(world: World, trino_machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    folder = tmp_path_factory.mktemp("enforcing")
    with asking(world.settings, trino_machine, folder) as made, watched(made):
        yield made


NATIVE = [
    FAILING,
    "SELECT count(*) AS n FROM {p} WHERE 1 / (person_id - 3) IS NULL OR person_id > 0",
    "SELECT count(*) AS n FROM {p} WHERE CAST(code AS INTEGER) > 0 OR agreed",
    "SELECT count(*) AS n FROM {p} WHERE length(code) > 3 AND fail('seen') IS NULL",
    "SELECT count(*) AS n FROM {p} a JOIN {p} b ON CAST(a.code AS INTEGER) = b.person_id",
    "SELECT max(CAST(code AS INTEGER)) AS n FROM {p}",
    "SELECT count(*) AS n FROM {p} WHERE transform(ARRAY[code], x -> CAST(x AS INTEGER)) IS NOT NULL",
    "SELECT count(*) AS n FROM {p} WHERE regexp_like(note, code) OR json_parse(code) IS NOT NULL",
]


@pytest.mark.parametrize("query", NATIVE)
@pytest.mark.parametrize("product", list(PLACES))
def test_natively_too_no_expression_of_the_askers_meets_a_hidden_row(
    enforcing: Asking, world: World, product: str, query: str
) -> None:
    """Held against the same Trino over the rows that ada may see, masked as she sees them."""
    seen = enforcing.trino.rows(query.format(p=PLACES[product]), user="ada+measurement")
    columns = "(person_id, region, code, note, amount, agreed)"
    values = ", ".join(
        f"({row['person_id']}, 'EU', '{row['code']}', '{row['note']}', DECIMAL '{row['amount']}', {row['agreed']})"
        for row in world.ask(f"SELECT * FROM {product}", "duckdb").table().to_pylist()
    ).replace("None", "NULL")
    told = query.format(p="permitted")
    assert seen == world.trino.rows(f"WITH permitted{columns} AS (VALUES {values}) {told}")


@pytest.mark.parametrize("product", list(PLACES))
def test_without_the_fence_a_hidden_row_fails_a_direct_clients_query(
    enforcing: Asking, product: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask, query = native._mask, FAILING.format(p=PLACES[product])
    assert enforcing.trino.rows(query, user="ada+measurement") == [[1]]
    monkeypatch.setattr(native, "_mask", lambda column, *, fenced: mask(column, fenced=False))
    with pytest.raises(TrinoUserError, match=r"Out of range|Cannot cast"):
        enforcing.trino.rows(query, user="ada+measurement")
