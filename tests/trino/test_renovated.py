"""Products move to Iceberg while questions about them run on both engines: the same rows before, meanwhile and after."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from mesh_defs.errors import MeshError
from mesh_defs.model.names import literal
from mesh_defs.model.query import EngineName, QueryRequest
from mesh_defs.query.mesh import open_mesh
from mesh_defs.query.platform import Platform, open_platform
from mesh_defs.query.run import run_query
from mesh_defs.settings import Settings, load_settings
from mesh_defs.trino.config import Sizing, config_of
from mesh_defs.trino.register import register
from mesh_defs.upkeep.renovate import renovate
from mesh_defs.upkeep.sweep import retire_previous
from tests.meshes import SERVERS, contract, grants, refresh, settings_of, sql
from tests.servers import new_database
from tests.trino.conftest import _COLUMNS, ALL, PEOPLE, _url
from tests.trino_server import Trino

QUERY = "SELECT person_id, region, amount, day FROM {} ORDER BY person_id"
KINDS = ("parquet", "postgres", "duckdb")


class Reader(threading.Thread):
    """Asks until it is told to stop; keeps every answer, and every error."""

    def __init__(self, platform: Platform, product: str, engine: EngineName) -> None:
        super().__init__(daemon=True)
        self._request = QueryRequest(sql=QUERY.format(product), principal="max", purpose="measurement", engine=engine)
        self._platform, self.done = platform, threading.Event()
        self.answers: list[str] = []

    def run(self) -> None:
        while not self.done.is_set() or not self.answers:
            self.answers.append(self.ask())

    def ask(self) -> str:
        try:
            with run_query(self._request, self._platform) as answer:
                return str(answer.table().to_pylist())
        except MeshError as error:
            return f"{error.code}: {error}"


@pytest.fixture
def settings(trino: Trino, postgres_tcp_server: str, tmp_path: Path) -> Iterator[Settings]:
    files: dict[str, str] = {}
    for kind in KINDS:
        name = f"moved.{kind}"
        files |= {**contract(name, columns=_COLUMNS, storage=kind), **sql(kind, PEOPLE), **grants(name, ALL)}
    with ExitStack() as stack:
        made = settings_of(tmp_path / "mesh", {"moved": files})
        made.secrets.mkdir(parents=True, exist_ok=True)
        url = stack.enter_context(new_database(postgres_tcp_server))
        (made.secrets / "moved.env").write_text(f"MESH_MOVED_POSTGRES={_url(url)}\n")
        settings = load_settings({"MESH_ROOT": str(made.root), "MESH_TRINO_URL": trino.url})
        for _ in range(2):
            assert {each.state for each in refresh(settings).values()} == {"published"}
        mesh = open_mesh(settings)
        for catalog in {
            each.catalog.name: each.catalog for each in config_of(mesh, settings, Sizing()).reached
        }.values():
            told = ", ".join(
                f'"{key}" = {literal(value)}' for key, value in catalog.properties.items() if key != "connector.name"
            )
            trino.rows(f"CREATE CATALOG {catalog.name} USING {catalog.properties['connector.name']} WITH ({told})")
            stack.callback(trino.rows, f"DROP CATALOG {catalog.name}")
        assert {each.state for each in register(mesh, settings)} == {"registered"}
        yield settings


@pytest.mark.parametrize("kind", KINDS)
def test_readers_on_both_engines_notice_no_move_to_iceberg(settings: Settings, kind: str) -> None:
    name, platform = f"moved.{kind}", open_platform(settings)
    readers = [Reader(platform, name, "duckdb"), Reader(platform, name, "trino")]
    known = readers[0].ask()
    assert known.startswith("[")
    file = settings.root / f"domains/moved/contracts/{kind}.odcs.yaml"
    file.write_text(
        file.read_text().replace(SERVERS[kind].format(name=kind), SERVERS["iceberg"].format(name=f"lake/{kind}"))
    )
    for reader in readers:
        reader.start()
    product = open_mesh(settings).products[name]
    with duckdb.connect() as connection:
        moved = renovate(product, settings, connection=connection, now=lambda: datetime.now(UTC))
    assert (moved.moved, moved.new.kind, moved.versions) == (True, "iceberg", 2)
    for reader in readers:
        reader.done.set()
        reader.join()
    on_duckdb, on_trino = (set(reader.answers) for reader in readers)
    assert on_duckdb == {known}
    refused = {each for each in on_trino if "mesh renovate" in each} if kind == "duckdb" else set()
    assert on_trino - refused <= {known}
    assert retire_previous(product, settings)
    assert [reader.ask() for reader in readers] == [known, known]
    platform.engine.close()
