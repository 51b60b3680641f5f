"""The fence is what keeps hidden rows silent: taken away, their failures show on a real Trino; put back, they do not.

Mutations of our own code: these fail on the day when the fence no longer does anything, or is not needed any more.
"""

from collections.abc import Iterator, Sequence

import duckdb
import pytest
from sqlglot import exp

from mesh_defs.engine.trino import Seen
from mesh_defs.errors import EngineError, QueryRejectedError
from mesh_defs.sql.translation import native, queries
from tests.conformance.stage import STORAGES, Stage
from tests.trino.both import DOMAIN, Both, both
from tests.trino_server import Trino

ROWS = "SELECT i AS id, CASE WHEN i % 3 > 0 THEN i END AS n, i % 7 AS k FROM range(1, 200) AS made(i)"
# Four rows fulfil it, and of a third it is unknown: `NULL AND x` evaluates x. No file can be pruned by it.
RULE = {f"{DOMAIN}.rows": "n = k"}
FAILING = [
    "SELECT count(*) AS c FROM {p} WHERE CAST(id * 10 AS TINYINT) = 50",
    "SELECT count(*) AS c FROM (SELECT CAST(id * 10 AS TINYINT) AS x FROM {p}) WHERE x = 50",
]


@pytest.fixture(scope="module")
def engines(trino: Trino, postgres_tcp_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE rows AS {ROWS}")
        with both(connection, trino, postgres_tcp_server, str(tmp_path_factory.mktemp("fence"))) as made:
            yield made


def unfenced(guard: exp.Select, columns: Sequence[str], alias: str) -> exp.Select:
    return guard


def answer(engines: Both, query: str) -> list[list[object]]:
    return [row for page in engines.client.start(engines.translated(query, RULE)[2].text).pages() for row in page]


@pytest.mark.parametrize("query", FAILING)
def test_without_the_fence_a_hidden_row_fails_the_query(
    engines: Both, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = query.format(p=f"{DOMAIN}.rows")
    assert answer(engines, asked) == [[1]]
    monkeypatch.setattr(queries, "fenced", unfenced)
    with pytest.raises(EngineError):
        answer(engines, asked)


@pytest.mark.parametrize("query", FAILING)
def test_a_text_without_the_fence_is_refused_by_its_plan(
    engines: Both, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = query.format(p=f"{DOMAIN}.rows")
    Seen().require(engines.translated(asked, RULE)[2], engines.client)
    monkeypatch.setattr(queries, "fenced", unfenced)
    with pytest.raises(QueryRejectedError, match="would stand beside a rule"):
        Seen().require(engines.translated(asked, RULE)[2], engines.client)


# Each fails on a row that `n = 7` hides: where n is 1, or NULL, or a text is no number.
NATIVE = [
    "SELECT count(*) AS c FROM {p} WHERE 1 / (n - 1) IS NOT NULL",
    "SELECT count(*) AS c FROM {p} WHERE CASE WHEN n IS NULL OR n <> 7 THEN 1 / (row_id - row_id) ELSE 1 END = 1",
    "SELECT count(*) AS c FROM {p} WHERE transform(ARRAY[n], x -> 1 / (x - 1))[1] < 5",
    "SELECT count(*) AS c FROM {p} a JOIN {p} b ON 1 / (a.n - 1) = 1 / (b.n - 1)",
    "SELECT max(1 / (n - 1)) AS c FROM {p}",
    "SELECT count(*) AS c FROM {p} a WHERE EXISTS (SELECT 1 FROM {p} b WHERE 1 / (b.n - 1) <= a.row_id)",
    "SELECT count(*) AS c FROM (SELECT 1 / (n - 1) AS x, o FROM {p}) WHERE x >= 0 AND x < 9",
    "SELECT count(*) AS c FROM {p} TABLESAMPLE BERNOULLI (100) WHERE 1 / (n - 1) IS NOT NULL",
    "SELECT count(*) AS c FROM {p} WHERE n = 7 AND 1 / (n - 1) IS NOT NULL AND n BETWEEN 1 AND 9",
    "SELECT sum(1 / (n - 1)) OVER (ORDER BY row_id) AS c FROM {p} ORDER BY row_id LIMIT 1",
]


@pytest.mark.parametrize("query", NATIVE)
@pytest.mark.parametrize("domain", STORAGES)
def test_no_expression_of_a_direct_client_meets_a_hidden_row(conformance: Stage, domain: str, query: str) -> None:
    """Held against the same Trino over the rows that the person may see, and nothing else."""
    rows = conformance.door(f"SELECT row_id, n, o FROM {domain}.edges", "seven", "measurement", "duckdb").rows
    values = ", ".join(f"({row_id}, {n}, CAST({o} AS BOOLEAN))" for row_id, n, o in rows).replace("None", "NULL")
    alone = f"WITH alone(row_id, n, o) AS (VALUES {values}) {query.format(p='alone')}"
    seen = conformance.client(query.format(p=f"{domain}.edges"), "seven", "measurement")
    assert rows
    assert seen == conformance.client(alone, "seven", "measurement")


def test_without_the_fence_a_hidden_row_fails_a_direct_clients_query(
    conformance: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of whose rule it is unknown whether it holds."""
    mask, asked = native._mask, NATIVE[1].format(p="pond.edges")
    assert conformance.client(asked, "seven", "measurement").rows
    monkeypatch.setattr(native, "_mask", lambda column, *, fenced: mask(column, fenced=False))
    monkeypatch.setattr(native, "_gate", lambda condition: condition)
    assert "by zero" in conformance.client(asked, "seven", "measurement").refused


def test_a_condition_without_a_column_waits_for_the_rule(conformance: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody sees a row: that there are any must not show."""
    rule, asked = native.rule, "SELECT count(*) AS c FROM pond.edges WHERE CAST(1000 AS TINYINT) = 1"
    monkeypatch.setattr(native, "rule", lambda bound, alias: rule("n = -17", alias))
    assert conformance.client(asked, "seven", "measurement").rows == [[0]]
    monkeypatch.setattr(native, "_gate", lambda condition: condition)
    assert "1000" in conformance.client(asked, "seven", "measurement").refused
