"""Dagster's instance as the in-process refresh opens it: the one of DAGSTER_HOME, with a cheaper way to write its SQLite.

Dagster 1.13 makes a new SQLAlchemy engine for every event, and so compiles every statement anew: 7 ms an event, 17 events
a product. Keeping the engines halves what the platform costs per product (`benchmarks.refresh`). Same files, same schema.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import sqlalchemy as sa
import yaml
from dagster._core.instance import InstanceRef
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS

from mesh_defs.settings import Settings

_DEFAULTS = "telemetry: {enabled: false}\nnux: {enabled: false}\n"
_ENGINES_MAX = 8


class KeptEngines(SqliteEventLogStorage):
    """Dagster's own SQLite event log; only the engines, which hold the compiled statements, outlive an event."""

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
        kept: OrderedDict[str, sa.Engine] = self.__dict__.setdefault("_kept_engines", OrderedDict())
        if shard not in kept:
            kept[shard] = sa.create_engine(
                self.conn_string_for_shard(shard),
                poolclass=sa.NullPool,
                connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
            )
        kept.move_to_end(shard)
        if len(kept) > _ENGINES_MAX:
            kept.popitem(last=False)[1].dispose()
        return kept[shard]


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """Open the instance of DAGSTER_HOME, made from the mesh's dagster.yaml, or with telemetry off, when it is new."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    config, defaults = home / "dagster.yaml", settings.root / "dagster.yaml"
    if not config.exists():
        config.write_text(defaults.read_text() if defaults.exists() else _DEFAULTS)
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=_event_log(config)))


def _event_log(config: Path) -> dict[str, object]:
    """Replace the default storage only: whoever configured one, Postgres for instance, meant it."""
    configured = yaml.safe_load(config.read_text()) or {}
    if {"storage", "event_log_storage"} & configured.keys():
        return {}
    kept = {"module": __name__, "class": KeptEngines.__name__}
    return {"event_log_storage": {**kept, "config": {"base_dir": str(config.parent / "history" / "runs")}}}
