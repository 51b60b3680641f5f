"""A table or view of a Postgres that another system writes to. It cannot be pinned: each query reads it as it is then.

What stands for its version are the server's own counts of rows written. They cost no scan, are told about a second after
a commit, and also count what was rolled back: another id means "maybe news". An observation pays for the truth, a digest
of all rows (`digest`).
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from duckdb import DuckDBPyConnection
from psycopg import sql

from mesh_defs.errors import StorageError, nearest
from mesh_defs.model.names import quoted
from mesh_defs.model.place import Access
from mesh_defs.model.version import Part, Pin, Version
from mesh_defs.storage.external_base import Scan, Source, looking
from mesh_defs.storage.external_columns import matching, promised_select
from mesh_defs.storage.external_trino import POSTGRES, alike
from mesh_defs.storage.postgres_database import Connection, database_of
from mesh_defs.storage.postgres_failures import told

# Parents of partitions count nothing themselves; a view has neither counts nor a size.
_STATE = """
SELECT c.oid, c.relkind::text, c.relfilenode, greatest(c.reltuples, 0)::bigint,
       coalesce(sum(pg_total_relation_size(part.relid)), 0)::bigint,
       coalesce(sum(s.n_tup_ins), 0)::bigint, coalesce(sum(s.n_tup_upd), 0)::bigint, coalesce(sum(s.n_tup_del), 0)::bigint,
       coalesce(string_agg(p.relfilenode::text, ',' ORDER BY p.oid), ''), coalesce(sum(greatest(p.reltuples, 0)), 0)::bigint,
       has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (SELECT t.relid FROM pg_partition_tree(c.oid) t UNION SELECT c.oid WHERE c.relkind IN ('r', 'm')) part
  ON c.relkind IN ('r', 'm', 'p')
