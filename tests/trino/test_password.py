"""A Trino that asks for passwords over https: its policy server's canary logs in there, and so do the door and a client."""

import hashlib
import ipaddress
import os
import posixpath
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from trino.auth import BasicAuthentication
from trino.dbapi import connect
from trino.exceptions import HttpError

from mesh_defs.model.query import QueryRequest
from mesh_defs.processes.programs import free_ports
from mesh_defs.query.mesh import open_mesh
from mesh_defs.query.platform import open_platform
from mesh_defs.query.run import run_query
from mesh_defs.settings import Settings, load_settings
from mesh_defs.trino.config import Sizing, config_of
from mesh_defs.trino.folder import write
from mesh_defs.trino.server import Machine, running
from tests.factories import write as write_file
from tests.meshes import contract, grants, make_mesh, refresh, sql
from tests.servers import new_database

HOST, TABLE = "127.0.0.1", "people_postgres.persons.v1"
ADA = "ada+measurement"
PASSWORDS = {name: secrets.token_hex(16) for name in ("bird", "door", ADA)}
TO_ADA = "{id: north, roles: [analyst], purposes: [measurement], rows: \"region = 'north'\"}"
SELECT = "SELECT n AS person_id, ['north', 'south'][1 + n % 2] AS region FROM range(1, 11) AS numbers(n)"
# What the guide says of a Trino that asks for passwords.
COORDINATOR = """
http-server.https.enabled=true
http-server.https.port={port}
http-server.https.keystore.path={pem}
http-server.authentication.type=PASSWORD
internal-communication.shared-secret={secret}
http-server.process-forwarded=true
"""
WORKER = "internal-communication.shared-secret={secret}\n"
AUTHENTICATOR = "password-authenticator.name=file\nfile.password-file={file}\n"


@dataclass(frozen=True)
class Guarded:
    """A Trino at `url`, that trusts those who know a password; `ca`: the file of whom to trust."""

    settings: Settings
    url: str
    ca: str
    policy_port: int
    pem: str

    @contextmanager
    def policy_server(self, folder: Path, **environment: str) -> Iterator[Path]:
        """Run the command, as an operator does; yield what it logs to."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
        told = {"MESH_ROOT": str(self.settings.root), "MESH_TRINO_CANARY": "bird", "MESH_TRINO_URL": self.url}
        told["REQUESTS_CA_BUNDLE"] = str(folder)  # what the machine trusts besides
        door = {"MESH_TRINO_USER": "door", "MESH_TRINO_PASSWORD": PASSWORDS["door"], "MESH_TRINO_CA": self.ca}
        log = folder / "log"
        command = [sys.executable, "-m", "mesh_defs.cli.main", "trino", "policy-server", "--trino", self.url]
        with log.open("w") as out:
            process = subprocess.Popen(
                [*command, "--port", str(self.policy_port)],
                env={**kept, **told, **door, **environment},
                stdout=out,
                stderr=out,
            )
            try:
                yield log
            finally:
                process.terminate()
                process.wait(30)

    def browser(self) -> requests.Session:
        """A client that trusts this Trino; the machine's environment may name others to trust."""
        session = requests.Session()
        session.verify, session.trust_env = self.ca, False
        return session

    def rows(self, sql: str, user: str, password: str, port: int | None = None) -> list[list[object]]:
        port = port or int(self.url.rpartition(":")[2])
        auth = BasicAuthentication(user, password)
        with closing(
            connect(host=HOST, port=port, user=user, http_scheme="https", auth=auth, http_session=self.browser())
        ) as connection:
            return list(connection.cursor().execute(sql).fetchall())


