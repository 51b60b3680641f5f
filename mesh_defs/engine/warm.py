"""A DuckDB that is ready to be forked: everything imported, one thread, nothing attached, nothing secret.

Neither pandas nor numpy is let in: DuckDB and Arrow do without, and importing them costs more than all the rest.
"""

import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any


class _Without:
    """Looked at before Python's own finders. A None in sys.modules would do for Python, and not for Arrow."""

    def find_spec(self, name: str, *_: object) -> None:
        if name in ("numpy", "pandas"):
            raise ModuleNotFoundError(f"a worker does without {name}", name=name)


sys.meta_path.insert(0, _Without())

import duckdb  # noqa: E402
import pyarrow as pa  # noqa: E402

from mesh_defs.engine.attached import libraries  # noqa: E402
from mesh_defs.engine.confine import landlock  # noqa: E402
from mesh_defs.errors import MeshError  # noqa: E402
from mesh_defs.storage.extensions import load_extension  # noqa: E402

# The default connection, which `import duckdb` opens, has threads; a process that forks must not.
duckdb.default_connection().close()

_CONFIG: Mapping[str, Any] = {
    "threads": 1,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
    "python_enable_replacements": False,
    "catalog_error_max_schemas": 0,
}
# What a store needs besides: DuckDB's extension, and the modules that attach it.
_STORES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "postgres": ("postgres", ("mesh_defs.storage.postgres", "mesh_defs.storage.external_postgres")),
    "s3": ("httpfs", ("mesh_defs.storage.s3_reading",)),
}


def warmed() -> duckdb.DuckDBPyConnection:
    """Open the instance and let it do once what every worker does."""
    connection = duckdb.connect(":memory:", config=dict(_CONFIG))
    reader = connection.cursor().execute("SELECT json_serialize_plan($a)", {"a": "SELECT 1"}).to_arrow_reader(1)
    pa.ipc.open_stream(_stream(reader)).read_all().to_pylist()
    landlock()
    libraries()
    return connection


def _stream(reader: Any) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
    return sink.getvalue()


def know(connection: duckdb.DuckDBPyConnection, stores: Iterable[str]) -> None:
    """Load what these stores need. What is not installed is missed where it is attached, with a reason."""
    for store in stores:
        extension, modules = _STORES[store]
        with suppress(MeshError, ImportError):
            for module in modules:
                import_module(module)
            load_extension(connection, extension)
