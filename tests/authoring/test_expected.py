"""What a domain expects of another's product: looked at through the door, in its own location, and shown to the provider."""

import json
from pathlib import Path

import dagster as dg
import pytest

from mesh_defs.authoring.expected import judge
from mesh_defs.authoring.validate import validate
from mesh_defs.catalog.describe import product_page
from mesh_defs.catalog.loader import load_definitions
from mesh_defs.documents.workspace import read_workspace
from mesh_defs.errors import AccessDeniedError
from mesh_defs.ledger import Ledger
from mesh_defs.model.expected import Expected
from mesh_defs.processes.apart import location_environment
from mesh_defs.query.mesh import build_snapshot, open_mesh
from mesh_defs.query.platform import open_platform
from mesh_defs.refresh.in_process import refresh_in_process
from mesh_defs.refresh.instance import open_instance
from mesh_defs.settings import Settings
from tests.meshes import REGION, TO_ADA, contract, derived, grants, refresh, settings_of, sql, two_domains

EVERYTHING = dg.AssetSelection.all() | dg.AssetSelection.all_asset_checks()
ROWS = "{type: expect_table_row_count_to_be_between, kwargs: {min_value: 100}, name: many}"
KEYS = "{type: expect_column_values_to_not_be_null, kwargs: {column: person_id}, severity: critical}"
KNOWN = (
    "{type: expect_column_values_to_exist_in_other_table, name: regions_are_known,"
    " kwargs: {column: region, other_table_name: shop.places, other_column: region}}"
)


def expects(*rules: str, product: str = "people.persons", purpose: str = "measurement") -> dict[str, str]:
    listed = "".join(f"  - {rule}\n" for rule in rules)
    return {
        "expects/persons.expects.yaml": f"format: 1\nproduct: {product}\npurpose: {purpose}\nexpectations:\n{listed}"
    }


