"""A contract that lets single rows go: what readers, Dagster and the quarantine then have of a bad batch."""

from pathlib import Path

import dagster as dg
import duckdb
import pytest

from mesh_defs.authoring.validate import validate
from mesh_defs.query.mesh import open_mesh, open_storage
from mesh_defs.refresh.instance import open_instance
from mesh_defs.settings import Settings
from mesh_defs.storage.base import Refused
from mesh_defs.upkeep.erased import add_erased
from tests.authoring.test_publish import NO_WEST, change, execute
from tests.factories import NOW
from tests.meshes import PEOPLE, REGION, contract, derived, refresh, rows, settings_of, sql

CAP = "{{property: quarantineFractionMax, value: {}}}"
ONE_BAD = f"{PEOPLE} UNION ALL SELECT 11, 'west'"
COUNT = "SELECT count(*), count(*) FILTER (region = 'west') FROM people.persons"


def persons(
    select: str = ONE_BAD, *, cap: object = 0.1, quality: tuple[str, ...] = (NO_WEST,), **more: object
) -> dict[str, str]:
    custom = (CAP.format(cap),) if cap is not None else ()
    return {**contract("people.persons", quality=quality, custom=custom, **more), **sql("persons", select)}  # type: ignore[arg-type]


def people(tmp_path: Path, files: dict[str, str]) -> Settings:
    return settings_of(tmp_path / "mesh", {"people": files})


def refused(settings: Settings) -> tuple[Refused, ...]:
    return open_storage(open_mesh(settings).products["people.persons"], settings).refused()


def seen(settings: Settings) -> list[tuple[object, ...]]:
    return rows(settings, COUNT, who="service:people")


def test_the_good_rows_are_published_and_the_bad_one_is_kept_apart(tmp_path: Path) -> None:
    settings = people(tmp_path, persons())
    outcome = refresh(settings)["people.persons"]
    assert outcome.state == "published", outcome
    assert seen(settings) == [(10, 0)]
    [bad] = refused(settings)
    assert (bad.kind, bad.rows, bad.reasons) == ("rows", 1, ({"check": "known", "unexpected_count": 1},))
    version = open_storage(open_mesh(settings).products["people.persons"], settings).current()
    assert version
    assert bad.about["left_out_of"] == version.id
    assert version.stamp["left_out"] == {"id": bad.id, "rows": 1}
    assert all(check["passed"] for check in version.stamp["checks"])


@pytest.mark.parametrize("storage", ["parquet", "duckdb"])
def test_a_batch_with_too_many_bad_rows_is_refused_whole(tmp_path: Path, storage: str) -> None:
    settings = people(tmp_path, persons(PEOPLE, storage=storage))
    refresh(settings)
    change(settings, sql("persons", f"{ONE_BAD} UNION ALL SELECT 12, 'west'"))
    outcome = refresh(settings)["people.persons"]
    assert (outcome.state, "quarantined" in outcome.told) == ("failed", True)
    assert seen(settings) == [(10, 0)]
    assert [(each.kind, each.rows) for each in refused(settings)] == [("batch", 12)]


def test_a_contract_that_says_nothing_refuses_whole_batches(tmp_path: Path) -> None:
    settings = people(tmp_path, persons(cap=None))
    assert refresh(settings)["people.persons"].state == "failed"
    assert [(each.kind, each.rows) for each in refused(settings)] == [("batch", 11)]


def test_dagster_shows_the_routed_check_as_a_failed_warning_and_counts_the_rows(tmp_path: Path) -> None:
    settings = people(tmp_path, persons())
    with dg.DagsterInstance.ephemeral() as instance:
        result = execute(settings, instance)
        assert result.success
        [event] = result.get_asset_materialization_events()
        metadata = event.materialization.metadata
        assert metadata["mesh/quarantined_rows"].value == 1
        assert metadata["mesh/quarantine"].value == refused(settings)[0].id
        assert metadata["dagster/row_count"].value == 10
        checks = {each.check_name: each for each in result.get_asset_check_evaluations()}
        assert (checks["known"].passed, checks["known"].severity) == (False, dg.AssetCheckSeverity.WARN)
        assert checks["known"].metadata["unexpected_count"].value == 1
        assert {name: each.passed for name, each in checks.items() if name != "known"} == {
            "not_null__person_id": True,
            "unique__person_id": True,
            "not_null__region": True,
        }
        logged = [
            each.user_message for each in instance.all_logs(result.run_id) if "were quarantined" in each.user_message
        ]
        assert len(logged) == 1
        assert (
            "1 of 11 rows were quarantined, the others published (known); `mesh quarantine show people.persons"
            in logged[0]
        )


