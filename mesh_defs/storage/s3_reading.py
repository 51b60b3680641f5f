"""How a DuckDB comes to read objects of S3: a secret for exactly these, which the instance forgets when it closes."""

import hashlib
from collections.abc import Sequence
from urllib.parse import urlsplit

from duckdb import DuckDBPyConnection

from mesh_defs.errors import StorageError
from mesh_defs.model.names import quoted
from mesh_defs.model.place import Access
from mesh_defs.model.version import Pin
from mesh_defs.storage.extensions import load_extension
from mesh_defs.storage.failures import told
from mesh_defs.storage.parallel import in_parallel
from mesh_defs.storage.parquet import scan
from mesh_defs.storage.s3_client import ANSWER_SECONDS_MAX, ATTEMPTS_MAX, credentials, is_aws
from mesh_defs.storage.s3_objects import Objects


def attach_pin(connection: DuckDBPyConnection, pin: Pin, access: Access) -> str:
    """Return text that may stand after FROM and reads the pinned version; StorageError names a part that is gone."""
    place = pin.locations[0].rpartition("/parts/")[0]
    objects = Objects(place, access.s3, access.variable)
    sizes = in_parallel(objects.size, [location.removeprefix(f"{place}/") for location in pin.locations])
    for location, size in zip(pin.locations, sizes, strict=True):
        if size is None:
            fix = "ask again to read the newest version; if that fails too, re-materialize the product"
            raise StorageError(f"version {pin.version} is gone", where=location, fix=fix)
    with told(f"version {pin.version} of {pin.product} cannot be opened", place):
        permit(connection, pin.locations, access)
        return scan(pin.locations, by_name=pin.kind == "iceberg")


def permit(connection: DuckDBPyConnection, scope: Sequence[str], access: Access) -> None:
    """Give the connection's instance a secret for the S3 URLs that begin so; it may be locked afterwards."""
    load_extension(connection, "httpfs")
    connection.execute(f"SET GLOBAL http_timeout = {ANSWER_SECONDS_MAX:.0f}")
    connection.execute(f"SET GLOBAL http_retries = {ATTEMPTS_MAX - 1}")
    key, secret, token = credentials(access.s3, variable=access.variable)
    endpoint = urlsplit(access.s3.endpoint or "")
    # A name with dots in it does not match the certificate of `*.s3.amazonaws.com`.
    in_host = is_aws(access.s3) and not any("." in each.split("/")[2] for each in scope)
    options = {
        "KEY_ID": key,
        "SECRET": secret,
        "SESSION_TOKEN": token,
        "REGION": access.s3.region,
        "ENDPOINT": endpoint.netloc or None,
        "URL_STYLE": "vhost" if in_host else "path",
        "USE_SSL": endpoint.scheme != "http",
        "SCOPE": list(scope),
    }
    given = {name: value for name, value in options.items() if value is not None}
    # As parameters, so that no text of SQL, which errors and logs may quote, ever holds a key.
    values = ", ".join(f"{name} ${name}" for name in given)
    connection.execute(f"CREATE OR REPLACE TEMPORARY SECRET {_name(connection, scope)} (TYPE s3, {values})", given)


def release(connection: DuckDBPyConnection, scope: Sequence[str]) -> None:
    """Take back the secret for these URLs that this connection was given."""
    load_extension(connection, "httpfs")
    connection.execute(f"DROP TEMPORARY SECRET IF EXISTS {_name(connection, scope)}")


def _name(connection: DuckDBPyConnection, scope: Sequence[str]) -> str:
    """Cursors of one instance share its secrets: one must not drop what another is reading with."""
    digest = hashlib.blake2b("\0".join(scope).encode(), digest_size=8).hexdigest()
    return quoted(f"s3_{digest}_{id(connection):x}")
