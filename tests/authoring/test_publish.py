"""Write, audit, publish: what a good batch, a bad batch, a crash and a changed contract do to readers."""

import json
from pathlib import Path

import dagster as dg
import pytest

from mesh_defs.catalog.loader import load_definitions
from mesh_defs.documents.workspace import read_workspace
from mesh_defs.query.mesh import open_mesh, open_storage
from mesh_defs.settings import Settings
from tests.meshes import PEOPLE, PERSON, contract, derived, python, refresh, rows, settings_of, sql, two_domains

NO_WEST = (
    "{name: known, type: custom, engine: greatExpectations,"
    " implementation: {type: expect_column_values_to_be_in_set, kwargs: {column: region, value_set: [north, south]}}}"
)
WARNING = NO_WEST.replace("engine:", "severity: warning, engine:")


def people_only(tmp_path: Path, files: dict[str, str]) -> Settings:
    return settings_of(tmp_path / "mesh", {"people": files})


def change(settings: Settings, files: dict[str, str], domain: str = "people") -> None:
    for path, text in files.items():
        (settings.root / "domains" / domain / path).write_text(text)


def definitions(settings: Settings, domain: str = "people") -> dg.Definitions:
    return load_definitions(next(each for each in read_workspace(settings.root) if each.name == domain))


def execute(settings: Settings, instance: dg.DagsterInstance, job: str | None = None) -> dg.ExecuteInProcessResult:
    loaded = definitions(settings)
    found = loaded.resolve_job_def(job) if job else loaded.resolve_implicit_global_asset_job_def()
    return found.execute_in_process(instance=instance, raise_on_error=False)


def test_a_bad_batch_is_quarantined_and_the_last_good_version_stays(tmp_path: Path) -> None:
    settings = people_only(tmp_path, {**contract("people.persons", quality=(NO_WEST,)), **sql("persons", PEOPLE)})
    assert refresh(settings)["people.persons"].state == "published"
    change(settings, sql("persons", "SELECT 1 AS person_id, 'west' AS region"))
    outcome = refresh(settings)["people.persons"]
    assert outcome.state == "failed"
    assert "quarantined" in outcome.told
    assert "known" in outcome.told
    assert rows(settings, "SELECT count(*) FROM people.persons", who="service:people") == [(10,)]
    storage = open_storage(open_mesh(settings).products["people.persons"], settings)
    assert [refused.reasons[0]["check"] for refused in storage.refused()] == ["known"]


def test_a_warning_warns_and_publishes(tmp_path: Path) -> None:
    bad = sql("persons", "SELECT 1 AS person_id, 'west' AS region")
    settings = people_only(tmp_path, {**contract("people.persons", quality=(WARNING,)), **bad})
    assert refresh(settings)["people.persons"].state == "published"


def test_a_bad_batch_leaves_no_materialization_and_names_the_candidate_in_its_checks(tmp_path: Path) -> None:
    settings = people_only(tmp_path, {**contract("people.persons", quality=(NO_WEST,)), **sql("persons", PEOPLE)})
    with dg.DagsterInstance.ephemeral() as instance:
        assert execute(settings, instance).success
        change(settings, sql("persons", "SELECT 1 AS person_id, 'west' AS region"))
        result = execute(settings, instance)
        assert not result.success
        assert not result.get_asset_materialization_events()
        checks = {each.check_name: each for each in result.get_asset_check_evaluations()}
        assert not checks["known"].passed
        storage = open_storage(open_mesh(settings).products["people.persons"], settings)
        assert checks["known"].metadata["mesh/version"].value == storage.refused()[0].id


def test_good_checks_belong_to_their_own_materialization(tmp_path: Path) -> None:
    settings = people_only(tmp_path, {**contract("people.persons"), **sql("persons", PEOPLE)})
    with dg.DagsterInstance.ephemeral() as instance:
        result = execute(settings, instance)
        for check in result.get_asset_check_evaluations():
            assert check.passed
            assert check.target_materialization_data
            assert check.target_materialization_data.run_id == result.run_id


def test_audits_even_when_no_check_was_selected(tmp_path: Path) -> None:
    bad = sql("persons", "SELECT 1 AS person_id, 'west' AS region")
    settings = people_only(tmp_path, {**contract("people.persons", quality=(NO_WEST,)), **bad})
    loaded = definitions(settings)
    job = dg.define_asset_job("no_checks", dg.AssetSelection.all().without_checks())
    merged = dg.Definitions.merge(loaded, dg.Definitions(jobs=[job]))
    with dg.DagsterInstance.ephemeral() as instance:
        assert (
            not merged.resolve_job_def("no_checks").execute_in_process(instance=instance, raise_on_error=False).success
        )


