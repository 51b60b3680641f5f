"""A domain's folder as Definitions: what Dagster's people expect to find, and every complaint about a wrong folder."""

from pathlib import Path

import dagster as dg
import pytest

from mesh_defs.authoring.folder import read_folder
from mesh_defs.catalog.loader import load_definitions
from mesh_defs.documents.workspace import read_workspace
from mesh_defs.errors import DeclarationError
from mesh_defs.settings import Settings
from tests.meshes import PEOPLE, contract, derived, python, settings_of, sql, two_domains


def load(settings: Settings, domain: str) -> dg.Definitions:
    return load_definitions(next(each for each in read_workspace(settings.root) if each.name == domain))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    settings = settings_of(tmp_path_factory.mktemp("shop") / "mesh", two_domains())
    return load(settings, "shop")


def test_a_product_is_an_asset_with_dagsters_own_words(shop: dg.Definitions) -> None:
    node = shop.resolve_asset_graph().get(dg.AssetKey(["shop", "regions"]))
    assert node.group_name == "shop"
    assert node.owners == ["team:testers"]
    assert {"parquet", "sql"} <= node.kinds
    assert node.tags["granularity"] == "aggregate"
    assert node.description == "One row is one regions."
    assert node.code_version
    assert node.freshness_policy
    assert node.parent_keys == {dg.AssetKey(["people", "persons"])}
    columns = node.metadata["dagster/column_schema"].columns
    assert [(column.name, column.type) for column in columns] == [("region", "VARCHAR"), ("persons", "BIGINT")]


def test_each_expectation_is_a_check_and_critical_ones_block(shop: dg.Definitions) -> None:
    graph = shop.resolve_asset_graph()
    checks = {key.name: graph.get(key) for key in graph.asset_check_keys}
    assert "not_null__region" in checks
    assert all(check.blocking for check in checks.values())


def test_derived_products_are_eager_and_the_sensor_runs(shop: dg.Definitions) -> None:
    node = shop.resolve_asset_graph().get(dg.AssetKey(["shop", "regions"]))
    external = dg.AssetSelection.kind("external", include_sources=True)
    checked = dg.AutomationCondition.all_deps_blocking_checks_passed().allow(external)
    assert node.automation_condition == (dg.AutomationCondition.eager() & checked).with_label("eager")
    sensor = shop.get_sensor_def("default_automation_condition_sensor")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING


def test_eager_fires_when_an_input_of_another_domain_is_new(shop: dg.Definitions) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization(dg.AssetKey(["shop", "regions"])))
        first = dg.evaluate_automation_conditions(shop, instance)
        instance.report_runless_asset_event(dg.AssetMaterialization(dg.AssetKey(["people", "persons"])))
        second = dg.evaluate_automation_conditions(shop, instance, cursor=first.cursor)
        assert second.get_num_requested(dg.AssetKey(["shop", "regions"])) == 1


def test_storage_is_a_resource_that_the_environment_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains())
    plain = load(settings, "shop").resources["shop_storage"]
    assert plain.root == str(settings.home / "storage" / "shop")
    monkeypatch.setenv("MESH_SHOP_STORAGE", str(tmp_path / "elsewhere"))
    named = load(settings, "shop").resources["shop_storage"]
    assert "MESH_SHOP_STORAGE" in repr(named)


def test_a_promised_schedule_is_a_running_schedule(tmp_path: Path) -> None:
    promise = 'slaProperties: [{property: frequency, value: 1, unit: d, scheduler: cron, schedule: "0 5 * * *"}, '
    files = {**contract("people.persons"), **sql("persons", PEOPLE)}
    path = "contracts/persons.odcs.yaml"
    files[path] = files[path].replace("slaProperties: [", promise)
    settings = settings_of(tmp_path / "mesh", {"people": files})
    schedule = load(settings, "people").get_schedule_def("people_schedule")
    assert schedule.cron_schedule == "0 5 * * *"
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING


def test_whatever_else_a_team_has_lives_beside_its_products(tmp_path: Path) -> None:
    code = (
        "import dagster as dg\nfrom mesh_defs import domain_definitions\n\n\n@dg.asset\ndef plain():\n    ...\n\n\n"
        "defs = domain_definitions(__file__, extra=dg.Definitions(assets=[plain]))\n"
    )
    files = {**contract("people.persons"), **sql("persons", PEOPLE), "definitions.py": code}
    graph = load(settings_of(tmp_path / "mesh", {"people": files}), "people").resolve_asset_graph()
    assert {key.to_user_string() for key in graph.materializable_asset_keys} == {"people/persons", "plain"}


