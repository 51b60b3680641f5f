"""One question to one worker: rows with their types, parameters with theirs, trees, columns, and what failures say."""

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pytest

from mesh_defs.engine.duckdb import DuckDBEngine
from mesh_defs.errors import EngineError, MeshError, QueryRejectedError, StorageError, UnreachableError
from mesh_defs.model.version import Pin
from tests.engine.questions import COLUMNS, PEOPLE, a_pin, governed, rows

TYPES = {
    "whole": "CAST(7 AS TINYINT)",
    "huge": "CAST(170141183460469231731687303715884105727 AS HUGEINT)",
    "exact": "CAST(1.25 AS DECIMAL(18,4))",
    "real": "CAST('nan' AS DOUBLE)",
    "yes": "true",
    "text": "'a' || chr(0) || 'é'",
    "bytes": "'\\x00\\xFF'::BLOB",
    "day": "DATE '1582-10-01'",
    "moment": "TIMESTAMP '2026-01-01 00:00:00.000001'",
    "zoned": "TIMESTAMPTZ '2026-01-01 00:00:00+02'",
    "clock": "TIME '23:59:59.999999'",
    "span": "INTERVAL '1 month 2 days'",
    "id": "UUID '12345678-1234-5678-1234-567812345678'",
    "nothing": "NULL",
    "list": "[1, NULL, 3]",
    "empty": "[]",
    "nested": "{'a': [{'b': 'x'}], 'c': NULL}",
    "pairs": "MAP {'k': [1, 2]}",
    "three": "[1, 2, 3]::INTEGER[3]",
    "either": "union_value(k := 1)",
    "bits": "'0101'::BIT",
    "json": "'{\"a\": 1}'::JSON",
    "one_of": "CAST('b' AS ENUM('a', 'b'))",
}


@pytest.mark.parametrize("name", TYPES)
def test_a_value_comes_out_as_duckdb_itself_gives_it(engine: DuckDBEngine, name: str) -> None:
    text = f"SELECT {TYPES[name]} AS {name} FROM range(3)"
    with duckdb.connect() as connection:
        expected = connection.execute(text).to_arrow_table()
    running = engine.run(governed(text), {})
    found = pa.Table.from_batches(running.batches(), running.schema)
    assert found.schema == expected.schema
    assert repr(found.to_pylist()) == repr(expected.to_pylist())


def test_dictionaries_of_many_batches_keep_their_values(engine: DuckDBEngine) -> None:
    text = "SELECT i, CAST(CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END AS ENUM('a', 'b')) AS e FROM range(300000) t(i)"
    running = engine.run(governed(text), {})
    table = pa.Table.from_batches(running.batches(), running.schema)
    assert table.num_rows == running.rows == 300_000
    assert table.column("e").to_pylist() == ["a", "b"] * 150_000


@pytest.mark.parametrize("kind", ["parquet", "duckdb"])
def test_reads_a_version_through_its_guard(engine: DuckDBEngine, tmp_path: Path, kind: str) -> None:
    people = a_pin(tmp_path, kind=kind)
    assert rows(engine, "SELECT count(*) AS n, max(id) AS m FROM {people} AS p", people) == [{"n": 6, "m": 7}]


def test_reads_versions_of_two_products_at_once(engine: DuckDBEngine, tmp_path: Path, people: Pin) -> None:
    others = a_pin(tmp_path, product="y.others", kind="duckdb")
    text = "SELECT count(*) AS n FROM {people} AS p JOIN {others} AS o USING (id)"
    assert rows(engine, text, people, others) == [{"n": 6}]


def test_offers_the_columns_of_the_contract_and_of_its_tokens_and_no_others(engine: DuckDBEngine, people: Pin) -> None:
    narrow = replace(people, columns={"id": "BIGINT"}, tokens={"name": "name"})
    told = dict(engine.session((narrow,)).describe(governed("SELECT * FROM pin_x__people", narrow)))
    assert told == {"id": "BIGINT", "name": "VARCHAR"}


def test_a_version_without_columns_is_refused(engine: DuckDBEngine, people: Pin) -> None:
    with pytest.raises(EngineError, match=r"x\.people has no columns"):
        engine.session((replace(people, columns={}),))


def test_an_empty_answer_has_its_columns(engine: DuckDBEngine, people: Pin) -> None:
    running = engine.run(governed("SELECT * FROM {people} AS p WHERE false", people), {})
    assert running.schema.names == ["id", "name"]
    assert list(running.batches()) == []
    assert running.cpu_seconds is not None


def test_a_name_that_stands_twice_stays_twice(engine: DuckDBEngine) -> None:
    assert engine.run(governed("SELECT 1 AS a, 2 AS a"), {}).schema.names == ["a", "a"]


