"""What is translated, what is refused, and Trino's text, which nothing here has run: see golden/trino.sql.

`UPDATE_GOLDEN=1 pytest tests/quality_checks/test_dialects.py` writes that file anew; read the difference.
"""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from quality_checks import Expectation
from quality_checks.columns import Column
from quality_checks.conditions import condition_of
from quality_checks.counts import narrowed
from quality_checks.dialects import NotTranslatedError, exposed, translated
from quality_checks.inspection import plan_of
from quality_checks.patterns import pattern_for_re2
from quality_checks.regex_dialects import regex_for
from quality_checks.relation import Relation
from tests.quality_checks.every_type import every_expectation

GOLDEN = Path(__file__).parent / "golden" / "trino.sql"
TYPES = {
    "id": "INTEGER",
    "small": "SMALLINT",
    "whole": "INTEGER",
    "big": "BIGINT",
    "real": "FLOAT",
    "double": "DOUBLE",
    "price": "DECIMAL(10,2)",
    "wide": "DECIMAL(38,0)",
    "text": "VARCHAR",
    "flag": "BOOLEAN",
    "day": "DATE",
    "moment": "TIMESTAMP",
    "instant": "TIMESTAMP WITH TIME ZONE",
    "uuid": "UUID",
    "doc": "JSON",
    "bytes": "BLOB",
    "list": "INTEGER[]",
}
THERE = exp.Table(this=exp.to_identifier("part"), db=exp.to_identifier("events"), catalog=exp.to_identifier("iceberg"))


class Recorded(Exception):
    pass


class Recorder(Relation):
    """Raises the first query that it is asked."""

    def answer(self, query: exp.Select) -> tuple[Any, ...]:
        raise Recorded(query)


def queries(expectation: Expectation) -> list[exp.Select]:
    """What DuckDB is asked for one expectation: the scan, and the first query after it."""
    relation = Recorder.parse(None, "here")  # type: ignore[arg-type]
    plan, condition = plan_of(expectation, TYPES), condition_of(expectation.kwargs, TYPES)
    aggregates = [narrowed(aggregate, condition) for aggregate in plan.aggregates]
    asked = [relation.select(*aggregates)] if aggregates else []
    try:
        plan.judge(expectation, [8] * len(aggregates), relation.where(condition))
    except Recorded as recorded:
        asked.append(recorded.args[0])
    except Exception:  # noqa: BLE001  # needs another table
        pass
    return asked


def in_engine(query: exp.Expr, engine: Any) -> str:
    tables = {table: THERE for table in query.find_all(exp.Table) if table.name == "here"}
    try:
        return translated(query, engine, TYPES, tables).sql(engine, identify=True)
    except NotTranslatedError as refused:
        return f"-- {refused}"


def chosen() -> list[Expectation]:
    """The first of each type on a column of each of some families, without and with a condition."""
    first: dict[tuple[Any, ...], Expectation] = {}
    for expectation in every_expectation():
        columns = expectation.columns
        if not columns or columns[0] in ("whole", "real", "price", "text", "uuid", "instant"):
            first.setdefault((expectation.type, columns, "row_condition" in expectation.kwargs), expectation)
    return list(first.values())


def golden() -> str:
    texts = [
        f"-- {expectation.name}\n{in_engine(query, 'trino')}\n"
        for expectation in chosen()
        for query in queries(expectation)
    ]
    return "\n".join(dict.fromkeys(texts))


def test_the_text_for_trino_is_as_it_was_read():
    text = golden()
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_trino_s_parser_reads_it_and_finds_nothing_of_duckdb():
    for query in sqlglot.parse(re.sub(r"(?m)^(--.*)$", r"; \1", golden()), dialect="trino"):
        if query is None:
            continue
        assert not isinstance(query, exp.Command)
        assert {str(node.this) for node in query.find_all(exp.Anonymous)} <= {"FROM_ISO8601_TIMESTAMP_NANOS"}


@pytest.mark.parametrize("engine", ["postgres", "trino"])
@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM here",
        "SELECT COUNT(*) FROM elsewhere",
        "SELECT COUNT(*) FROM read_csv('x')",
        "SELECT TRY_CAST(text AS INT) FROM here",
        "SELECT CAST(text AS DOUBLE) FROM here",
        "SELECT CAST(double AS TEXT) FROM here",
        "SELECT SUM(whole / 2) FROM here",
        "SELECT MEDIAN(price) FROM here",
        "SELECT HASH(whole) FROM here",
        "SELECT COUNT(DISTINCT list) FROM here",
        "SELECT list FROM here",
        "SELECT SUM(whole) OVER () FROM here",
        "SELECT COUNT(*) FROM here WHERE whole IN (SELECT id FROM elsewhere)",
        "SELECT COUNT(*) FROM here WHERE regexp_matches(text, '(?i)a')",
        "SELECT COUNT(*) FROM here WHERE regexp_matches(text, text)",
        "SELECT COUNT(*) FROM here WHERE real + double = 1",
        "SELECT COUNT(*) FROM here WHERE real = whole",
        "SELECT COUNT(*) FROM here WHERE text ILIKE 'a'",
    ],
)
def test_what_has_no_equal_is_refused_and_never_guessed(engine, text):
    query = sqlglot.parse_one(text, dialect="duckdb")
    assert in_engine(query, engine).startswith(f"-- {engine} has no equal for ")


@pytest.mark.parametrize("regex", ["^a$", "é|😀", "[^a-z]", r"a{2,}", r"\.", "^$", "(a|b)?c", r"[\]\^-]"])
def test_a_regular_expression_keeps_its_meaning(regex):
    """Java's and Postgres's notation, read back by Python."""
    ours = regex_for(pattern_for_re2(regex).re2, "postgres", whole=False)
    assert ours is not None
    for text in ["", "a", "aa", "b", "c", "ac", "é", "😀", ".", "a\n", "]", "^", "-", "xyz", "A"]:
        assert bool(re.search(ours, text)) == bool(re.search(regex, text)), text


def test_postgres_is_given_no_pattern_that_it_would_refuse():
    assert regex_for("(?:a){0,256}", "postgres", whole=False) is None
    assert regex_for("(?:(?:a){0,200}){0,200}", "postgres", whole=False) is None
    assert regex_for(r"\d", "postgres", whole=False) is None
    assert regex_for("(?:a){0,256}", "trino", whole=False) == "(?:a){0,256}"


def test_text_is_compared_by_code_point_and_floats_as_doubles():
    assert exposed(Column(name="a", type="VARCHAR")).sql("postgres") == '"a" COLLATE "C"'
    assert exposed(Column(name="a", type="UUID")).sql("postgres") == 'CAST("a" AS TEXT) COLLATE "C"'
    assert exposed(Column(name="a", type="FLOAT")).sql("postgres") == 'CAST("a" AS DOUBLE PRECISION)'
