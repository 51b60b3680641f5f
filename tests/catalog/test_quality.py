"""Where evaluations are kept, and what the mesh's scorecard makes of them."""

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

import mesh_defs.catalog.quality as kept
from mesh_defs.catalog.loader import load_definitions
from mesh_defs.catalog.quality import load_history, record_evaluation
from mesh_defs.catalog.scorecard import quality_page, scorecard
from mesh_defs.documents.workspace import read_workspace
from mesh_defs.errors import NotFoundError
from mesh_defs.query.mesh import open_mesh
from mesh_defs.refresh.instance import open_instance
from mesh_defs.settings import Settings, load_settings
from quality_checks import Expectation, Result
from tests.meshes import DAY, HITS, NOT_EMPTY, contract, refresh, settings_of, sql, two_domains

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
NAME = "people.persons"
UNIQUE = Expectation(type="expect_column_values_to_be_unique", kwargs={"column": "person_id"})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "mesh.yaml").touch()
    return load_settings({"MESH_ROOT": str(tmp_path)})


def a_result(success: bool = True) -> Result:
    return Result(
        expectation=UNIQUE,
        success=success,
        element_count=10,
        missing_count=0,
        unexpected_count=0 if success else 2,
        unexpected_percent=0.0 if success else 20.0,
    )


def record(settings: Settings, number: int = 0, *results: Result, **told: Any) -> str | None:
    said: dict[str, Any] = {"at": NOW + timedelta(seconds=number), "version": f"v{number}", "published": True, **told}
    return record_evaluation(settings, NAME, results or [a_result()], **said)


def files(settings: Settings) -> list[Path]:
    return sorted((settings.home / "quality" / NAME).iterdir())


def test_an_evaluation_is_one_gx_document_named_by_time(settings: Settings) -> None:
    assert record(settings, rows=10, partition="2026-11-27") is None
    [file] = files(settings)
    assert file.name == "20261128T120000.000000Z-v0-2026-11-27.json"
    document = json.loads(file.read_text())
    assert (document["suite_name"], document["success"], document["meta"]["rows"]) == (NAME, True, 10)


def test_what_was_kept_is_read_back_oldest_first(settings: Settings) -> None:
    for number in (2, 0, 1):
        record(settings, number, rows=10, figures={"person_id": {"mean": float(number)}})
    read = load_history(settings, NAME).evaluations
    assert [each.version for each in read] == ["v0", "v1", "v2"]
    assert [each.columns["person_id"].mean for each in read] == [0.0, 1.0, 2.0]
    assert [each.version for each in load_history(settings, NAME, newest=1).evaluations] == ["v2"]


def test_a_product_that_was_never_evaluated_has_an_empty_history(settings: Settings) -> None:
    assert load_history(settings, NAME) == kept.History()


@pytest.mark.parametrize(
    "torn", [b"", b"{", b'{"meta":', b"\xff\xfe", b"[" * 100_000, b"null", b'{"meta": {"validation_time": 1}}']
)
def test_a_torn_file_is_named_and_harms_no_other(settings: Settings, torn: bytes) -> None:
    record(settings)
    broken = files(settings)[0].with_name("20261128T110000.000000Z-torn.json")
    broken.write_bytes(torn)
    read = load_history(settings, NAME)
    assert [each.version for each in read.evaluations] == ["v0"]
    assert read.damaged == (str(broken),)


def test_only_the_newest_are_kept(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "EVALUATIONS_KEPT_MAX", 3)
    for number in range(6):
        record(settings, number)
    assert [each.version for each in load_history(settings, NAME).evaluations] == ["v3", "v4", "v5"]


def test_the_newest_is_kept_however_large_it_is(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "EVALUATIONS_BYTES_MAX", 1)
    for number in range(3):
        record(settings, number)
    assert [each.version for each in load_history(settings, NAME).evaluations] == ["v2"]


def test_what_a_dead_writer_left_goes_after_a_day(settings: Settings) -> None:
    record(settings)
    left = files(settings)[0].with_name(".x.json.0.tmp")
    left.touch()
    record(settings, 1, at=datetime.now(UTC))
    assert left.exists()
    record(settings, 2, at=datetime.now(UTC) + timedelta(hours=25))
    assert not left.exists()


@pytest.mark.parametrize("partition", ["", "..", "a/b", "../../up", "x" * 5000, "ü\u202e", "\udcff", "nul\x00", " "])
def test_any_partition_has_a_file_of_its_own_in_the_products_folder(settings: Settings, partition: str) -> None:
    assert record(settings, partition=partition) is None
    assert record(settings, partition="other") is None
    assert len(files(settings)) == 2
    assert {each.partition for each in load_history(settings, NAME).evaluations} == {partition, "other"}