LEFT JOIN pg_class p ON p.oid = part.relid
LEFT JOIN pg_stat_all_tables s ON s.relid = part.relid
WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'm', 'p', 'v', 'f')
GROUP BY n.oid, c.oid, c.relkind, c.relfilenode, c.reltuples
"""
_NAMES = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'm', 'p', 'v', 'f') ORDER BY 1 LIMIT 1000
"""
_TYPES = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped
"""
# A row's text depends on these; they make it the same in every session, and exact.
_STEADY = "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'iso_8601'; SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex'"  # noqa: E501


class PostgresSource:
    """A `Reader` of one table or view."""

    def look(self, source: Source) -> Version:
        """Ask the server for its counts; one short query."""
        with self._connected(source) as connection:
            row = connection.execute(_STATE, [source.server.place, source.server.table]).fetchone()
            if row is None:
                known = [each[0] for each in connection.execute(_NAMES, [source.server.place]).fetchall()]
                fix = nearest(source.server.table or "", known)
                raise StorageError(f"no table '{source.server.table}' in its schema", where=_where(source), fix=fix)
        if not row[10]:
            fix = "GRANT USAGE ON SCHEMA … and SELECT ON … to the role of that URL"
            raise StorageError("its role may not read the table", where=_where(source), fix=fix)
        rows = row[9] if row[1] == "p" else row[3]
        part = Part(path=f"{source.server.place}.{source.server.table}", rows=rows, bytes=row[4])
        counts = "\0".join(map(str, (row[0], row[1], row[2], *row[5:9])))
        id = "counts-" + hashlib.sha256(counts.encode()).hexdigest()[:16]
        return Version(id=id, parts=(part,), columns=source.promised, published_at=datetime.now(UTC))

    def digest(self, source: Source) -> str:
        """Return a digest of the promised columns of all rows, whatever their order. Scans the table, in the server."""
        with self._connected(source) as connection:
            connection.execute(_STEADY)
            names = dict.fromkeys(_names(connection, source), "")
            wanted = [matching(each.physical_name or each.name, names) for each in source.columns]
            # A name that only DuckDB knows (of two that differ in case alone): then all columns count.
            row = sql.SQL(", ").join(sql.Identifier("t", name or "") for name in (names if None in wanted else wanted))
            asked = sql.SQL(
                "SELECT count(*), coalesce(sum(hashtextextended(ROW({row})::text, 0)::numeric), 0),"
                " coalesce(sum(hashtextextended(ROW({row})::text, 1)::numeric), 0) FROM {table} AS t"
            ).format(row=row, table=sql.Identifier(source.server.place, source.server.table or ""))
            found: Any = connection.execute(asked).fetchone()
        return "rows-" + hashlib.sha256("\0".join(map(str, found)).encode()).hexdigest()[:16]

    def scan(self, source: Source, version: Version) -> Scan:
        """Look at the columns as DuckDB will see them; a table that lost one is refused."""
        where, columns = self.found(source)
        relation = ".".join(map(quoted, (_alias(source), source.server.place, source.server.table or "")))
        text = promised_select(source.columns, columns, relation, where=where)
        return Scan(text=text, locations=(version.parts[0].path,), rows=version.rows)

    def found(self, source: Source) -> tuple[str, dict[str, str]]:
        """The table's columns, with the types that DuckDB gives them."""
        with looking() as connection, told("its columns cannot be read", _where(source)):
            alias = _attach(connection, source)
            table = ".".join(map(quoted, (alias, source.server.place, source.server.table or "")))
            rows = connection.execute(f"DESCRIBE {table}").fetchall()
        return _where(source), {row[0]: row[1] for row in rows}

    def for_trino(self, source: Source, version: str) -> tuple[tuple[str, str], ...]:
        """Return the promised columns as `external_trino.alike`; StorageError for what a Trino does not read alike."""
        server = source.server
        if (told := f"{server.place}.{server.table}") != told.lower():
            what = f"a Trino knows no capitals in the name {told}"
            raise StorageError(
                what, where=_where(source), fix="have its writer offer a view of a name in small letters"
            )
        with self._connected(source) as connection:
            found = {str(name): str(type_) for name, type_ in connection.execute(_TYPES, [server.place, server.table])}
        return alike(source.columns, found, POSTGRES, _where(source))

    def prepare(self, connection: DuckDBPyConnection, pin: Pin, access: Access, seconds_max: float) -> None:
        """Attach the schema read-only. One scan is one statement: a table that is swapped meanwhile is never mixed."""
        schema = pin.locations[0].partition(".")[0]
        with told(f"{pin.product} cannot be opened", pin.locations[0]):
            _attach_schema(connection, access, schema, seconds_max)

    def opened(self, pin: Pin) -> Sequence[str]:
        """Nothing on a disk."""
        return ()

    @contextmanager
    def _connected(self, source: Source) -> Iterator[Connection]:
        with told("the source cannot be read", _where(source)), database_of(source.access).connect() as connection:
            connection.execute("SET TRANSACTION READ ONLY")
            yield connection


def _names(connection: Connection, source: Source) -> list[str]:
    asked = sql.SQL("SELECT * FROM {} LIMIT 0").format(sql.Identifier(source.server.place, source.server.table or ""))
    return [each.name for each in connection.execute(asked).description or ()]


def _attach(connection: DuckDBPyConnection, source: Source) -> str:
    return _attach_schema(connection, source.access, source.server.place, 60.0)


def _attach_schema(connection: DuckDBPyConnection, access: Access, schema: str, seconds_max: float) -> str:
    alias = _alias_of(access, schema)
    database_of(access).attach(connection, schema, quoted(alias), "READ_ONLY", seconds_max=seconds_max)
    # Cut into ranges, a scan is several statements that each look the name up: swapped in between, they would mix two tables.
    connection.execute("SET pg_use_ctid_scan = false")
    return alias


def _alias(source: Source) -> str:
    return _alias_of(source.access, source.server.place)


def _alias_of(access: Access, schema: str) -> str:
    """One name for each domain and schema: two domains may each have a schema of the same name."""
    return "external_" + hashlib.blake2b(f"{access.variable}\0{schema}".encode(), digest_size=8).hexdigest()


def _where(source: Source) -> str:
    return f"{source.access.variable}_POSTGRES: {source.server.place}.{source.server.table}"
