"""A domain on S3 as Dagster sees it: configured by its resource, and no secret anywhere that operators look."""

import importlib.util
from pathlib import Path

import dagster as dg
import pytest

from benchmarks.scratch import make_mesh
from mesh_defs.authoring.s3_resource import DomainS3, domain_s3
from mesh_defs.errors import EngineError, MeshError, StorageError
from mesh_defs.model.place import S3Access
from mesh_defs.query.mesh import open_mesh
from mesh_defs.refresh.in_process import refresh_in_process
from mesh_defs.settings import Settings, load_settings
from mesh_defs.storage.s3_objects import Objects
from tests.meshes import PEOPLE, TO_ADA, TO_SHOP, contract, grants, rows, sql, two_domains
from tests.storage.s3_faults import proxied

SECRET = "of-the-mesh"
LOCAL = "{server: local, environment: local, type: local, path: persons, format: parquet}"


@pytest.fixture
def settings(tmp_path: Path, s3_server: S3Access, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Two domains; people.persons lies on S3, which the environment says how to reach."""
    text = contract("people.persons")["contracts/persons.odcs.yaml"]
    on_s3 = (
        f"{{server: local, environment: local, type: s3, location: 's3://{bucket}/people/persons', format: parquet}}"
    )
    assert LOCAL in text
    people = {"contracts/persons.odcs.yaml": text.replace(LOCAL, on_s3), **sql("persons", PEOPLE)}
    people |= grants("people.persons", TO_ADA, TO_SHOP)
    root = make_mesh(tmp_path / "mesh", two_domains() | {"people": people})
    monkeypatch.setenv("MESH_PEOPLE_S3", (s3_server.endpoint or "").replace("://", f"://{s3_server.key}:{SECRET}@"))
    monkeypatch.setenv("MESH_ROOT", str(root))
    return load_settings()


def definitions(settings: Settings) -> dg.Definitions:
    file = settings.root / "domains" / "people" / "definitions.py"
    spec = importlib.util.spec_from_file_location("people_definitions", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.defs


def test_a_product_on_s3_is_made_asked_and_read_by_others(settings, s3_server, bucket) -> None:
    outcomes = refresh_in_process(settings, open_mesh(settings), selections=())
    assert {outcome.state for outcome in outcomes} == {"published"}, outcomes
    assert rows(settings, "SELECT count(*) FROM people.persons") == [(10,)]
    assert sorted(rows(settings, "SELECT region, persons FROM shop.regions")) == [("north", 5), ("south", 5)]
    assert "manifest.json" in set(Objects(f"s3://{bucket}/people/persons", s3_server, "MESH_PEOPLE").names(""))


def test_an_s3_that_stumbles_in_a_query_is_told_without_a_secret(settings, s3_server, monkeypatch) -> None:
    refresh_in_process(settings, open_mesh(settings), selections=("people.persons",))
    with proxied(s3_server) as proxy:
        url = (proxy.access.endpoint or "").replace("://", f"://tester:{SECRET}@")
        through = load_settings({"MESH_ROOT": str(settings.root), "MESH_PEOPLE_S3": url})
        assert rows(through, "SELECT count(*) FROM people.persons") == [(10,)]
        for seen in (0, 1, 2, 3):
            left = iter([None] * seen)
            proxy.choose = lambda one, left=left: next(left, "busy") if "0.parquet" in one.path else None
            with pytest.raises(MeshError) as error:
                rows(through, "SELECT count(*), max(region) FROM people.persons")
            assert isinstance(error.value, (StorageError, EngineError)), error.value
            assert SECRET not in str(error.value)
            assert "secret-of-the-server" not in str(error.value)


def test_dagster_keeps_no_secret_of_s3(settings) -> None:
    refresh_in_process(settings, open_mesh(settings), selections=())
    kept = [path for path in settings.home.rglob("*") if path.is_file()]
    assert kept
    assert [path for path in kept if SECRET.encode() in path.read_bytes()] == []


def test_operators_see_the_variable_and_never_its_value(settings) -> None:
    defs = definitions(settings)
    from dagster._core.remote_representation.external_data import RepositorySnap

    snap = dg.serialize_value(RepositorySnap.from_def(defs.get_repository_def()))
    assert "people_s3" in snap
    assert "MESH_PEOPLE_S3" in snap
    assert SECRET not in snap


def test_an_operator_overrides_the_environment_for_one_run(settings, s3_server, monkeypatch) -> None:
    monkeypatch.setenv("MESH_PEOPLE_S3", "http://wrong:wrong@127.0.0.1:9")
    job = definitions(settings).resolve_implicit_global_asset_job_def()
    told = {
        "endpoint_url": s3_server.endpoint,
        "aws_access_key_id": "tester",
        "aws_secret_access_key": {"env": "OTHER"},
    }
    monkeypatch.setenv("OTHER", SECRET)
    done = job.execute_in_process(run_config={"resources": {"people_s3": {"config": told}}}, raise_on_error=False)
    assert done.success


def test_an_s3_that_does_not_answer_may_be_tried_again(settings, monkeypatch) -> None:
    monkeypatch.setenv("MESH_PEOPLE_S3", f"http://tester:{SECRET}@127.0.0.1:9")
    job = definitions(settings).resolve_implicit_global_asset_job_def()
    done = job.execute_in_process(raise_on_error=False)
    assert not done.success
    [failed] = [event for event in done.all_events if event.is_step_failure]
    assert "S3 does not answer" in str(failed.event_specific_data)
    assert SECRET not in str(done.all_events)


def test_a_domain_without_a_product_on_s3_has_no_such_resource(settings) -> None:
    shop = settings.root / "domains" / "shop" / "definitions.py"
    spec = importlib.util.spec_from_file_location("shop_definitions", shop)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert "shop_s3" not in (module.defs.resources or {})


def test_the_resource_is_a_client_for_the_teams_own_assets(s3_server, bucket, monkeypatch) -> None:
    monkeypatch.setenv("MESH_PEOPLE_S3", (s3_server.endpoint or "").replace("://", f"://{s3_server.key}:{SECRET}@"))
    url = domain_s3("people").url
    resource = DomainS3(url=url.get_value() if isinstance(url, dg.EnvVar) else url)
    assert [each["Name"] for each in resource.get_client().list_buckets()["Buckets"] if each["Name"] == bucket]
    assert resource.access(S3Access()) == s3_server
    assert DomainS3(region_name="eu-west-1").access(s3_server).region == "eu-west-1"
