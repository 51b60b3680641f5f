"""What lies in a folder, a bucket, a DuckDB file or a Postgres that could be a product. Reads names and counts, no rows."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from duckdb import Error

from mesh_defs.errors import MeshError
from mesh_defs.model.contract import Server, SourceKind
from mesh_defs.model.names import literal
from mesh_defs.model.place import Access
from mesh_defs.storage.external_base import Source, looking
from mesh_defs.storage.external_delta import DeltaSource
from mesh_defs.storage.external_files import PARQUET, LyingFile, files_below, is_s3, shown
from mesh_defs.storage.external_parquet import reach
from mesh_defs.storage.failures import told
from mesh_defs.storage.parquet import ParquetParts

# Footers are read to count rows; of a folder with more files than this the rows stay unknown.
FOOTERS_MAX = 1_000
TABLES_MAX = 10_000
_LOG, _POINTER = "_delta_log", "manifest.json"
_TABLES = """
SELECT n.nspname, c.relname, c.reltuples::bigint, CASE WHEN c.relkind IN ('v', 'f') THEN NULL
         ELSE (SELECT sum(pg_total_relation_size(t.relid)) FROM pg_partition_tree(c.oid) t)::bigint END,
       (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
       CASE WHEN c.relkind = 'r' THEN pg_total_relation_size(c.oid) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 'p', 'v', 'f') AND NOT c.relispartition
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%%'
ORDER BY 1, 2 LIMIT %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """Something that a contract could name. None: not known without reading it, or at more cost than a listing may have.

    `ours` marks a place that this platform writes; `trouble` says why something there could not be looked at.
    """

    server: Server
    name: str
    rows: int | None = None
    rows_are_exact: bool = True
    bytes: int | None = None
    columns: int | None = None
    ours: bool = False
    trouble: str | None = None


def list_files(place: str, access: Access) -> list[Listed]:
    """Group the files at or below a place into tables, folders of Parquet, DuckDB files and places of the mesh."""
    files = list(files_below(place, access))
    top = place if is_s3(place) else str((access.root / place).absolute())
    relative = {file.location.removeprefix(top).strip("/") or top.rpartition("/")[2]: file for file in files}
    taken = _tops(relative, f"{_LOG}/") | _tops(relative, _POINTER)
    groups: dict[str, list[LyingFile]] = defaultdict(list)
    for name, file in relative.items():
        if (folder := _group(name, taken)) is not None:
            groups[folder].append(file)
    return [each for name, members in sorted(groups.items()) for each in _described(name, members, place, access)]


def list_postgres(access: Access) -> list[Listed]:
    """Every table and view that is not the server's own; rows as the server last estimated them."""
    from mesh_defs.storage.postgres_database import database_of
    from mesh_defs.storage.postgres_failures import told as told_postgres

    where = f"{access.variable}_POSTGRES"
    with told_postgres("its tables cannot be listed", where), database_of(access).connect() as connection:
        rows = connection.execute(_TABLES, [TABLES_MAX]).fetchall()
    return [
        Listed(
            server=Server(environment="local", kind="postgres", place=schema, table=table),
            name=f"{schema}.{table}",
            rows=estimate if estimate >= 0 else None,
            rows_are_exact=False,
            bytes=whole if own is None else own,
            columns=columns,
        )
        for schema, table, estimate, whole, columns, own in rows
    ]