PARAMETERS: dict[str, Any] = {
    "none": None,
    "bool": True,
    "int": -5,
    "long": 2**63,
    "longest": -(10**38) + 1,
    "float": 1e300,
    "text": "o'clock \0 é",
    "bytes": b"\0\xff",
    "decimal": Decimal("1.50"),
    "date": date(1, 1, 1),
    "datetime": datetime(2026, 1, 1, 1, 2, 3, 4),
    "zoned": datetime(2026, 1, 1, tzinfo=UTC),
    "berlin": datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin")),
    "time": time(1, 2, 3),
    "timedelta": timedelta(days=3, seconds=5),
    "list": ["a", None, "b"],
    "empty": [],
    "struct": {"a": 1, "b": ["x"]},
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_keeps_its_value_and_type(engine: DuckDBEngine, name: str) -> None:
    text, value = "SELECT $v AS v, typeof($v) AS t", PARAMETERS[name]
    with duckdb.connect() as connection:
        expected = connection.execute(text, {"v": value}).to_arrow_table().to_pylist()
    assert rows(engine, text, v=value) == expected


def test_a_uuid_is_given_as_its_text(engine: DuckDBEngine) -> None:
    id = UUID(int=5)
    assert rows(engine, "SELECT $v = UUID '00000000-0000-0000-0000-000000000005' AS same", v=id) == [{"same": True}]


@pytest.mark.parametrize("value", [object(), 10**40, [1, "secret"]], ids=["object", "int", "mixed"])
def test_a_parameter_of_no_type_is_refused_without_its_value(engine: DuckDBEngine, value: Any) -> None:
    with pytest.raises(QueryRejectedError, match=r"\$v is a \w+ that no column can hold") as refused:
        engine.run(governed("SELECT $v AS v"), {"v": value})
    assert "secret" not in str(refused.value)
    assert "0000" not in str(refused.value)


def test_trees_are_the_engines_own_and_its_guards_plan_stands_in_the_plan(engine: DuckDBEngine, people: Pin) -> None:
    asked = governed("SELECT p.id FROM {people} AS p WHERE p.name = $name", people)
    trees = engine.session((people,)).trees(asked, {"name": "n1"})
    assert json.loads(trees.parsed)["statements"][0]["node"]["from_table"]["type"] == "SUBQUERY"
    guard = json.loads(trees.guards["x.people"])["plans"][0]
    plan = json.loads(trees.plan)["plans"][0]
    assert guard["type"] == "LOGICAL_PROJECTION"
    assert plan["children"][0]["children"][0]["type"] == "LOGICAL_PROJECTION"
    assert "n1" not in trees.plan


def test_a_text_that_is_no_select_is_told_to_the_verifier_and_never_run(engine: DuckDBEngine, people: Pin) -> None:
    for text in ("DROP VIEW pin_x__people", "PRAGMA table_info(error('x'))", "SET threads = 1; SELECT 1", "SELEC"):
        with engine.session((people,)) as session, suppress(MeshError):
            assert json.loads(session.trees(governed(text, people)).parsed)["error"]
    assert rows(engine, "SELECT count(*) AS n FROM {people} AS p", people) == [{"n": 6}]


def test_describes_without_running(engine: DuckDBEngine, people: Pin) -> None:
    with engine.session((people,)) as session:
        told = dict(
            session.describe(governed("SELECT id, error('no') AS e, $v AS v FROM {people} AS p", people), {"v": 1})
        )
    assert told == {"id": "BIGINT", "e": "INTEGER", "v": "INTEGER"}


def test_a_session_answers_trees_then_rows_and_then_no_more(engine: DuckDBEngine, people: Pin) -> None:
    asked = governed("SELECT * FROM {people} AS p", people)
    session = engine.session((people,))
    session.trees(asked)
    running = session.run(asked)
    with pytest.raises(EngineError, match="has ended"):
        session.run(asked)
    assert sum(batch.num_rows for batch in running.batches()) == 6


FAILING = {
    "a cast": "SELECT CAST(name AS INTEGER) FROM {people} AS p",
    "a raised error": "SELECT error(name) FROM {people} AS p",
    "an error late in the stream": "SELECT CASE WHEN i < 200000 THEN 1 ELSE error('n' || i) END FROM range(250000) t(i)",
    "a path of JSON": "SELECT json_extract('[1]', '$[' || name) FROM {people} AS p",
    "a date format": "SELECT strptime('1', name) FROM {people} AS p",
    "an overflow": "SELECT id + 9223372036854775807 FROM {people} AS p",
    "a part of a date": "SELECT date_part(name, DATE '2026-01-01') FROM {people} AS p",
    "a time zone": "SELECT timezone(name, TIMESTAMP '2026-01-01') FROM {people} AS p",
    "a regex": "SELECT regexp_matches('x', '(' || name) FROM {people} AS p",
}


@pytest.mark.parametrize("name", FAILING)
def test_a_failure_tells_no_value_and_the_next_question_is_answered(
    engine: DuckDBEngine, people: Pin, name: str
) -> None:
    with pytest.raises(MeshError) as failed:
        rows(engine, FAILING[name], people)
    assert not any(f"n{id}" in str(failed.value) for id in range(9))
    assert failed.value.fix
    assert rows(engine, "SELECT count(*) AS n FROM {people} AS p", people) == [{"n": 6}]


@pytest.mark.parametrize("does", ["trees", "describe", "run"])
def test_what_does_not_bind_is_said_by_whichever_comes_first(engine: DuckDBEngine, people: Pin, does: str) -> None:
    with pytest.raises(QueryRejectedError, match='Referenced column "secre" not found'):
        getattr(engine.session((people,)), does)(governed("SELECT secre FROM {people} AS p", people))


def test_says_which_of_the_askers_names_does_not_exist_and_no_other_name(engine: DuckDBEngine, people: Pin) -> None:
    with pytest.raises(QueryRejectedError, match='Referenced column "secre" not found') as failed:
        rows(engine, "SELECT secre FROM {people} AS p", people)
    assert "secret" not in str(failed.value)
    assert "pin_" not in str(failed.value)


@pytest.mark.parametrize(
    "text",
    [
        "ATTACH '{folder}/other.duckdb' AS y",
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "COPY (SELECT 1) TO '{folder}/spill/out.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "SET enable_external_access = true",
        "SET allowed_paths = ['/etc/passwd']",
        "SET threads = 64",
        "SET memory_limit = '64GB'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "EXPORT DATABASE '{folder}/out'",
        "CREATE SECRET (TYPE s3)",
    ],
)
def test_even_a_text_that_slipped_past_the_verifier_opens_nothing(
    engine: DuckDBEngine, people: Pin, tmp_path: Path, text: str
) -> None:
    before = set(tmp_path.rglob("*.*"))
    with pytest.raises(MeshError):
        rows(engine, text.replace("{folder}", str(tmp_path)), people)
    assert set(tmp_path.rglob("*.*")) == before


def test_a_version_that_is_gone_is_named_with_its_mend(engine: DuckDBEngine, people: Pin) -> None:
    Path(people.locations[0]).unlink()
    with pytest.raises(StorageError, match="version 1 is gone") as gone:
        engine.session((people,))
    assert gone.value.where == people.locations[0]
    assert "ask again" in gone.value.fix


def test_a_version_that_vanishes_while_a_worker_waits_is_a_failure_and_then_gone(
    engine: DuckDBEngine, people: Pin
) -> None:
    assert len(rows(engine, "SELECT * FROM {people} AS p", people)) == 6
    Path(people.locations[0]).unlink()
    with pytest.raises(EngineError, match="storage failed"):
        rows(engine, "SELECT * FROM {people} AS p", people)
    with pytest.raises(StorageError, match="is gone"):
        rows(engine, "SELECT * FROM {people} AS p", people)


def test_a_torn_file_is_named_without_what_is_in_it(engine: DuckDBEngine, people: Pin) -> None:
    Path(people.locations[0]).write_bytes(b"PAR1secret")
    with pytest.raises(StorageError, match="cannot be opened") as torn:
        engine.session((people,))
    assert "secret" not in str(torn.value)


def test_a_store_that_is_not_reached_is_said_as_by_the_store_itself(engine: DuckDBEngine, people: Pin) -> None:
    with pytest.raises((StorageError, UnreachableError), match="MESH_POSTGRES is not set"):
        engine.session((replace(people, kind="postgres", locations=("x.people",)),))


@pytest.mark.parametrize("kind", ["parquet", "duckdb"])
@pytest.mark.parametrize("name", ["a[bc]", "a*b", "a?b", "a b", "a'b", 'a"b', "a\\b", "é"])
def test_a_place_may_have_any_name(engine: DuckDBEngine, tmp_path: Path, kind: str, name: str) -> None:
    if kind == "duckdb" and "?" in name:
        pytest.skip("DuckDB takes '?' for the start of options; storage refuses to write there")
    (tmp_path / name).mkdir()
    people = a_pin(tmp_path / name, PEOPLE, COLUMNS, kind=kind)
    assert len(rows(engine, "SELECT * FROM {people} AS p", people)) == 6
