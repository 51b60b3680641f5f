"""Parts as DuckDB files, written once and only ever attached read-only. Holds only what differs from other formats."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from duckdb import DuckDBPyConnection, Error

from mesh_defs.errors import StorageError
from mesh_defs.model.contract import StorageKind
from mesh_defs.model.names import literal, quoted
from mesh_defs.storage.parts import Written

# No log: a file that is not whole is thrown away. The storage version is the first that keeps VARIANT.
_NEW_FILE = "TYPE duckdb, READ_WRITE, RECOVERY_MODE no_wal_writes, STORAGE_VERSION 'v1.5.0'"
_TABLE = "main.data"


class DuckDBParts:
    """One `.duckdb` file per part, holding the table `data`. Every DuckDB type is kept as it is."""

    kind: StorageKind = "duckdb"

    def write(self, connection: DuckDBPyConnection, select: str, columns: Mapping[str, str], path: Path) -> Written:
        """Write the file and let go of it; the connection must not be inside a transaction of its own."""
        if "?" in str(path):  # DuckDB takes it for the start of options and looks for `a.wal?b` beside `a?b`
            fix = "give the product a place without '?', or store it as parquet"
            raise StorageError("DuckDB cannot write below a folder that has '?' in its name", fix=fix)
        alias, new = f"stage_{secrets.token_hex(8)}", path.with_suffix(".new")
        connection.begin()  # raises inside a transaction, whose rows would not be in the file when we let go of it
        connection.rollback()
        connection.execute(f"ATTACH {literal(str(new))} AS {alias} ({_NEW_FILE})")
        try:
            row = connection.execute(f"CREATE TABLE {alias}.{_TABLE} AS\n{select}").fetchone()
            # FORCE waits where a plain CHECKPOINT fails: while another cursor lists the tables of every database.
            connection.execute(f"FORCE CHECKPOINT {alias}")
        finally:
            connection.execute(f"DETACH {alias}")
        # Such a cursor may also keep the file open a moment longer; DuckDB would refuse to attach it under that name.
        new.rename(path)
        return Written(rows=row[0] if row else 0, columns=columns)

    def relation(self, connection: DuckDBPyConnection, locations: Sequence[str]) -> str:
        """Attach the files and return their rows as one relation; they stay attached until `release`."""
        try:
            for location in locations:
                alias = quoted(_alias(connection, location))
                connection.execute(f"ATTACH IF NOT EXISTS {literal(location)} AS {alias} (TYPE duckdb, READ_ONLY)")
        except Error:
            self.release(connection, locations)
            raise
        tables = [f"{quoted(_alias(connection, location))}.{_TABLE}" for location in locations]
        rows = " UNION ALL BY NAME ".join(f"SELECT * FROM {table}" for table in tables)  # some may hold tokens besides
        return tables[0] if len(tables) == 1 else f"({rows})"

    def release(self, connection: DuckDBPyConnection, locations: Sequence[str]) -> None:
        """Detach the files that this connection attached."""
        for location in locations:
            connection.execute(f"DETACH DATABASE IF EXISTS {quoted(_alias(connection, location))}")

    def opened(self, location: str) -> tuple[str, ...]:
        """Return the path; a file attached before the instance is locked needs no permission any more."""
        return (location,)


def _alias(connection: DuckDBPyConnection, location: str) -> str:
    """Name an attachment after the file and the connection: cursors of one instance share names, and one must not
    detach what another is reading."""
    digest = hashlib.blake2b(location.encode(), digest_size=8).hexdigest()
    return f"part_{digest}_{id(connection):x}"
