"""Queries that take without measure: each ends with a reason, and the next one is answered."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mesh_defs.engine import duckdb as engine_module
from mesh_defs.engine.setup import Limits, Setup, from_json, to_json
from mesh_defs.errors import EngineError, MeshError
from mesh_defs.model.place import Access, S3Access
from mesh_defs.model.version import Pin
from tests.engine.questions import a_pin, an_engine, governed, rows

# None of these is stopped by DuckDB's own memory_limit, nor by an interrupt in time.
GREEDY = {
    "one long text": "SELECT length(repeat('x', 4000000000))",
    "a long text for each row": "SELECT sum(length(repeat(name, 200000000))) FROM {people} AS p",
    "long texts as an answer": "SELECT repeat(name, 20000000) AS t FROM {people} AS p, range(100)",
    "a long list": "SELECT len(list_transform(range(100000000), x -> x + 1))",
    "lists of lists": "SELECT len(flatten(list_transform(range(100000), x -> range(100000))))",
    "a list of all": "SELECT len(list(i)) FROM range(1000000000) t(i)",
    "a text of all": "SELECT length(string_agg(name, repeat('y', 1000000))) FROM {people} AS p, range(100000)",
    "a growing text": "WITH RECURSIVE r AS (SELECT 'x' AS s UNION ALL SELECT s || s FROM r) SELECT max(length(s)) FROM r",
    "a padded text": "SELECT format('{:>2000000000}', 'x')",
    "a wide row": f"SELECT {', '.join(f'repeat(name, 1000000) AS c{n}' for n in range(300))} FROM {{people}} AS p",
    "a map": "SELECT map(range(100000000), range(100000000))",
}


@pytest.mark.parametrize("name", GREEDY)
def test_a_query_that_takes_too_much_memory_ends(tmp_path: Path, people: Pin, name: str) -> None:
    engine = an_engine(tmp_path, memory_bytes_max=400_000_000)
    with pytest.raises(EngineError, match=r"out of memory|ended before its answer"):
        rows(engine, GREEDY[name], people)
    assert rows(engine, "SELECT count(*) AS n FROM {people} AS p", people) == [{"n": 6}]


NESTED = {
    "brackets": "SELECT " + "(" * 1_500 + "1" + ")" * 1_500,
    "many brackets": "SELECT " + "(" * 200_000 + "1" + ")" * 200_000,
    "many NOT": "SELECT " + "NOT " * 100_000 + "true",
    "a long sum": "SELECT 1" + " + 1" * 50_000,
    "subqueries": "SELECT * FROM " + "(SELECT * FROM " * 300 + "{people} AS p" + ") AS q" * 300,
    "a CTE of doubles": "WITH a0 AS (SELECT 1 AS n)"
    + "".join(f", a{n} AS (SELECT * FROM a{n - 1} UNION ALL SELECT * FROM a{n - 1})" for n in range(1, 18))
    + " SELECT count(*) AS n FROM a17",
    "a regex": "SELECT regexp_matches('aaa', '((((a{1000}){1000}){1000}){1000})')",
    "a long list": "SELECT 1 IN (" + ",".join(map(str, range(50_000))) + ")",
    "a list of lists": "SELECT " + "[" * 900 + "1" + "]" * 900,
    "a deep type": "SELECT CAST(NULL AS INTEGER" + "[]" * 2_000 + ")",
    "a deep document": "SELECT json_extract(repeat('[', 1000000), '$')",
}


@pytest.mark.parametrize("name", NESTED)
def test_a_text_that_is_nested_too_deep_harms_nobody(tmp_path: Path, people: Pin, name: str) -> None:
    """One of them takes DuckDB's planner hours: only the deadline ends it."""
    engine, asked = an_engine(tmp_path, seconds_max=5.0), governed(NESTED[name], people)
    try:
        with engine.session((people,)) as session:
            session.trees(asked)
            list(session.run(asked).batches())
    except MeshError as error:
        assert error.fix
    assert rows(engine, "SELECT count(*) AS n FROM {people} AS p", people) == [{"n": 6}]


def test_spills_what_outgrows_its_memory(tmp_path: Path) -> None:
    engine = an_engine(tmp_path, memory_bytes_max=200_000_000)
    text = "SELECT count(*) AS n, max(r) AS m FROM (SELECT row_number() OVER (ORDER BY hash(i)) AS r FROM range(12000000) t(i))"
    assert rows(engine, text) == [{"n": 12_000_000, "m": 12_000_000}]


def test_spills_no_more_than_it_may(tmp_path: Path, people: Pin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "SPILL_BYTES_MAX", 20_000_000)
    engine = an_engine(tmp_path, memory_bytes_max=200_000_000)
    with pytest.raises(EngineError, match="out of memory"):
        rows(
            engine,
            "SELECT max(r) AS m FROM (SELECT row_number() OVER (ORDER BY hash(i)) AS r FROM range(30000000) t(i))",
        )
    assert rows(engine, "SELECT count(*) AS n FROM {people} AS p", people) == [{"n": 6}]


def test_a_spill_folder_that_cannot_be_made_is_said(tmp_path: Path, people: Pin) -> None:
    (tmp_path / "spill").write_text("a file")
    with pytest.raises(EngineError, match="could be started"):
        rows(an_engine(tmp_path), "SELECT count(*) AS n FROM {people} AS p", people)


def test_a_setup_crosses_whole_and_shows_no_secret(tmp_path: Path) -> None:
    pin = a_pin(tmp_path)
    full = Pin(
        **{
            **{name: getattr(pin, name) for name in pin.__slots__},
            "scan": "SELECT 1",
            "recovered": "why",
            "data_version": "d",
            "tokens": {"name": "__token_name"},
            "published_at": datetime(2026, 1, 1, 1, 2, 3, 4, tzinfo=UTC),
        }
    )
    access = Access(
        root=tmp_path, postgres="postgresql://a:s3cr3t@b/c", s3=S3Access(endpoint="e", key="k", secret="s3cr3t")
    )
    limits = Limits(seconds_max=1.5, memory_bytes_max=2, spill_bytes_max=3, threads=4)
    setup = Setup(pins=(full,), accesses=(access,), limits=limits, drivers={"PGPASSWORD": "s3cr3t"})
    assert from_json(to_json(setup)) == setup
    assert json.loads(to_json(setup))["drivers"] == {"PGPASSWORD": "s3cr3t"}
    assert "s3cr3t" not in repr(setup)
