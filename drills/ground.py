"""Where drills happen: folders of their own, a Postgres, an S3, each started when first asked for. Breaks nothing."""

import logging
import secrets
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import psycopg
from moto.server import ThreadedMotoServer

from mesh_defs.model.contract import StorageKind
from mesh_defs.model.place import S3Access
from tests.servers import new_bucket, tcp_server
from tests.storage.places import Place, folder_place, iceberg_place, postgres_place, s3_place
from tests.storage.postgres_crashes import Server
from tests.storage.s3_faults import Proxy, proxied

_Made = TypeVar("_Made")

__all__ = ["KINDS", "Ground", "Place", "StorageKind"]
KINDS: tuple[StorageKind, ...] = ("parquet", "duckdb", "postgres", "s3", "iceberg")


@dataclass
class Ground:
    """What all drills of one run share. Everything ends with `exits`."""

    exits: ExitStack = field(default_factory=ExitStack)
    kept: dict[str, Any] = field(default_factory=dict)

    def once(self, name: str, make: Callable[[], _Made]) -> _Made:
        """Return what several drills share, made for the first of them."""
        if name not in self.kept:
            self.kept[name] = make()
        made: _Made = self.kept[name]
        return made

    def folder(self, name: str) -> Path:
        """A new folder. Not below another's: as root, Postgres runs as a user who must reach it."""
        return Path(self.exits.enter_context(TemporaryDirectory(prefix=f"drill-{name}-", ignore_cleanup_errors=True)))

    @cached_property
    def postgres(self) -> Server:
        """A Postgres that can be crashed."""
        server = Server(self.folder("postgres") / "data")
        self.exits.callback(server.stop)
        return server

    def database(self, *, tcp: bool = False) -> str:
        """URL of a new database; `tcp`: on a server with a port."""
        name, server = f"drill_{secrets.token_hex(4)}", self.tcp_postgres if tcp else self.postgres.url
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return str(psycopg.conninfo.make_conninfo(server, dbname=name))

    @cached_property
    def tcp_postgres(self) -> str:
        """URL of a Postgres with a port, which Java needs."""
        return self.exits.enter_context(tcp_server())

    @cached_property
    def s3(self) -> S3Access:
        """An S3 API over HTTP."""
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it prints every request
        server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
        server.start()
        self.exits.callback(server.stop)
        host, port = server.get_host_and_port()
        return S3Access(endpoint=f"http://{host}:{port}", key="drill", secret="of-the-drills")

    @cached_property
    def proxy(self) -> Proxy:
        """The way to that S3 on which requests can be broken; it lets one PUT through at a time, as moto should."""
        return self.exits.enter_context(proxied(self.s3))

    def place(self, kind: StorageKind) -> Place:
        """A new place of this kind of storage; S3 through the proxy."""
        if kind == "postgres":
            return postgres_place(self.database())
        if kind == "s3":
            return s3_place(self.proxy.access, new_bucket(self.s3))
        folder = self.folder(kind) / "impressions"
        return iceberg_place(self.database(), folder) if kind == "iceberg" else folder_place(kind, folder)

    def sound(self, place: Place) -> Place:
        """The same place, past the proxy."""
        if place.server.kind != "s3":
            return place
        return replace(place, access=replace(place.access, s3=self.s3))