@pytest.fixture(scope="module")
def guarded(
    postgres_tcp_server: str, trino_machine: Machine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    persons = {
        **contract("people.persons", storage="postgres"),
        **sql("persons", SELECT),
        **grants("people.persons", TO_ADA),
    }
    make_mesh(folder / "mesh", {"people": persons})
    with new_database(postgres_tcp_server) as url:
        write_file(folder / "mesh/.mesh/secrets", "people.env", f"MESH_PEOPLE_POSTGRES={url} password=any")
        settings = load_settings({"MESH_ROOT": str(folder / "mesh"), "MESH_TRINO_USER": "door"})
        assert {each.state for each in refresh(settings).values()} == {"published"}
        https, policy = free_ports(2)
        config = config_of(
            open_mesh(settings), settings, Sizing(policy_url=f"http://{HOST}:{policy}", heap_megabytes=1024)
        )
        pem, ca = certificate(folder)
        told = {"port": https, "pem": pem, "secret": secrets.token_hex(32), "file": folder / "passwords"}
        (folder / "passwords").write_text("".join(f"{name}:{hashed(word)}\n" for name, word in PASSWORDS.items()))
        files = dict(config.files)
        files["etc/config.properties"] += COORDINATOR.format(**told)
        files["etc/worker.properties"] += WORKER.format(**told)
        files["etc/password-authenticator.properties"] = AUTHENTICATOR.format(**told)
        write(folder / "out", files)
        with running(folder / "out", trino_machine, {"PATH": os.environ["PATH"], **config.secrets}):
            yield Guarded(settings, f"https://{HOST}:{https}", str(ca), policy, str(pem))


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate that signs itself: with its key, as Trino's keystore, and alone, as what others trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "trino")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "trino.pem").write_bytes(key.private_bytes(*form) + made)
    (folder / "ca.pem").write_bytes(made)
    return folder / "trino.pem", folder / "ca.pem"


def hashed(password: str) -> str:
    """As Trino's password file holds it: https://trino.io/docs/476/security/password-file.html."""
    salt = secrets.token_bytes(16)
    return f"1000:{salt.hex()}:{hashlib.pbkdf2_hmac('sha1', password.encode(), salt, 1000, 32).hex()}"


@contextmanager
def proxy(guarded: Guarded) -> Iterator[int]:
    """What the guide asks for: lets `/v1/statement` through to the coordinator, and nothing else. Yields its port."""

    def forwarded(method: str, url: str, headers: dict[str, str], body: bytes) -> Response:
        told = {**headers, "x-forwarded-proto": "https", "x-forwarded-host": headers["host"]}
        got = guarded.browser().request(method, url, headers=told, data=body)
        kept = {k: v for k, v in got.headers.items() if k.lower() not in ("content-encoding", "content-length")}
        return Response(got.content, got.status_code, kept)

    async def respond(request: Request) -> Response:
        path = posixpath.normpath(request.url.path)
        if not path.startswith("/v1/statement"):
            return Response(status_code=404)
        url = f"{guarded.url}{path}?{request.url.query}"
        return await run_in_threadpool(forwarded, request.method, url, dict(request.headers), await request.body())

    (port,) = free_ports(1)
    app = Starlette(routes=[Route("/{path:path}", respond, methods=["GET", "POST", "DELETE"])])
    config = uvicorn.Config(app, host=HOST, port=port, log_level="warning", ssl_certfile=guarded.pem)
    web = uvicorn.Server(config)
    thread = threading.Thread(target=web.run)
    thread.start()
    try:
        yield port
    finally:
        web.should_exit = True
        thread.join()


def answered(guarded: Guarded, port: int | None = None) -> list[list[object]]:
    """What ada sees, once the canary has come back."""
    deadline = time.monotonic() + 90
    while True:
        try:
            return guarded.rows(f"SELECT person_id FROM {TABLE} ORDER BY 1", ADA, PASSWORDS[ADA], port)
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def logged(log: Path, text: str) -> None:
    deadline = time.monotonic() + 60
    while text not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


def test_the_canary_logs_in_and_everybody_sees_what_is_theirs(guarded: Guarded, tmp_path: Path) -> None:
    with guarded.policy_server(tmp_path, MESH_TRINO_CANARY_PASSWORD=PASSWORDS["bird"]) as log:
        assert answered(guarded) == [[n] for n in range(2, 11, 2)]
        with pytest.raises(Exception, match="only queries are answered here"):
            guarded.rows(f"EXPLAIN ANALYZE SELECT * FROM {TABLE}", ADA, PASSWORDS[ADA])
        told = {"MESH_TRINO_URL": guarded.url, "MESH_TRINO_CA": guarded.ca}
        settings = load_settings(
            {
                "MESH_ROOT": str(guarded.settings.root),
                "MESH_TRINO_USER": "door",
                "MESH_TRINO_PASSWORD": PASSWORDS["door"],
                **told,
            }
        )
        request = QueryRequest(
            sql="SELECT count(*) FROM people.persons", principal="ada", purpose="measurement", engine="trino"
        )
        with closing(open_platform(settings).engine), run_query(request, open_platform(settings)) as answer:
            assert answer.table().column(0).to_pylist() == [5]
        assert not [word for word in PASSWORDS.values() if word in log.read_text()]


def test_behind_a_proxy_a_client_reads_and_meets_no_plan(guarded: Guarded, tmp_path: Path) -> None:
    with guarded.policy_server(tmp_path, MESH_TRINO_CANARY_PASSWORD=PASSWORDS["bird"]), proxy(guarded) as port:
        assert answered(guarded, port) == [[n] for n in range(2, 11, 2)]
        browser, base = guarded.browser(), f"https://{HOST}:{port}"
        browser.auth = (ADA, PASSWORDS[ADA])
        told = browser.get(f"{guarded.url}/v1/query").json()
        (mine, *_) = [each["queryId"] for each in told if TABLE in each["query"] and each["state"] == "FINISHED"]
        assert "'north'" in browser.get(f"{guarded.url}/v1/query/{mine}").text
        for path in (f"/v1/query/{mine}", "/v1/query", "/ui/", "/v1/queryState", f"/v1/statement/%2e%2e/query/{mine}"):
            assert browser.get(f"{base}{path}").status_code == 404, path


def test_a_name_without_its_password_is_nobody(guarded: Guarded) -> None:
    with pytest.raises(HttpError, match="401"):
        guarded.rows("SELECT 1", ADA, "wrong")
    with pytest.raises(HttpError, match="401"):
        guarded.rows("SELECT 1", ADA, PASSWORDS["bird"])
    assert guarded.browser().get(f"{guarded.url}/v1/query", headers={"X-Trino-User": ADA}).status_code == 401


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"MESH_TRINO_CANARY_PASSWORD": "wrong"},
            "does not let it in: see MESH_TRINO_CANARY and MESH_TRINO_CANARY_PASSWORD",
        ),
        (
            {"MESH_TRINO_CANARY_PASSWORD": PASSWORDS["bird"], "MESH_TRINO_CA": ""},
            "certificate is not trusted: name its authority in MESH_TRINO_CA",
        ),
    ],
)
def test_a_canary_that_cannot_log_in_says_why_and_all_is_denied(
    guarded: Guarded, tmp_path: Path, environment: dict[str, str], message: str
) -> None:
    with guarded.policy_server(tmp_path, **environment) as log:
        logged(log, message)
        time.sleep(2)
        assert log.read_text().count(message) == 1
        assert "Traceback" not in log.read_text()
        with pytest.raises(Exception, match="Access Denied"):
            guarded.rows(f"SELECT person_id FROM {TABLE}", ADA, PASSWORDS[ADA])