def test_names_that_look_alike_as_files_stay_apart(settings: Settings) -> None:
    for partition in ("a/b", "a?b", "a_b"):
        record(settings, partition=partition)
    assert len(files(settings)) == 3


def test_a_folder_that_cannot_be_written_is_told_and_fails_nothing(settings: Settings) -> None:
    (settings.home).mkdir(parents=True)
    (settings.home / "quality").write_text("in the way")
    told = record(settings)
    assert told is not None
    assert "could not be kept" in told
    assert load_history(settings, NAME) == kept.History()


def _many(home: tuple[Settings, int]) -> list[str | None]:
    settings, writer = home
    return [record(settings, writer * 100 + number) for number in range(20)]


def test_writers_in_many_processes_and_threads_lose_nothing(settings: Settings) -> None:
    work = [(settings, writer) for writer in range(4)]
    with ProcessPoolExecutor(2) as processes, ThreadPoolExecutor(2) as threads:
        done = [*processes.map(_many, work[:2]), *threads.map(_many, work[2:])]
    assert {told for each in done for told in each} == {None}
    read = load_history(settings, NAME)
    assert (len(read.evaluations), read.damaged) == (80, ())


def test_writers_that_forget_at_the_same_time_harm_one_another_not(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "EVALUATIONS_KEPT_MAX", 5)
    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(_many, [(settings, writer) for writer in range(4)]))
    assert {told for each in done for told in each} == {None}
    assert len(load_history(settings, NAME).evaluations) == 5
    assert not load_history(settings, NAME).damaged