PLACES = {
    **contract(
        "shop.places",
        columns=(REGION.replace("required", "primaryKey"),),
        granularity="aggregate",
        custom=("{property: grain, value: [region]}",),
    ),
    **sql("places", "SELECT 'north' AS region"),
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    domains = two_domains(shop={**PLACES, **expects(ROWS, KEYS, KNOWN)})
    settings = settings_of(tmp_path_factory.mktemp("expected") / "mesh", domains)
    assert {outcome.state for outcome in refresh(settings).values()} == {"published"}
    return settings


def shop_of(settings: Settings) -> dg.Definitions:
    return load_definitions(next(each for each in read_workspace(settings.root) if each.name == "shop"))


def test_they_are_checks_of_the_consumers_location_on_the_providers_asset(settings: Settings) -> None:
    graph = shop_of(settings).resolve_asset_graph()
    theirs = {key.name for key in graph.asset_check_keys if key.asset_key == dg.AssetKey(["people", "persons"])}
    assert theirs == {
        "shop_expects__many",
        "shop_expects__not_null__person_id",
        "shop_expects__regions_are_known",
    }
    assert not any(graph.get_check_spec(key).blocking for key in graph.asset_check_keys if key.name in theirs)


def test_a_refresh_looks_at_the_published_version_and_says_which(settings: Settings) -> None:
    (expected,) = open_mesh(settings).expected_of("people.persons")
    platform = open_platform(settings)
    results, version = judge(expected, platform)
    assert [result.success for result in results] == [False, True, False]
    assert results[2].unexpected_count == 5, "those of the south"
    assert {type(result.unexpected_count) for result in results[1:]} == {int}, "128-bit integers come as decimals"
    product = platform.mesh.products["people.persons"]
    current = platform.storage_of(product).current()
    assert current and version == current.id


def test_dagster_has_their_results_and_only_warnings_of_them(settings: Settings) -> None:
    key = dg.AssetCheckKey(dg.AssetKey(["people", "persons"]), "shop_expects__many")
    with open_instance(settings) as instance:
        (found,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=5)
    evaluation = found.event.dagster_event.asset_check_evaluation_data  # type: ignore[union-attr]
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert evaluation.metadata["observed_value"].value == 10


def test_dagster_has_an_evaluation_of_each(settings: Settings) -> None:
    with open_instance(settings) as instance:
        for name in open_mesh(settings).expected_of("people.persons")[0].check_names:
            key = dg.AssetCheckKey(dg.AssetKey(["people", "persons"]), name)
            (found,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=5)
            assert found.status.value in ("SUCCEEDED", "FAILED")
            assert found.event
            assert found.event.dagster_event
            assert found.event.dagster_event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION, name


def test_the_provider_sees_who_expects_what_and_whether_it_holds(settings: Settings) -> None:
    page = product_page(open_mesh(settings), settings, "people.persons")
    assert [(row["consumer"], row["name"], row["passed"]) for row in page["expected_by"]] == [
        ("shop", "shop_expects__many", False),
        ("shop", "shop_expects__not_null__person_id", True),
        ("shop", "shop_expects__regions_are_known", False),
    ]
    json.dumps(page, default=str)


def test_only_counts_cross_and_each_question_is_on_record(settings: Settings) -> None:
    (expected,) = open_mesh(settings).expected_of("people.persons")
    ledger = Ledger(settings.ledger_url)
    (last,) = ledger.entries(limit=1)
    judge(expected, open_platform(settings))
    told = [entry for entry in ledger.entries() if entry.seq > last.seq]
    assert {entry.body["principal"] for entry in told if entry.kind == "allowed"} == {"service:shop"}
    assert all(entry.body["rows_crossed"] == 1 for entry in told if entry.kind == "answered")
    assert sum(entry.kind == "answered" for entry in told) >= 2


def test_the_consumers_process_may_read_what_it_expects_something_of_and_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains(shop={**expects(KEYS), **DERIVES_NOTHING}))
    build_snapshot(settings, everything=True)
    monkeypatch.setenv("MESH_PEOPLE_POSTGRES_READ", "reads")
    monkeypatch.setenv("MESH_PEOPLE_POSTGRES", "writes")
    shop = next(each for each in read_workspace(settings.root) if each.name == "shop")
    told = location_environment(shop, settings, open_mesh(settings).snapshot)
    assert told["MESH_PEOPLE_POSTGRES_READ"] == "reads"
    assert "MESH_PEOPLE_POSTGRES" not in told


def test_a_consumer_without_a_grant_is_refused_by_the_door(tmp_path: Path) -> None:
    people = grants("people.persons", TO_ADA)
    domains = two_domains(people=people, shop={**expects(KEYS), **DERIVES_NOTHING})
    settings = settings_of(tmp_path / "mesh", domains)
    refresh(settings, "people")
    (expected,) = open_mesh(settings).expected_of("people.persons")
    with pytest.raises(AccessDeniedError):
        judge(expected, open_platform(settings))
    assert [f.where for f in validate(settings) if "may not look" in f.what] == [
        "domains/shop/expects/persons.expects.yaml"
    ]


DERIVES_NOTHING = {
    **derived("shop.regions", grain="region", columns=(REGION,), granularity="aggregate"),
    **sql("regions", "SELECT 'north' AS region"),
}


@pytest.mark.parametrize(
    ("file", "told"),
    [
        (expects("{type: expect_column_values_to_not_be_null, kwargs: {column: person}}"), "no column 'person'"),
        (expects("{type: expect_column_values_to_be_nul, kwargs: {column: person_id}}"), "no expectation type"),
        (expects(KEYS, product="people.person"), "no domain offers people.person"),
        (expects(KEYS, product="persons"), "is not a product's name"),
        (expects(KEYS, purpose="fun"), "'fun' is no purpose of mesh.yaml"),
        (expects(KNOWN), "no domain offers shop.places"),
        (
            expects(
                KNOWN.replace("shop.places", "shop.regions").replace("other_column: region", "other_column: regio")
            ),
            "shop.regions has no column 'regio' — did you mean 'region'?",
        ),
        (expects(), "expectations"),
    ],
)
def test_validation_finds_what_would_keep_them_from_being_looked_at(
    tmp_path: Path, file: dict[str, str], told: str
) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains(shop=file))
    assert any(told in str(finding) for finding in validate(settings)), validate(settings)


