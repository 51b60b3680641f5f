"""The same rows for the same person: on DuckDB and on Trino through the door, and from a Trino that enforces by itself.

A seeded short form; `python -m tests.conformance --full` asks for every shape of access file.
"""

from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from mesh_defs.model.query import TrinoTable
from mesh_defs.query.platform import Platform
from mesh_defs.trino.policy_server import PolicyServer
from mesh_defs.trino.rights import Place
from tests.conformance.compare import Report, compare, digest
from tests.conformance.stage import STORAGES, Answer, Stage
from tests.conformance.values import KINDS

WHOLE = ("whole", "measurement")


def test_the_same_rows_for_the_same_person_on_whichever_way(conformance: Stage) -> None:
    report = Report(each=list(compare(conformance)))
    assert report.told()["different"] == {}
    equal = report.of("equal")
    assert len(equal) > 2 * len(report.of("refused"))


def test_answers_that_differ_in_one_value_have_other_digests() -> None:
    """An instrument that cannot fail proves nothing."""
    values = [None, "", " ", "e\u0301", "\u00e9", 0.0, -0.0, float("nan"), 0, False, "0"]
    digests = [digest(["x"], Answer(columns=["x"], rows=[(value,)]), {}) for value in values]
    assert len(set(digests)) == len(values)


@pytest.mark.parametrize("domain", STORAGES)
def test_a_direct_clients_time_zone_changes_nothing(conformance: Stage, domain: str) -> None:
    place = conformance.places[f"{domain}.edges"]
    sql = f"SELECT row_id, w, d, z, CAST(z AS VARCHAR) AS x, date_trunc('day', z) AS y FROM {place}"
    answers = {
        conformance.native.trino.table(f"{sql} ORDER BY row_id", "+".join(WHOLE), zone)[1].__repr__()
        for zone in ("UTC", "America/New_York", "Asia/Kathmandu")
    }
    assert len(answers) == 1


@pytest.mark.parametrize(
    "expression",
    [
        *("CAST(z AS DATE)", "CAST(z AS VARCHAR)", "date_trunc('day', z)", "extract(hour FROM z)", "z < w"),
        *("z > '2020-01-01'", "now()", "current_date", "today()", "CAST(w AS TIMESTAMP WITH TIME ZONE)"),
    ],
)
def test_what_depends_on_a_clock_or_a_time_zone_is_refused_by_the_door_or_equal(
    conformance: Stage, expression: str
) -> None:
    sql = f"SELECT row_id, {expression} AS x FROM pond.edges ORDER BY row_id"
    ours, theirs = conformance.door(sql, *WHOLE, "trino"), conformance.door(sql, *WHOLE, "duckdb")
    assert ours.refused.startswith(("query-rejected: on Trino", "query-rejected:")) or ours == theirs


def test_a_snapshot_that_is_gone_is_an_error_and_on_record(conformance: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = conformance.platform.trino
    assert engine is not None
    known = engine.tables_of

    def gone(pin: object) -> tuple[TrinoTable, ...]:
        return tuple(replace(each, snapshot=12345) for each in known(pin))  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "tables_of", gone)
    told = conformance.door("SELECT row_id FROM pond.edges", *WHOLE, "trino")
    assert told.refused and not told.rows
    (newest,) = conformance.platform.ledger.search(limit=1)
    assert newest.kind in ("refused", "failed")


def test_rules_that_are_too_old_show_a_direct_client_nothing(
    conformance: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = conformance.native.server
    assert conformance.client("SELECT row_id FROM pond.edges", *WHOLE).rows

    def later() -> tuple[Platform, dict[Place, str]]:
        platform, places = server.sight()
        clock = platform.clock
        return replace(platform, clock=lambda: clock() + timedelta(days=30)), cast(dict[Place, str], places)

    old, rights = replace(server, sight=later), PolicyServer._rights
    monkeypatch.setattr(PolicyServer, "_rights", lambda self: rights(old))
    assert "Access Denied" in conformance.client("SELECT row_id FROM pond.edges", *WHOLE).refused


def test_columns_of_tokens_cannot_be_named_by_a_direct_client(conformance: Stage) -> None:
    assert "Access Denied" in conformance.client("SELECT __token_u FROM pond.edges", *WHOLE).refused
    names, _ = conformance.native.trino.table("SELECT * FROM pond_iceberg.pond.edges LIMIT 1", "+".join(WHOLE))
    assert names == ["row_id", *KINDS]
