"""The corpora on Trino, through the door and sent directly: a seeded short form.

`python -m tests.redteam.sql FILE --engine trino` and `python -m tests.redteam.native FILE` run the whole.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests import redteam
from tests.redteam.cases import Corpus, read_corpus
from tests.redteam.markers import HIDDEN
from tests.redteam.native import Attacked, attack, attacked, held
from tests.redteam.run import run
from tests.redteam.sql import summary

HERE = Path(redteam.__path__[0])
CORPORA = [read_corpus(HERE / f"{name}.json") for name in ("sql_attacks", "own_attacks", "sql_benign")]
DRAWN = 25


@pytest.fixture(scope="module")
def on() -> Iterator[Attacked]:
    with attacked() as made:
        yield made


def drawn(corpus: Corpus) -> Corpus:
    """Without what takes seconds each, or other rules than the fixture's."""
    quick = [each for each in corpus.cases if each.oracle != "dos" and each.policy is None and not each.parameters]
    return replace(corpus, cases=tuple(random.Random(3).sample(quick, min(DRAWN, len(quick)))))


@pytest.mark.parametrize("corpus", CORPORA, ids=["shared", "own", "benign"])
def test_through_the_door_nothing_comes_out_and_no_answer_is_wrong(on: Attacked, corpus: Corpus) -> None:
    some = drawn(corpus)
    verdicts, seconds = run(some, on.stage, lambda line: None)
    told = summary(some, verdicts, storage="iceberg", seconds=seconds)
    assert (told["leaks"], told["metadata_leaks"], told["wrong"], told["not_run"]) == ([], [], [], {}), told["why"]


@pytest.mark.parametrize("corpus", CORPORA, ids=["shared", "own", "benign"])
def test_to_a_direct_client_nothing_comes_out(on: Attacked, corpus: Corpus) -> None:
    told = attack(drawn(corpus), on)
    assert held(told), told["why"]


TABLE = "sales_iceberg.sales.orders"
# What a Trino has besides SELECT, and no corpus of DuckDB's contains.
TRINOS_OWN = [
    *(f'SELECT * FROM sales_iceberg.sales."orders${of}"' for of in ("files", "snapshots", "history", "partitions")),
    *(f'SELECT * FROM sales_iceberg.sales."orders${of}"' for of in ("manifests", "properties", "refs", "all_entries")),
    *(f'SELECT "${column}" FROM {TABLE}' for column in ("path", "file_modified_time", "partition")),
    *(f"SELECT {column} FROM {TABLE}" for column in ("__token_email", "attrs.email", "orders.__token_email")),
    *("SELECT * FROM hr_iceberg.hr.salaries", "SHOW TABLES FROM hr_iceberg.hr", "SHOW SCHEMAS FROM hr_iceberg"),
    *(f"EXPLAIN SELECT * FROM {TABLE}", f"EXPLAIN ANALYZE SELECT * FROM {TABLE}", f"EXPLAIN (TYPE IO) TABLE {TABLE}"),
    f"EXECUTE IMMEDIATE 'EXPLAIN SELECT * FROM {TABLE}'",
    f"EXECUTE IMMEDIATE 'EXPLAIN ANALYZE SELECT * FROM {TABLE}'",
    *(f"SHOW CREATE TABLE {TABLE}", f"ANALYZE {TABLE}", f"ALTER TABLE {TABLE} EXECUTE optimize"),
    f"CREATE VIEW sales_iceberg.sales.mine AS SELECT * FROM {TABLE}",
    "SELECT * FROM TABLE(sales_iceberg.system.table_changes('sales', 'orders', 1, 2))",
    *("SET SESSION AUTHORIZATION sam", "SET ROLE ADMIN", "SET SESSION iterative_optimizer_timeout = '1s'"),
    *("SELECT query FROM system.runtime.queries", "SELECT * FROM system.runtime.tasks"),
    *(
        "SELECT * FROM system.metadata.table_comments",
        "SELECT * FROM system.jdbc.columns",
        "SELECT * FROM system.jdbc.tables",
    ),
    "CALL sales_iceberg.system.register_table('sales', 'x', 'file:///tmp')",
]
VALUES_OF_THEIRS = [
    f"SHOW STATS FOR {TABLE}",
    f"SHOW STATS FOR (SELECT * FROM {TABLE} WHERE amount > 5)",
    f"EXECUTE IMMEDIATE 'SHOW STATS FOR {TABLE}'",
    f"SELECT * FROM {TABLE} TABLESAMPLE SYSTEM (50)",
    f"SELECT * FROM {TABLE} FOR TIMESTAMP AS OF current_timestamp",
    f"SELECT histogram(note), array_agg(email), max_by(note, order_id), min(person_id) FROM {TABLE}",
    f"WITH FUNCTION f(x varchar) RETURNS varchar RETURN upper(x) SELECT f(note), f(email), f(person_id) FROM {TABLE}",
    f"SELECT * FROM {TABLE} MATCH_RECOGNIZE (MEASURES A.note AS n ALL ROWS PER MATCH PATTERN (A+) DEFINE A AS true)",
    f"SELECT json_object('a' VALUE note, 'b' VALUE email) FROM {TABLE}",
    f"SELECT o.* FROM {TABLE} o RIGHT JOIN (VALUES 2, 3, 5, 6) v(x) ON v.x = o.order_id",
    "SELECT * FROM sales_iceberg.information_schema.columns",
    "SHOW COLUMNS FROM sales_iceberg.sales.orders",
]


@pytest.mark.parametrize("statement", TRINOS_OWN)
def test_what_is_no_reading_of_what_is_shown_is_denied(on: Attacked, statement: str) -> None:
    outcome = on.client.ask(statement)
    assert outcome.error is not None or outcome.rows == ()
    assert not HIDDEN.search(" ".join(outcome.texts))
    assert "file:" not in " ".join(outcome.texts).replace("file:///tmp", "")


@pytest.mark.parametrize("statement", VALUES_OF_THEIRS)
def test_nothing_that_trino_tells_besides_holds_a_hidden_value(on: Attacked, statement: str) -> None:
    outcome = on.client.ask(statement)
    told = f"{outcome.columns}{outcome.rows}{outcome.texts}"
    assert not HIDDEN.search(told)
    assert "APAC" not in told and "'US'" not in told and "__token" not in told