def test_checks_alone_audit_what_is_published_again(tmp_path: Path) -> None:
    settings = people_only(tmp_path, {**contract("people.persons"), **sql("persons", PEOPLE)})
    loaded = definitions(settings)
    job = dg.define_asset_job("again", dg.AssetSelection.checks_for_assets(dg.AssetKey(["people", "persons"])))
    merged = dg.Definitions.merge(loaded, dg.Definitions(jobs=[job]))
    with dg.DagsterInstance.ephemeral() as instance:
        assert execute(settings, instance).success
        result = merged.resolve_job_def("again").execute_in_process(instance=instance)
        assert result.success
        assert not result.get_asset_materialization_events()
        assert len(result.get_asset_check_evaluations()) == 3


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("@data_product()\ndef persons():\n    raise ValueError('boom')", "ValueError"),
        ("@data_product()\ndef persons():\n    return 7", "returned int"),
        ("@data_product()\ndef persons():\n    return 'SELECT 1 AS person_id'", "promised columns region"),
        ("@data_product()\ndef persons():\n    return 'DROP TABLE x'", "does not begin a SELECT"),
        ("@data_product()\ndef persons():\n    return 'SELECT * FROM shop.regions'", "undeclared"),
        (
            "@data_product()\ndef persons(connection):\n"
            "    return connection.sql(\"SELECT 'secret' AS person_id, 'x' AS region\")",
            "",
        ),
    ],
)
def test_an_exception_publishes_nothing_and_leaves_nothing_staged(tmp_path: Path, body: str, told: str) -> None:
    settings = people_only(tmp_path, {**contract("people.persons"), **python("persons", body)})
    outcome = refresh(settings)["people.persons"]
    assert outcome.state == "failed"
    assert told in outcome.told
    assert "secret" not in outcome.told
    place = settings.home / "storage" / "people" / "persons"
    assert not list(place.rglob("*.parquet"))


def test_a_breaking_change_without_a_major_version_is_refused_and_readers_keep_the_last_good_one(
    tmp_path: Path,
) -> None:
    settings = people_only(tmp_path, {**contract("people.persons"), **sql("persons", PEOPLE)})
    refresh(settings)
    change(settings, {**contract("people.persons", columns=(PERSON,)), **sql("persons", "SELECT 1 AS person_id")})
    outcome = refresh(settings)["people.persons"]
    assert (outcome.state, "version: 2.0.0" in outcome.told) == ("failed", True)
    assert rows(settings, "SELECT count(*) FROM people.persons", who="service:people") == [(10,)]
    change(settings, contract("people.persons", columns=(PERSON,), version="2.0.0"))
    assert refresh(settings)["people.persons"].state == "published"


def test_a_new_column_upstream_does_not_widen_a_product(tmp_path: Path) -> None:
    shop = {
        **derived("shop.copy", columns=(PERSON,)),
        **sql("copy", "SELECT * FROM people.persons"),
    }
    domains = two_domains(shop=shop)
    settings = settings_of(tmp_path / "mesh", domains)
    outcomes = refresh(settings)
    assert outcomes["shop.copy"].state == "published", outcomes
    assert ask_columns(settings, "shop.copy") == ["person_id"]


def ask_columns(settings: Settings, product: str) -> list[str]:
    version = open_storage(open_mesh(settings).products[product], settings).current()
    assert version
    return list(version.columns)


def test_hoarding_is_refused_until_it_is_argued(tmp_path: Path) -> None:
    copied = sql("copy", "SELECT person_id, region FROM people.persons")
    settings = settings_of(tmp_path / "mesh", two_domains(shop={**derived("shop.copy"), **copied}))
    outcome = refresh(settings)["shop.copy"]
    assert outcome.state == "failed"
    assert "republishes region of people.persons" in outcome.told
    argued = derived("shop.copy", custom=("{property: republishes, value: a regulator asked}",))
    change(settings, argued, "shop")
    assert refresh(settings)["shop.copy"].state == "published"


def test_a_pipeline_without_a_grant_learns_which_one_is_missing(tmp_path: Path) -> None:
    domains = two_domains()
    domains["people"]["access/persons.access.yaml"] = "format: 1\nproduct: people.persons\ngrants: []\n"
    outcome = refresh(settings_of(tmp_path / "mesh", domains))["shop.regions"]
    assert outcome.state == "failed"
    assert "people.persons: no grant" in outcome.told


