"""Who may do what in the laptop's Postgres: a database and an owner per domain, and readers of exactly what they declare.

The same grants, made by hand, are what a Postgres in production needs.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from secrets import token_urlsafe

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from mesh_defs.errors import StorageError
from mesh_defs.processes.postgres import port_of, start, url_of, write_private
from mesh_defs.processes.programs import HOST
from mesh_defs.settings import Settings, read_secrets

_ROLE_BYTES_MAX = 63
_Connection = psycopg.Connection[TupleRow]


def provision(
    settings: Settings, domain: str, *, schemas: Collection[str], readers: Mapping[str, Collection[str]]
) -> None:
    """Give a domain its database, schemas, roles and secrets file; may be repeated, and then keeps the passwords.

    `schemas` are the places of its products. `readers` are other domains and, of these schemas, those of the products
    that each declares as inputs: who is not named any more loses its role. Starts the server. The secrets file gets
    MESH_<DOMAIN>_POSTGRES (the owner), …_POSTGRES_READ (people, through the door; and a Trino, so by the port if there is
    one) and …_POSTGRES_READ_FOR_<READER>.
    """
    foreign = sorted({name for wanted in readers.values() for name in wanted} - set(schemas))
    if foreign:
        raise StorageError(f"{domain} has no schema '{foreign[0]}' to read", fix="name one of its products' places")
    superuser = start(settings)
    told, by_port = conninfo_to_dict(superuser), port_of(settings) is not None
    port = int(str(told["port"]))
    file, prefix = settings.secrets / f"{domain}.env", f"MESH_{domain.upper()}_POSTGRES"
    known = read_secrets(file) if file.exists() else {}
    _require_ours(known.get(prefix), prefix)
    roles = {
        prefix: role_of(domain),
        f"{prefix}_READ": role_of(domain, "read"),
        **{f"{prefix}_READ_FOR_{name.upper()}": role_of(domain, "for", name) for name in readers},
    }
    reads = {role_of(domain, "read"): schemas} | {role_of(domain, "for", name): readers[name] for name in readers}
    hosts = {f"{prefix}_READ": HOST} if by_port else {}
    urls = {
        name: url_of(
            role, _password(known.get(name)), role_of(domain), host=hosts.get(name, str(told["host"])), port=port
        )
        for name, role in roles.items()
    }
    write_private(file, _with(known, urls, prefix))  # first: a password that is nowhere written would be lost
    with psycopg.connect(superuser, autocommit=True) as server:
        for name, role in roles.items():
            _make_role(server, role, _password(urls[name]))
        _make_database(server, role_of(domain))
    with psycopg.connect(make_conninfo(superuser, dbname=role_of(domain))) as database:
        _grant(database, role_of(domain), schemas, reads)
        _dismiss(database, roles.values())


def role_of(*words: str) -> str:
    """Return the role `mesh.<word>.<word>…`; a name too long for Postgres ends in its digest instead.

    No domain's name has a dot: the readers of `x` are never taken for the owner of a domain called `x_read`.
    """
    name = ".".join(("mesh", *words))
    if len(name) <= _ROLE_BYTES_MAX:
        return name
    return f"{name[: _ROLE_BYTES_MAX - 17]}_{hashlib.blake2b(name.encode(), digest_size=8).hexdigest()}"


def _make_role(server: _Connection, role: str, password: str) -> None:
    if not server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
        server.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
    rights = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS"
    server.execute(sql.SQL("ALTER ROLE {} {} PASSWORD {}").format(sql.Identifier(role), sql.SQL(rights), password))


def _make_database(server: _Connection, name: str) -> None:
    """A domain's database is called as its owner."""
    if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        create = "CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0"
        server.execute(sql.SQL(create).format(sql.Identifier(name), sql.Identifier(name)))
    for database in (name, "postgres", "template1"):
        server.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))


def _grant(database: _Connection, owner: str, schemas: Collection[str], reads: Mapping[str, Collection[str]]) -> None:
    """Give every reader exactly its schemas, in one transaction: what it had before and lost is taken away."""
    for schema in schemas:
        create = sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}")
        database.execute(create.format(sql.Identifier(schema), sql.Identifier(owner)))
    for role, wanted in reads.items():
        for statement in _grants(database.info.dbname, owner, role, wanted):
            database.execute(statement)


def _grants(database: str, owner: str, role: str, schemas: Collection[str]) -> Iterator[sql.Composed]:
    names = {"owner": sql.Identifier(owner), "role": sql.Identifier(role), "database": sql.Identifier(database)}
    # Of a role that owns nothing, this drops what it was granted here.
    yield sql.SQL("DROP OWNED BY {role}").format(**names)
    yield sql.SQL("GRANT CONNECT ON DATABASE {database} TO {role}").format(**names)
    yield sql.SQL("ALTER ROLE {role} SET default_transaction_read_only = on").format(**names)
    for schema in schemas:
        names["schema"] = sql.Identifier(schema)
        yield sql.SQL("GRANT USAGE ON SCHEMA {schema} TO {role}").format(**names)
        yield sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}").format(**names)
        future = "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} GRANT SELECT ON TABLES TO {role}"
        yield sql.SQL(future).format(**names)


def _dismiss(database: _Connection, staying: Collection[str]) -> None:
    """Drop the readers of this database that are not among those who stay."""
    query = "SELECT DISTINCT r.rolname FROM pg_database d, aclexplode(d.datacl) a, pg_roles r"
    mine = "WHERE d.datname = current_database() AND r.oid = a.grantee AND r.oid <> d.datdba"
    for (role,) in database.execute(f"{query} {mine}").fetchall():
        if role not in staying and role.startswith("mesh."):
            name = sql.Identifier(role)
            database.execute(sql.SQL("DROP OWNED BY {}").format(name))
            database.execute(sql.SQL("DROP ROLE {}").format(name))


def _require_ours(url: str | None, variable: str) -> None:
    """Raise StorageError when the domain's owner already is on a server that is not of this kind."""
    told = conninfo_to_dict(url) if url else {}
    if not str(told.get("host", "/")).startswith("/"):
        what = f"{variable} names a server of its own already"
        raise StorageError(what, fix="grant there by hand, or take the variable out of the secrets file")


def _password(url: str | None) -> str:
    """The password in a URL of an earlier time, or a new one."""
    found = conninfo_to_dict(url).get("password") if url else None
    return str(found) if found else token_urlsafe(24)


def _with(known: Mapping[str, str], urls: Mapping[str, str], prefix: str) -> str:
    """The secrets file's text: what else stands there stays; readers that went are gone."""
    kept = {name: value for name, value in known.items() if not name.startswith(f"{prefix}_READ_FOR_")}
    return "".join(f"{name}={value}\n" for name, value in {**kept, **urls}.items())