# Three days, of which nobody came on the second: a critical check refuses it.
DAYS = (
    "{property: grain, value: [day, hits]}",
    "{property: partitions, value: {start: '2026-11-01', end: '2026-11-04'}}",
)
VISITS = """
    SELECT CAST($window_start AS DATE) AS day, n AS hits FROM range(3) AS numbers(n) WHERE $partition <> '2026-11-02'
"""


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two domains, published once by the real step; `people.days` is made day by day."""
    people = {
        **contract("people.days", columns=(DAY, HITS), quality=(NOT_EMPTY,), granularity="aggregate", custom=DAYS),
        **sql("days", VISITS),
    }
    settings = settings_of(tmp_path_factory.mktemp("evaluated") / "mesh", two_domains(people=people))
    refresh(settings)
    return settings


@pytest.fixture
def published(evaluated: Settings) -> Iterator[Settings]:
    """The same, to be added to and taken from: what was kept by then is put back afterwards."""
    folder = evaluated.home / "quality"
    shutil.copytree(folder, evaluated.home / "before")
    yield evaluated
    shutil.rmtree(folder)
    (evaluated.home / "before").rename(folder)


def card_of(settings: Settings, **told: Any) -> dict[str, Any]:
    return scorecard(open_mesh(settings), settings, now=told.get("now", datetime.now(UTC)))


def page_of(settings: Settings, name: str = NAME, **told: Any) -> dict[str, Any]:
    return quality_page(open_mesh(settings), settings, name, now=told.get("now", datetime.now(UTC)))


def row_of(settings: Settings, name: str = NAME, **told: Any) -> dict[str, Any]:
    return next(row for row in card_of(settings, **told)["products"] if row["product"] == name)


def test_the_scorecard_counts_checks_of_published_versions_by_domain_and_dimension(evaluated: Settings) -> None:
    shop = next(row for row in card_of(evaluated)["domains"] if row["domain"] == "shop")
    assert shop["dimensions"]["completeness"] == {"passed": 2, "checks": 2, "share": 1.0}
    assert shop["dimensions"]["uniqueness"] == {"passed": 1, "checks": 1, "share": 1.0}
    assert shop["dimensions"]["timeliness"] == {"passed": 1, "checks": 1, "share": 1.0}
    assert shop["dimensions"]["accuracy"] == {"passed": 0, "checks": 0, "share": None}
    assert shop["checks"] == 4


def test_what_is_late_counts_against_timeliness_and_the_weakest_come_first(evaluated: Settings) -> None:
    card = card_of(evaluated, now=datetime.now(UTC) + timedelta(days=2))
    assert all(row["dimensions"]["timeliness"]["passed"] == 0 for row in card["domains"])
    shares = [row["share"] for row in card["products"]]
    assert shares == sorted(shares)
    assert {row["freshness"] for row in card["products"]} == {"late"}


def test_each_partition_is_an_evaluation_and_a_refused_one_no_publication(evaluated: Settings) -> None:
    read = load_history(evaluated, "people.days").evaluations
    assert {(each.partition, each.published, each.rows) for each in read} == {
        ("2026-11-01", True, 3),
        ("2026-11-02", False, 0),
        ("2026-11-03", True, 3),
    }
    page = page_of(evaluated, "people.days")
    assert page["passed"] == page["checks"]
    some_rows = next(check for check in page["check_list"] if check["name"] == "some_rows")
    assert [point["passed"] for point in some_rows["history"]] == [True, False, True]


def test_a_product_without_a_history_is_judged_by_what_its_pointer_says(published: Settings) -> None:
    settings = published
    with_history = row_of(settings)
    for file in (settings.home / "quality" / NAME).iterdir():
        file.unlink()
    without = row_of(settings)
    assert {**without, "evaluated_at": None} == {**with_history, "evaluated_at": None}
    assert without["evaluated_at"] is None
    page = page_of(settings)
    assert [check["passed"] for check in page["check_list"]] == [True] * 4
    assert (page["evaluation"], page["drift"]) == (None, [])


def test_a_refused_candidate_lowers_no_share_and_shows_in_the_history(published: Settings) -> None:
    settings = published
    at = datetime.now(UTC)
    record(settings, 0, a_result(success=False), at=at, version="refused", published=False, rows=12)
    assert (row_of(settings)["passed"], row_of(settings)["checks"]) == (4, 4)
    page = page_of(settings)
    assert (page["evaluation"]["version"], page["evaluation"]["published"]) == ("refused", False)
    unique = next(check for check in page["check_list"] if check["name"] == "unique__person_id")
    assert [point["passed"] for point in unique["history"]] == [True, False]
    assert (unique["unexpected_count"], unique["unexpected_percent"], unique["engine"]) == (2, 20.0, "compiled")
    waiting = next(check for check in page["check_list"] if check["name"] == "not_null__region")
    assert (waiting["passed"], waiting["history"]) == (None, [])


def test_a_check_that_has_come_later_has_gaps_in_its_past(published: Settings) -> None:
    settings = published
    record(settings, 0, at=datetime.now(UTC) - timedelta(days=1))
    page = page_of(settings)
    pasts = {check["name"]: [point is not None for point in check["history"]] for check in page["check_list"]}
    assert pasts["unique__person_id"] == [True, True]
    assert pasts["not_null__region"] == [False, True]


def test_drift_is_counted_and_too_short_a_history_is_none(published: Settings) -> None:
    settings = published
    assert row_of(settings)["drifted"] is None
    for days in range(1, 13):
        record(settings, 0, at=datetime.now(UTC) - timedelta(days=days), version=f"v{days}", rows=1000)
    assert row_of(settings)["drifted"] == 1
    [rows] = [each for each in page_of(settings)["drift"] if each["metric"] == "rows"]
    assert (rows["verdict"], rows["figure"], rows["median"], rows["compared"]) == ("drifted", 10.0, 1000.0, 12)


def test_a_damaged_file_is_named_on_the_scorecard_and_the_page(published: Settings) -> None:
    settings = published
    record(settings)
    broken = files(settings)[0].with_name("torn.json")
    broken.write_text("{")
    assert card_of(settings)["damaged"] == page_of(settings)["damaged"] == [str(broken)]


def test_an_unknown_product_gets_the_nearest_name(evaluated: Settings) -> None:
    with pytest.raises(NotFoundError, match=r"did you mean 'people\.persons'"):
        page_of(evaluated, "people.person")


def test_a_failed_warning_is_no_failure_of_the_product(published: Settings) -> None:
    assert row_of(published)["verdict"] == "passed"
    assert row_of(published, now=datetime.now(UTC) + timedelta(days=2))["verdict"] == "warning"
    version = row_of(published)["version"]
    record(published, 0, a_result(success=False), at=datetime.now(UTC), version=version)
    assert row_of(published)["verdict"] == "failed"
    assert row_of(published)["passed"] == 1  # it is fresh


def test_checks_that_run_again_without_the_product_are_an_evaluation_too(published: Settings) -> None:
    before = load_history(published, NAME).evaluations
    people = load_definitions(next(each for each in read_workspace(published.root) if each.name == "people"))
    checks = dg.AssetSelection.checks_for_assets(dg.AssetKey(["people", "persons"]))
    job = dg.Definitions.merge(people, dg.Definitions(jobs=[dg.define_asset_job("again", selection=checks)]))
    with open_instance(published) as instance:
        assert job.resolve_job_def("again").execute_in_process(instance=instance).success
    *earlier, newest = load_history(published, NAME).evaluations
    assert len(earlier) == len(before)
    assert (newest.version, newest.published, newest.rows) == (before[-1].version, True, 10)