def test_a_look_that_fails_is_told_and_harms_nobody_else(tmp_path: Path) -> None:
    domains = two_domains(people=grants("people.persons", TO_ADA), shop={**expects(KEYS), **DERIVES_NOTHING})
    settings, said = settings_of(tmp_path / "mesh", domains), list[str]()
    outcomes = refresh_in_process(settings, open_mesh(settings), say=said.append)
    assert {outcome.state for outcome in outcomes} == {"published"}
    (told,) = said
    assert told.startswith("shop: what it expects of others could not be looked at")


def test_one_that_cannot_be_read_any_more_harms_nobody_else(tmp_path: Path) -> None:
    """The provider drops the column: the check fails with a reason, the products are made."""
    domains = two_domains(shop=expects("{type: expect_column_values_to_not_be_null, kwargs: {column: gone}}"))
    settings = settings_of(tmp_path / "mesh", domains)
    assert {outcome.state for outcome in refresh(settings).values()} == {"published"}
    page = product_page(open_mesh(settings), settings, "people.persons")
    assert [row["passed"] for row in page["expected_by"]] == [False]


def test_they_survive_the_snapshot(settings: Settings) -> None:
    build_snapshot(settings, everything=True)
    (expected,) = open_mesh(settings, build=False).expected_of("people.persons")
    assert isinstance(expected, Expected)
    assert (expected.consumer, expected.tables) == ("shop", ("shop.places",))


def test_they_run_when_the_product_is_new(settings: Settings) -> None:
    shop = shop_of(settings)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization(dg.AssetKey(["shop", "places"])))
        first = dg.evaluate_automation_conditions(shop, instance, asset_selection=EVERYTHING)
        instance.report_runless_asset_event(dg.AssetMaterialization(dg.AssetKey(["people", "persons"])))
        second = dg.evaluate_automation_conditions(shop, instance, cursor=first.cursor, asset_selection=EVERYTHING)
        third = dg.evaluate_automation_conditions(shop, instance, cursor=second.cursor, asset_selection=EVERYTHING)
    requested = [{result.key for result in each.results if result.true_subset.size} for each in (second, third)]
    assert dg.AssetCheckKey(dg.AssetKey(["people", "persons"]), "shop_expects__many") in requested[0]
    assert requested[1] == set()


def test_what_gx_has_to_decide_is_read_through_the_door_too(tmp_path: Path) -> None:
    looks_around = (
        "{type: expect_column_values_to_match_regex, kwargs: {column: region, regex: '^(?=[a-z])north$'}, name: around}"
    )
    settings = settings_of(tmp_path / "mesh", two_domains(shop=expects(looks_around)))
    refresh(settings, "people")
    (expected,) = open_mesh(settings).expected_of("people.persons")
    (result,), _ = judge(expected, open_platform(settings))
    assert (result.engine, result.error, result.unexpected_count) == ("great_expectations", None, 5)


def test_one_that_the_door_does_not_let_through_fails_alone(tmp_path: Path) -> None:
    """A rule may compile to what the door cannot govern, or fail on the rows: never a pass, and nobody else's fault."""
    query = "SELECT region::INTEGER AS x FROM {batch} WHERE x > 0"
    odd = f"{{type: unexpected_rows_expectation, kwargs: {{unexpected_rows_query: '{query}'}}}}"
    settings = settings_of(tmp_path / "mesh", two_domains(shop=expects(odd, KEYS)))
    refresh(settings, "people")
    (expected,) = open_mesh(settings).expected_of("people.persons")
    (refused, sound), _ = judge(expected, open_platform(settings))
    assert (refused.success, sound.success) == (False, True)
    assert refused.error