def test_a_repeated_name_in_the_reasons_is_the_name_of_its_check(tmp_path: Path) -> None:
    unnamed = NO_WEST.replace("name: known, ", "")
    looser = unnamed.replace("[north, south]", "[north, south, east]")
    settings = people(tmp_path, persons(quality=(unnamed, looser)))
    assert refresh(settings)["people.persons"].state == "published"
    storage, [bad] = open_storage(open_mesh(settings).products["people.persons"], settings), refused(settings)
    with duckdb.connect() as connection:
        relation = storage.refused_relation(connection, bad)
        told = connection.execute(f"SELECT region, quarantine_reasons FROM {relation}").fetchall()
    assert told == [("west", "in_set__region, in_set__region_2")]


def test_a_good_batch_afterwards_is_published_as_ever(tmp_path: Path) -> None:
    settings = people(tmp_path, persons())
    refresh(settings)
    change(settings, sql("persons", PEOPLE.replace("range(1, 11)", "range(1, 21)")))
    assert refresh(settings)["people.persons"].state == "published"
    assert seen(settings) == [(20, 0)]
    with open_instance(settings) as instance:
        check = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey(["people", "persons"]), "known"), limit=1
        )
        assert check[0].event
        assert check[0].event.asset_check_evaluation
        assert check[0].event.asset_check_evaluation.passed


def test_once_the_rows_are_mended_the_same_inputs_are_news(tmp_path: Path) -> None:
    """Else what is downstream would never hear of the rows that had been left out."""
    told = {"quality": (NO_WEST,), "custom": (CAP.format(0.1), "{property: republishes, value: A test.}")}
    source = {**contract("people.raw"), **sql("raw", ONE_BAD)}
    made = {**derived("people.persons", **told), **sql("persons", "SELECT person_id, region FROM people.raw")}
    settings = people(tmp_path, {**source, **made})

    def data_version() -> str:
        version = open_storage(open_mesh(settings).products["people.persons"], settings).current()
        assert version
        return version.data_version

    assert refresh(settings)["people.persons"].state == "published"
    before = data_version()
    told["quality"] = (NO_WEST.replace("south]", "south, west]"),)
    change(settings, derived("people.persons", version="2.0.0", **told))
    assert refresh(settings, "people.persons")["people.persons"].state == "published"
    assert data_version() != before


def test_an_erased_person_is_neither_published_nor_quarantined(tmp_path: Path) -> None:
    settings = people(tmp_path, persons(f"{ONE_BAD} UNION ALL SELECT 12, 'west'"))
    for person in ("3", "12"):
        add_erased(settings.home, person, now=NOW)
    assert refresh(settings)["people.persons"].state == "published"
    assert seen(settings) == [(9, 0)]
    assert [(each.kind, each.rows) for each in refused(settings)] == [("rows", 1)]


DAYS = """
    SELECT CAST('2026-11-01' AS DATE) + CAST(day AS INTEGER) AS day,
        CASE WHEN day = 1 AND hit < {bad} THEN -1 - hit ELSE hit END AS hits
    FROM range(3) AS days(day), range(20) AS hits(hit)
    WHERE CAST('2026-11-01' AS DATE) + CAST(day AS INTEGER) = $window_start
"""
POSITIVE = (
    "{name: positive, type: custom, engine: greatExpectations, severity: error,"
    " implementation: {type: expect_column_values_to_be_between, kwargs: {column: hits, min_value: 0}}}"
)


@pytest.mark.parametrize(("bad", "state", "day_rows"), [(2, "published", 18), (3, "failed", 0)])
def test_the_cap_is_that_of_each_partition(tmp_path: Path, bad: int, state: str, day_rows: int) -> None:
    columns = (
        "{name: day, logicalType: date, required: true, partitioned: true}",
        "{name: hits, logicalType: integer, required: true}",
    )
    custom = (
        "{property: partitions, value: {start: '2026-11-01', end: '2026-11-04'}}",
        "{property: grain, value: [day, hits]}",
        CAP.format(0.1),
    )
    made = contract("people.hits", columns=columns, granularity="aggregate", quality=(POSITIVE,), custom=custom)
    settings = people(tmp_path, {**made, **sql("hits", DAYS.format(bad=bad))})
    assert refresh(settings)["people.hits"].state == state
    query = "SELECT day, count(*) FROM people.hits GROUP BY day ORDER BY day"
    counted = [count for _, count in rows(settings, query, who="service:people")]
    assert counted == [20, *([day_rows] if day_rows else []), 20]
    [told] = open_storage(open_mesh(settings).products["people.hits"], settings).refused()
    assert (told.partition, told.kind) == ("2026-11-02", "rows" if day_rows else "batch")


def test_a_column_called_like_the_reasons_is_refused_before_anything_runs(tmp_path: Path) -> None:
    columns = (REGION, "{name: quarantine_reasons, logicalType: string}")
    findings = validate(people(tmp_path, persons(columns=columns, granularity="aggregate")))
    assert any("has a column 'quarantine_reasons' of its own — rename" in str(finding) for finding in findings)