def list_duckdb(place: str, access: Access, *, prefix: str = "") -> list[Listed]:
    """The tables of one DuckDB file; the file alone when it cannot be opened."""
    path = access.root / place
    server = Server(environment="local", kind="duckdb", place=place)
    try:
        with looking() as connection, told("the DuckDB file cannot be opened", path):
            connection.execute(f"ATTACH {literal(str(path))} AS listed (TYPE duckdb, READ_ONLY)")
            rows = connection.execute(
                "SELECT schema_name, table_name, estimated_size, column_count FROM duckdb_tables()"
                f" WHERE database_name = 'listed' ORDER BY ALL LIMIT {TABLES_MAX}"
            ).fetchall()
    except MeshError as error:
        return [Listed(server=server, name=prefix.rstrip("/") or place, trouble=str(error))]
    return [
        Listed(
            server=replace(server, table=f"{schema}.{table}"),
            name=f"{prefix}{schema}.{table}",
            rows=count,
            rows_are_exact=False,
            columns=columns,
        )
        for schema, table, count, columns in rows
    ]


def _tops(files: Mapping[str, LyingFile], marker: str) -> frozenset[str]:
    """Folders that hold a table's log, or a pointer of ours."""
    found = (f"/{name}".partition(f"/{marker}") for name in files)
    return frozenset(before.strip("/") for before, marked, _ in found if marked)


def _group(name: str, taken: frozenset[str]) -> str | None:
    """The object that a file belongs to; None for what is no data."""
    steps = name.split("/")
    for length in range(len(steps)):
        if "/".join(steps[:length]) in taken:
            return "/".join(steps[:length])
    if any(step.startswith((".", "_")) for step in steps):
        return None
    if name.endswith((".duckdb", ".db")):
        return name
    if not name.lower().endswith(PARQUET):
        return None
    folders = steps[:-1]
    cut = next((number for number, step in enumerate(folders) if "=" in step), len(folders))
    return "/".join(folders[:cut]) if folders else name


def _described(name: str, files: Sequence[LyingFile], place: str, access: Access) -> Iterator[Listed]:
    is_place = len(files) == 1 and files[0].location == (place if is_s3(place) else str(access.root / place))
    below = place if is_place else "/".join(filter(None, (place, name)))
    names = {file.location.removeprefix(shown(below, access)).strip("/") for file in files}
    size = sum(file.bytes for file in files)
    kind: SourceKind = "s3" if is_s3(place) else "parquet"
    found = Listed(server=Server(environment="local", kind=kind, place=below), name=name or ".", bytes=size)
    if _POINTER in names:
        is_duckdb = any(each.endswith(".duckdb") for each in names)
        yield replace(found, server=replace(found.server, kind="duckdb" if is_duckdb else kind), ours=True)
    elif any(each.startswith(f"{_LOG}/") for each in names):
        yield _delta(replace(found, server=replace(found.server, kind="delta")), access)
    elif name.endswith((".duckdb", ".db")):
        if is_s3(place):
            yield replace(found, trouble="a DuckDB file in a bucket is no source")
        else:
            yield from (replace(each, bytes=size) for each in list_duckdb(below, access, prefix=f"{name}/"))
    else:
        yield _parquet(found, files, access)


def _delta(found: Listed, access: Access) -> Listed:
    source = Source(server=found.server, access=access, columns=())
    try:
        return replace(found, columns=len(DeltaSource().found(source)[1]), rows=DeltaSource().rows(source))
    except MeshError as error:
        return replace(found, trouble=str(error))


def _parquet(found: Listed, files: Sequence[LyingFile], access: Access) -> Listed:
    stated = len({name for file in files for name in file.given})
    listed = ", ".join(literal(ParquetParts().opened(file.location)[-1]) for file in files[:FOOTERS_MAX])
    with looking() as connection:
        try:
            reach(connection, found.server.place, access)
            first = ParquetParts().relation(connection, [files[0].location])
            columns = len(connection.execute(f"DESCRIBE FROM {first}").fetchall())
            counted = connection.execute(
                f"SELECT sum(num_rows)::BIGINT FROM parquet_file_metadata([{listed}])"
            ).fetchone()
        except (Error, MeshError) as error:
            return replace(found, trouble=f"a file cannot be read ({type(error).__name__})")
    rows = counted[0] if counted and len(files) <= FOOTERS_MAX else None
    return replace(found, columns=columns + stated, rows=rows)