GOOD = {**contract("people.persons"), **sql("persons", PEOPLE)}
SECOND = {**contract("people.other"), **sql("other", "SELECT * FROM people.persons")}


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({**GOOD, **contract("people.lost")}, "nothing makes people.lost"),
        ({**GOOD, **sql("stray", "SELECT 1 AS a")}, "people.stray has no contract"),
        ({**GOOD, **python("more", "@data_product()\ndef persons():\n    ...")}, "a second product 'people.persons'"),
        ({**GOOD, **derived("people.other"), **sql("other", "SELECT * FROM people.person")}, "people.person, which"),
        ({**GOOD, **derived("people.other"), **sql("other", "SELECT * FROM people.person")}, "'people.persons'?"),
        ({**GOOD, **SECOND}, "customProperties.grain"),
        (
            {**GOOD, **derived("people.other", granularity="aggregate"), **sql("other", "FROM people.persons")},
            "persons",
        ),
        ({**GOOD, **contract("people.other"), **sql("other", "SELECT * FROM shop.x")}, "no purpose"),
        ({**GOOD, **contract("shop.other")}, "found domain 'shop' in the folder of 'people'"),
        ({**GOOD, **sql("persons", "DELETE FROM x")}, "products/persons.sql"),
        (
            {
                **derived("people.a"),
                **sql("a", "SELECT * FROM people.b"),
                **derived("people.b"),
                **sql("b", "SELECT * FROM people.a"),
            },
            "a cycle: people.a → people.b → people.a",
        ),
    ],
)
def test_a_wrong_folder_is_refused_with_its_file_and_its_mend(tmp_path: Path, files: dict[str, str], told: str) -> None:
    settings = settings_of(tmp_path / "mesh", {"people": files})
    with pytest.raises(DeclarationError) as refused:
        read_folder(settings.root / "domains" / "people", root=settings.root)
    assert told in str(refused.value)
    for finding in refused.value.findings:
        assert finding.where
        assert finding.fix


def test_everything_wrong_with_a_domain_is_told_at_once(tmp_path: Path) -> None:
    files = {
        **sql("persons", "DELETE FROM x"),
        "contracts/persons.odcs.yaml": "apiVersion: v9\n",
        **sql("more", "SELECT FROM"),
    }
    settings = settings_of(tmp_path / "mesh", {"people": files})
    with pytest.raises(DeclarationError) as refused:
        read_folder(settings.root / "domains" / "people", root=settings.root)
    wheres = {finding.where.partition(":")[0] for finding in refused.value.findings}
    assert {Path(where).name for where in wheres} == {"persons.sql", "more.sql", "persons.odcs.yaml"}


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("@data_product\ndef persons():\n    ...", "without brackets"),
        ("@data_product('Persons')\ndef persons(a):\n    ...", "is not a product's name"),
        ("@data_product('a.b', 'c.d')\ndef persons(a):\n    ...", "takes 1 inputs, but declares 2"),
    ],
)
def test_a_wrong_decorator_names_its_line(tmp_path: Path, code: str, told: str) -> None:
    settings = settings_of(tmp_path / "mesh", {"people": {**contract("people.persons"), **python("persons", code)}})
    with pytest.raises(DeclarationError, match=r"persons\.py:4") as refused:
        read_folder(settings.root / "domains" / "people", root=settings.root)
    assert told in str(refused.value)


def test_layout_and_comments_do_not_change_the_code_version(tmp_path: Path) -> None:
    def version(select: str) -> str:
        files = {**contract("people.persons"), **sql("persons", select)}
        settings = settings_of(tmp_path / "mesh", {"people": files})
        return (
            read_folder(settings.root / "domains/people", root=settings.root).declaration("people.persons").code_version
        )

    first = version("SELECT 1 AS person_id, 'x' AS region")
    assert version("-- a comment\nSELECT 1 AS person_id,\n  'x' AS region") == first
    assert version("SELECT 2 AS person_id, 'x' AS region") != first
