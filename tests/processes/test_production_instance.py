"""deploy/ is what an operator starts from: its instance loads on a real Postgres and S3, and a run is recorded there."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import dagster as dg
import psycopg
import pytest
import yaml

from mesh_defs.documents.workspace import read_workspace
from mesh_defs.model.place import S3Access

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


@pytest.fixture
def environment(postgres: str, s3_server: S3Access, bucket: str, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "dagster.yaml").write_text((DEPLOY / "dagster.yaml").read_text())
    told = psycopg.conninfo.conninfo_to_dict(postgres)
    where = f"host={told['host']}" if str(told["host"]).startswith("/") else ""
    host = "" if where else f"{told['host']}:{told.get('port', 5432)}"
    password = f":{told['password']}" if "password" in told else ""
    options = f"?{where}&port={told.get('port', 5432)}" if where else ""
    return {
        "DAGSTER_HOME": str(tmp_path),
        "DAGSTER_POSTGRES_URL": f"postgresql+psycopg2://{told['user']}{password}@{host}/{told['dbname']}{options}",
        "DAGSTER_LOGS_BUCKET": bucket,
        "AWS_ENDPOINT_URL_S3": str(s3_server.endpoint),
        "AWS_REGION": s3_server.region,
        "AWS_DEFAULT_REGION": s3_server.region,
        "AWS_ACCESS_KEY_ID": str(s3_server.key),
        "AWS_SECRET_ACCESS_KEY": str(s3_server.secret),
    }


@pytest.fixture
def instance(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.get() as instance:
        yield instance


def test_a_run_writes_its_events_and_its_output_there(
    instance: dg.DagsterInstance, postgres: str, s3_server: S3Access, bucket: str
) -> None:
    @dg.asset
    def spoken(context: dg.AssetExecutionContext) -> None:
        print("said in the step")

    done = dg.materialize([spoken], instance=instance)
    assert done.success
    assert type(instance.run_storage).__name__ == "PostgresRunStorage"
    with psycopg.connect(postgres) as connection:
        kept = connection.execute("SELECT count(*) FROM event_logs WHERE run_id = %s", [done.run_id]).fetchone()
    assert kept and kept[0] > 5
    client = boto3.client(
        "s3",
        endpoint_url=s3_server.endpoint,
        region_name=s3_server.region,
        aws_access_key_id=s3_server.key,
        aws_secret_access_key=s3_server.secret,
    )
    objects = client.list_objects_v2(Bucket=bucket)["Contents"]
    texts = [client.get_object(Bucket=bucket, Key=each["Key"])["Body"].read() for each in objects]
    assert any(b"said in the step" in text for text in texts)


def test_web_and_daemon_can_load_it_from_the_environment_alone(environment: dict[str, str]) -> None:
    code = "import dagster as dg\nwith dg.DagsterInstance.get() as i: print(type(i.compute_log_manager).__name__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "S3ComputeLogManager", done.stderr


def test_it_holds_no_secret_and_keeps_every_limit_of_the_defaults() -> None:
    production, defaults = (yaml.safe_load((folder / "dagster.yaml").read_text()) for folder in (DEPLOY, ROOT))
    assert production["storage"]["postgres"]["postgres_url"] == {"env": "DAGSTER_POSTGRES_URL"}
    for name in defaults.keys() - {"code_servers", "concurrency"}:
        assert production[name] == defaults[name], name
    assert production["concurrency"]["runs"].keys() == defaults["concurrency"]["runs"].keys()
    limits = production["concurrency"]["runs"]["tag_concurrency_limits"]
    assert limits == defaults["concurrency"]["runs"]["tag_concurrency_limits"]


def test_every_location_has_a_container_a_network_and_secrets_of_its_own() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    workspace = yaml.safe_load((DEPLOY / "workspace.yaml").read_text())["load_from"]
    locations = [location.name for location in read_workspace(ROOT)]
    assert [entry["grpc_server"]["location_name"] for entry in workspace] == locations
    for name in locations:
        service = compose["services"][name]
        assert service["command"].split()[:3] == ["mesh", "code-server", name]
        assert service["networks"] == [name]
        assert "ports" not in service
        assert service["env_file"] == ["secrets/dagster.env" if name == "platform" else f"secrets/{name}.env"]
    for name in ("web", "daemon"):
        assert set(compose["services"][name]["networks"]) == set(locations)
        assert compose["services"][name]["env_file"] == ["secrets/dagster.env"]
