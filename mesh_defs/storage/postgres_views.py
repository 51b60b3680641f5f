"""One view per major version of a product's contract, for whoever reads with psql. The door never reads a view.

A view follows the publications under its major number. Within one, a contract only adds columns: those stand at the end
of the view, whatever their place in the contract, because Postgres cannot move, drop or retype a view's column. Where it
must, the view is made anew and its grants are given again.
"""

from psycopg import errors, sql

from mesh_defs.errors import StorageError
from mesh_defs.model.version import Version
from mesh_defs.storage.postgres_database import Connection
from mesh_defs.storage.postgres_names import view_of

# A reader's open transaction holds its view; the publication goes on without it then.
_LOCK_SECONDS_MAX = 3
_COLUMNS = """
SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND c.relkind = 'v' AND a.attnum > 0 ORDER BY a.attnum
"""
_GRANTS = """
SELECT g.grantee::regrole::text, g.privilege_type FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
aclexplode(c.relacl) g WHERE n.nspname = %s AND c.relname = %s AND g.grantee <> c.relowner
"""
_COMMENT = "SELECT obj_description(to_regclass(%s), 'pg_class')"
_READING = """
SELECT DISTINCT v.relname FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class
JOIN pg_namespace n ON n.oid = v.relnamespace
WHERE d.refobjid = to_regclass(%s) AND n.nspname = %s AND v.relname ~ '^v[0-9]+$'
"""


def show(connection: Connection, schema: str, version: Version, where: str) -> bool:
    """Let the view of the version's major number read exactly its parts; do nothing when it does already.

    Returns False when a reader holds the view, and may wait for us meanwhile: the next publication or sweep mends it.
    StorageError when somebody's own view stands on it and its columns must change.
    """
    name = view_of(version.stamp)
    told = f"version {version.id} under contract {version.stamp.get('contract_version')}; replaced by each publication"
    if name is None or connection.execute(_COMMENT, [f"{schema}.{name}"]).fetchone() == (told,):
        return True
    try:
        with connection.transaction():  # a savepoint: whatever fails here leaves the publication as it was
            connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(f"{_LOCK_SECONDS_MAX}s"))
            _replace(connection, schema, name, version)
            comment = sql.SQL("COMMENT ON VIEW {} IS {}").format(sql.Identifier(schema, name), told)
            connection.execute(comment)
            connection.execute("RESET lock_timeout")
    except (errors.LockNotAvailable, errors.DeadlockDetected):
        return False
    except errors.DependentObjectsStillExist:
        what = f"the view {schema}.{name} must change its columns, and other views stand on it"
        fix = "drop those views, or raise the contract's major version, which gives the product a new view"
        raise StorageError(what, where=where, fix=fix) from None
    return True


def views_of(connection: Connection, schema: str, table: str) -> list[str]:
    """Return the product's own views that read a table."""
    return [row[0] for row in connection.execute(_READING, [f"{schema}.{table}", schema]).fetchall()]


def _replace(connection: Connection, schema: str, name: str, version: Version) -> None:
    present = [row[0] for row in connection.execute(_COLUMNS, [schema, name]).fetchall()]
    staying = [column for column in present if column in version.columns]
    columns = [*staying, *(column for column in version.columns if column not in staying)]
    view, rows = sql.Identifier(schema, name), _rows(schema, columns, version)
    try:
        with connection.transaction():
            connection.execute(sql.SQL("CREATE OR REPLACE VIEW {} AS {}").format(view, rows))
    except errors.InvalidTableDefinition:
        grants = connection.execute(_GRANTS, [schema, name]).fetchall()
        connection.execute(sql.SQL("DROP VIEW {}").format(view))
        connection.execute(sql.SQL("CREATE VIEW {} AS {}").format(view, _rows(schema, list(version.columns), version)))
        for role, privilege in grants:
            to = sql.SQL("PUBLIC" if role == "-" else role)  # regrole quotes what it returns
            connection.execute(sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(privilege), view, to))


def _rows(schema: str, columns: list[str], version: Version) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    tables = [sql.Identifier(schema, part.path) for part in version.parts]
    selects = [sql.SQL("SELECT {} FROM {}").format(names, table) for table in tables]
    return sql.SQL(" UNION ALL ").join(selects)