def test_says_what_it_was_made_from(shared_mesh: Settings) -> None:
    version = open_storage(open_mesh(shared_mesh).products["shop.regions"], shared_mesh).current()
    assert version
    assert version.stamp["read"]["people.persons"]["grant"] == "shop"
    assert json.dumps(version.stamp)


def test_a_rerun_is_no_news_and_a_new_input_is(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains())

    def data_version() -> str:
        version = open_storage(open_mesh(settings).products["shop.regions"], settings).current()
        assert version
        return str(version.stamp["data_version"])

    refresh(settings)
    first = data_version()
    refresh(settings, "shop.regions")
    assert data_version() == first
    refresh(settings, "people.persons+")
    assert data_version() != first


@pytest.mark.parametrize(
    "returned",
    [
        "connection.sql('SELECT 1 AS person_id, 2 AS n').project(\"person_id, 'x' AS region\")",
        "pandas.DataFrame({'person_id': [1], 'region': ['x']})",
        "polars.DataFrame({'person_id': [1], 'region': ['x']})",
        "pyarrow.table({'person_id': [1], 'region': ['x']})",
        "pyarrow.table({'region': ['x'], 'person_id': [1]}).to_reader()",
        "\"SELECT 1 AS person_id, 'x' AS region\"",
    ],
)
def test_takes_whatever_a_function_returns(tmp_path: Path, returned: str) -> None:
    body = f"@data_product()\ndef persons(connection):\n    import pandas, polars, pyarrow\n    return {returned}"
    settings = people_only(tmp_path, {**contract("people.persons"), **python("persons", body)})
    assert refresh(settings)["people.persons"].told == ""
    assert rows(settings, "SELECT * FROM people.persons", who="service:people") == [(1, "x")]


@pytest.mark.parametrize(
    ("annotation", "count"),
    [
        ("", "persons.shape[0]"),
        (": 'pandas.DataFrame'", "len(persons)"),
        (": 'polars.DataFrame'", "persons.height"),
        (": 'pyarrow.Table'", "persons.num_rows"),
    ],
)
@pytest.mark.parametrize("domain", ["people", "shop"])
def test_gives_inputs_as_their_parameters_are_annotated(
    tmp_path: Path, annotation: str, count: str, domain: str
) -> None:
    """The same whether the input is the domain's own or comes through the door."""
    body = (
        "import pandas, polars, pyarrow\n\n\n@data_product('people.persons')\n"
        f"def total(persons{annotation}):\n    return f'SELECT {{{count}}} AS persons'"
    )
    count_column = "{name: persons, logicalType: integer, required: true}"
    made = {
        **derived(f"{domain}.total", grain="persons", columns=(count_column,), granularity="aggregate"),
        **python("total", body),
    }
    settings = settings_of(tmp_path / "mesh", two_domains(**{domain: made}))
    outcomes = refresh(settings, "people.persons", f"{domain}.total")
    assert outcomes[f"{domain}.total"].told == ""
    assert rows(settings, f"SELECT * FROM {domain}.total", who=f"service:{domain}") == [(10,)]


def test_a_function_may_take_context_config_and_resources(tmp_path: Path) -> None:
    body = """import dagster as dg


class Scale(dg.Config):
    rows: int = 3


class Greeting(dg.ConfigurableResource):
    word: str


@data_product(retry_policy=dg.RetryPolicy(max_retries=1), pool="small")
def persons(context: dg.AssetExecutionContext, config: Scale, greeting: Greeting):
    context.log.info("made")
    return f"SELECT n AS person_id, '{greeting.word}' AS region FROM range({config.rows}) AS t(n)"
"""
    definitions_py = """import dagster as dg
from mesh_defs import domain_definitions


class Greeting(dg.ConfigurableResource):
    word: str


extra = dg.Definitions(resources={"greeting": Greeting(word="hello")})
extra_assets = dg.asset(lambda: None, name="plain")
defs = domain_definitions(__file__, extra=dg.Definitions(assets=[extra_assets], resources=extra.resources))
del extra
"""
    files = {**contract("people.persons"), **python("persons", body), "definitions.py": definitions_py}
    settings = people_only(tmp_path, files)
    assert refresh(settings)["people.persons"].told == ""
    query = "SELECT count(*), min(region) FROM people.persons"
    assert rows(settings, query, who="service:people") == [(3, "hello")]
