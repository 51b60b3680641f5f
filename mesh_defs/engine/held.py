"""Where rows are hidden: an answer is held back until it is whole, and a failure is believed only of the visible rows.

DuckDB may evaluate what an asker wrote on rows that a rule hides, and fail on one (docs/decisions/0024). So nothing leaves
before the last row is known, and what fails runs once more over tables that hold nothing but what may be seen.
"""

import secrets
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from mesh_defs.model.names import quoted

MEMORY_BYTES_MAX = 64 * 2**20


class Held:
    """A whole answer, in memory or, when it is large, in a file of the spill folder that has no name."""

    def __init__(self, schema: pa.Schema, tables: Iterable[pa.Table], spill: str) -> None:
        self.schema = schema
        self._kept: list[pa.Table] = []
        self._file: Any = None
        size = 0
        for table in tables:
            size += table.nbytes
            if size <= MEMORY_BYTES_MAX:
                self._kept.append(table)
            else:
                self._spool(table, spill)
        if self._file is not None:
            self._writer.close()

    def tables(self) -> Iterator[pa.Table]:
        """Yield it in its order."""
        yield from self._kept
        if self._file is not None:
            self._file.seek(0)
            with pa.ipc.open_stream(self._file) as reader:
                for batch in reader:
                    yield pa.Table.from_batches([batch])

    def _spool(self, table: pa.Table, spill: str) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=spill)  # noqa: SIM115  lives as long as the answer
            self._writer = pa.ipc.new_stream(self._file, self.schema)
        self._writer.write_table(table)


@contextmanager
def apart(connection: Any, text: str, visible: Mapping[str, str]) -> Iterator[str]:
    """Write what each guard shows to a table of its own, and give the text that reads those; they go afterwards.

    `visible`: by the guard, the SELECT of what is written, with all columns of it that the text may use.
    """
    # No WITH of the asker's is called so.
    names = {guard: f"seen_{secrets.token_hex(8)}" for guard in visible}
    try:
        for guard, name in names.items():
            connection.execute(f"CREATE TEMP TABLE {quoted(name)} AS {visible[guard]}")
            text = text.replace(guard, f"SELECT * FROM {quoted(name)}")
        yield text
    finally:
        for name in names.values():
            connection.execute(f"DROP TABLE IF EXISTS {quoted(name)}")
