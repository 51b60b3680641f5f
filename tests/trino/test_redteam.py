"""The corpora on Trino, through the door and sent directly: a seeded short form.

`python -m tests.redteam.sql FILE --engine trino` and `python -m tests.redteam.native FILE` run the whole.
"""

import random
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from mesh_defs.trino.server import Machine
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
def on(trino_machine: Machine) -> Iterator[Attacked]:
    """Depends on the machine so that its tests are marked: the harness starts a Trino of its own."""
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
# What tells of a query, of the rule in it and of the rows that it keeps back.
TELLING = [
    *(f"EXPLAIN {how} SELECT * FROM {TABLE}" for how in ("", "ANALYZE", "ANALYZE VERBOSE", "(FORMAT JSON)")),
    *(f"EXPLAIN (TYPE {kind}) SELECT * FROM {TABLE}" for kind in ("IO", "LOGICAL", "DISTRIBUTED", "VALIDATE")),
    f"explain\nanalyze (SELECT * FROM {TABLE})",
    f"ExPlAıN ANALYZE TABLE {TABLE}",
    f"EXPLAIN/**/ANALYZE WITH x AS (SELECT * FROM {TABLE}) SELECT count(*) FROM x",
    f"/* SELECT */ EXPLAIN ANALYZE /* */ SELECT * FROM {TABLE}",
    f"/*/ SELECT /* */ EXPLAIN ANALYZE SELECT * FROM {TABLE}",
    f"-- SELECT\rEXPLAIN ANALYZE SELECT * FROM {TABLE}",
    f"EXPLAIN ANALYZE SELECT 1 WHERE EXISTS (SELECT * FROM {TABLE})",
    f"EXPLAIN ANALYZE SELECT note FROM (VALUES 1) t(x), LATERAL (SELECT * FROM {TABLE} LIMIT 1)",
    f"EXPLAIN ANALYZE SHOW STATS FOR {TABLE}",
    f"EXPLAIN EXPLAIN ANALYZE SELECT * FROM {TABLE}",
    *(
        f"EXECUTE IMMEDIATE '{each} SELECT * FROM {TABLE}'"
        for each in ("EXPLAIN", "EXPLAIN ANALYZE", "-- SELECT\nEXPLAIN ANALYZE")
    ),
    f"EXECUTE IMMEDIATE 'EXPLAIN ANALYZE SELECT * FROM {TABLE} WHERE order_id > ?' USING 3",
    f"EXECUTE IMMEDIATE U&'\\0045XPLAIN ANALYZE SELECT * FROM {TABLE}'",
    f"EXECUTE/**/IMMEDIATE '/* '' */EXPLAIN ANALYZE SELECT * FROM {TABLE}'",
    f"SHOW STATS FOR {TABLE}",
    f"SHOW STATS FOR (SELECT * FROM {TABLE} WHERE amount > 5)",
    f"EXECUTE IMMEDIATE 'SHOW STATS FOR {TABLE}'",
]
VALUES_OF_THEIRS = [
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


@pytest.mark.parametrize("statement", TELLING)
def test_what_tells_of_a_query_is_refused_however_it_is_written(on: Attacked, statement: str) -> None:
    outcome = on.client.ask(statement)
    assert outcome.error is not None
    assert not re.search(r"'EU'|region|Predicate|rows", " ".join(outcome.texts))


@pytest.mark.parametrize("text", [f"EXPLAIN ANALYZE SELECT * FROM {TABLE}", f"SHOW STATS FOR {TABLE}"])
@pytest.mark.parametrize("statement", ["EXECUTE it", "DESCRIBE OUTPUT it", "EXECUTE/**/it"])
def test_what_a_client_prepared_tells_nothing_either(on: Attacked, text: str, statement: str) -> None:
    headers = {"X-Trino-User": on.client.user, "X-Trino-Prepared-Statement": f"it={quote(text, safe='')}"}
    told: list[object] = []
    answer = requests.post(f"{on.client.trino.url}/v1/statement", data=statement, headers=headers).json()
    while next_uri := answer.get("nextUri"):
        answer = requests.get(next_uri, headers=headers).json()
        told += answer.get("data", [])
    assert statement.startswith("DESCRIBE") or (answer["stats"]["state"] == "FAILED" and told == [])
    assert "EU" not in f"{told}{answer}"


def test_beside_many_of_ones_own_an_explain_analyze_never_slips_through(on: Attacked) -> None:
    """Trino does not say which of a user's statements asks: none is answered for another."""
    telling = [f"EXPLAIN ANALYZE SELECT note FROM {TABLE} WHERE order_id <> {n}" for n in range(16)]
    plain = [f"SELECT count(*) FROM {TABLE} WHERE order_id <> {-1 - n}" for n in range(16)]
    with ThreadPoolExecutor(8) as pool:
        outcomes = dict(zip((*telling, *plain), pool.map(on.client.ask, [*telling, *plain]), strict=True))
    assert [outcomes[each].rows for each in telling if outcomes[each].error is None] == []
    assert {outcomes[each].rows for each in plain if outcomes[each].error is None} <= {on.rows}


def test_trino_tells_nobody_of_anothers_queries_and_has_no_pages(on: Attacked) -> None:
    url, ana, sam = on.client.trino.url, {"X-Trino-User": on.client.user}, {"X-Trino-User": "sam+reporting"}
    on.client.ask(f"SELECT note FROM {TABLE}")
    (mine, *_) = [each["queryId"] for each in requests.get(f"{url}/v1/query", headers=ana).json()]
    for path in (f"/v1/query/{mine}", f"/v1/queryState/{mine}", "/v1/node", "/v1/thread", "/v1/jmx/mbean", "/metrics"):
        assert requests.get(f"{url}{path}", headers=sam).status_code == 403, path
    assert requests.get(f"{url}/v1/query", headers=sam).json() == []
    with requests.Session() as browser:
        browser.post(f"{url}/ui/login", data={"username": on.client.user, "password": ""})
        assert browser.get(f"{url}/ui/api/query/{mine}").status_code == 401


def test_trino_shows_everybody_their_own_plans_so_the_guide_asks_for_a_proxy(on: Attacked) -> None:
    url, ana = on.client.trino.url, {"X-Trino-User": on.client.user}
    assert on.client.ask(f"SELECT note FROM {TABLE}").answered
    told = requests.get(f"{url}/v1/query", headers=ana).json()
    (mine, *_) = [each["queryId"] for each in told if each["query"] == f"SELECT note FROM {TABLE}"]
    assert "filterPredicate" in requests.get(f"{url}/v1/query/{mine}", headers=ana).text
