"""Dagster's instance as the in-process refresh opens it: the one of DAGSTER_HOME, with a cheaper way to write its SQLite.

Dagster 1.13 opens its SQLite anew for every event, a new engine, connection and statement cache each time: 7 ms an event,
17 events a product. Kept open, they cost half (`benchmarks.refresh`). Same files, same schema, same lock.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa
import yaml
from dagster._core.instance import InstanceRef
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

from mesh_defs.settings import Settings

_DEFAULTS = "telemetry: {enabled: false}\nnux: {enabled: false}\n"
_OPEN_MAX = 8


class KeptEventLog(SqliteEventLogStorage):
    """Dagster's own SQLite event log; only its connections outlive an event. The base's lock lets one thread in at a time."""

    def __init__(self, base_dir: str) -> None:
        self._kept: OrderedDict[str, sa.Engine] = OrderedDict()
        super().__init__(base_dir)

    def dispose(self) -> None:
        """Close what was kept open."""
        while self._kept:
            self._kept.popitem()[1].dispose()
        super().dispose()

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _engine(self, shard: str) -> sa.Engine:
        if shard not in self._kept:
            arguments = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
            url = self.conn_string_for_shard(shard)
            self._kept[shard] = sa.create_engine(url, poolclass=sa.StaticPool, connect_args=arguments)
        self._kept.move_to_end(shard)
        if len(self._kept) > _OPEN_MAX:
            self._kept.popitem(last=False)[1].dispose()
        return self._kept[shard]


class KeptStorage(DagsterSqliteStorage):
    """Dagster's default storage with that event log."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        super().__init__(base_dir, inst_data)
        plain: SqliteEventLogStorage = self._event_log_storage
        self._event_log_storage = KeptEventLog(plain._base_dir)

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "KeptStorage":
        """As the base does, but of this class."""
        return cls.from_local(inst_data=inst_data, **config_value)


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """Open the instance of DAGSTER_HOME, made from the mesh's dagster.yaml, or with telemetry off, when it is new."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    config, defaults = home / "dagster.yaml", settings.root / "dagster.yaml"
    if not config.exists():
        config.write_text(defaults.read_text() if defaults.exists() else _DEFAULTS)
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=_storage(config)))


def _storage(config: Path) -> dict[str, object]:
    """Replace the default storage only: whoever configured one, Postgres for instance, meant it."""
    configured = yaml.safe_load(config.read_text()) or {}
    if {"storage", "event_log_storage", "run_storage", "schedule_storage"} & configured.keys():
        return {}
    kept = {"module": __name__, "class": KeptStorage.__name__, "config": {"base_dir": str(config.parent)}}
    return {"storage": {"custom": kept}}
