"""What may be dropped from a product's schema: only what nobody can be reading any more. Needs the product's lock."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from psycopg import errors, sql

from mesh_defs.model.version import Version
from mesh_defs.storage.layout import staged_at
from mesh_defs.storage.postgres_catalog import Catalog
from mesh_defs.storage.postgres_database import Connection
from mesh_defs.storage.postgres_names import HISTORY, POINTER, REFUSED, candidate_of, table_of, view_of
from mesh_defs.storage.postgres_views import views_of

# A DROP waits for readers; longer than Postgres takes to notice that only its own vacuum is in the way (1 s).
_LOCK_MILLISECONDS_MAX = 1_500
# The server's table of locks is finite, and every dropped table stays locked until the commit.
_TABLES_MAX = 200


def swept(connection: Connection, catalog: Catalog, now: datetime, retention_seconds: float) -> tuple[str, ...]:
    """Remove old versions, orphans and quarantined candidates; return them as paths relative to the place.

    What is being read, or holds up somebody's own view, stays until a later sweep.
    """
    cutoff = now - timedelta(seconds=retention_seconds)
    versions = catalog.published(connection)
    retained, expired = _parted(versions, cutoff)
    catalog.forget(connection, [version.id for version in expired])
    refused = {one.id: one.refused_at for one in catalog.refused(connection)}
    kept = {part.path for version in retained for part in version.parts}
    serving = view_of(versions[0].stamp) if versions else None
    removed = [f"history/{version.id}" for version in expired]
    for id in _candidates(connection, catalog.schema):
        old = refused.get(id) or staged_at(id)
        if table_of(id) in kept or old is None or old >= cutoff or len(removed) - len(expired) >= _TABLES_MAX:
            continue
        if drop(connection, catalog.schema, table_of(id), serving):
            catalog.release(connection, id)
            removed.append(f"{'refused' if id in refused else 'parts'}/{id}")
    noted = [id for id, at in refused.items() if at < cutoff and f"refused/{id}" not in removed]
    return (*removed, *_forgotten(connection, catalog, noted))


def _forgotten(connection: Connection, catalog: Catalog, refused: Sequence[str]) -> Iterator[str]:
    """Forget what was refused after a sweep had taken its table."""
    query = "SELECT tablename FROM pg_tables WHERE schemaname = %s"
    tables = {row[0] for row in connection.execute(query, [catalog.schema]).fetchall()}
    for id in refused:
        if table_of(id) not in tables:
            catalog.release(connection, id)
            yield f"refused/{id}"


def drop(connection: Connection, schema: str, table: str, serving: str | None = None) -> bool:
    """Drop a table, and a view of an earlier major version that reads it; return False when it is in use.

    `serving` is the view of the current version: it never goes.
    """
    try:
        with connection.transaction():
            connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(_LOCK_MILLISECONDS_MAX))
            for view in views_of(connection, schema, table):
                if view == serving:
                    return False
                connection.execute(sql.SQL("DROP VIEW {}").format(sql.Identifier(schema, view)))
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(schema, table)))
            connection.execute("RESET lock_timeout")
    except (errors.LockNotAvailable, errors.DeadlockDetected, errors.DependentObjectsStillExist):
        return False
    return True


def retired(connection: Connection, schema: str) -> tuple[str, ...]:
    """Drop everything that the mesh made in the schema; return the names."""
    tables = [table_of(id) for id in _candidates(connection, schema)]
    views = sorted({view for table in tables for view in views_of(connection, schema, table)})
    for view in views:
        connection.execute(sql.SQL("DROP VIEW {}").format(sql.Identifier(schema, view)))
    for table in (*tables, POINTER, HISTORY, REFUSED):
        connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(schema, table)))
    return (*views, *tables, POINTER, HISTORY, REFUSED)


def _parted(versions: Sequence[Version], cutoff: datetime) -> tuple[list[Version], list[Version]]:
    """Part the versions, newest first, into those that readers may have and those superseded before the cutoff."""
    retained, expired = list(versions[:1]), list[Version]()
    for newer, version in pairwise(versions):
        (expired if newer.published_at < cutoff else retained).append(version)
    return retained, expired


def _candidates(connection: Connection, schema: str) -> Iterator[str]:
    """Yield the candidates whose tables lie in the schema; tables that we did not make are left alone."""
    query = "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tableowner = current_user ORDER BY tablename"
    found = [candidate_of(row[0]) for row in connection.execute(query, [schema]).fetchall()]
    return (id for id in found if id)
