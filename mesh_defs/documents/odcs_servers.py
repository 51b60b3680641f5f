"""Where a contract says its product lies. ODCS server types name their places in fields of their own; here one."""

import re
from collections.abc import Sequence

from open_data_contract_standard.model import Server as DeclaredServer

from mesh_defs.documents.complaints import Complaints
from mesh_defs.errors import nearest
from mesh_defs.model.contract import Server, StorageKind

# ODCS server type -> (storage, the field that names the place)
_KINDS: dict[str, tuple[StorageKind, str]] = {
    "local": ("parquet", "path"),
    "duckdb": ("duckdb", "database"),
    "postgres": ("postgres", "schema_"),
    "s3": ("s3", "location"),
}
# A table's files lie in a folder or in a bucket; what holds the table is the format.
_FORMATS: dict[StorageKind, tuple[str, ...]] = {"parquet": ("parquet", "iceberg"), "s3": ("parquet", "iceberg")}
_FOLDER = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
# The last folder is the table's name, also to Trino.
_TABLE = re.compile(r"[a-z][a-z0-9_]{0,62}")
# What `place` looks like for each storage, and how to write it.
_PLACES: dict[StorageKind, tuple[re.Pattern[str], str]] = {
    "parquet": (
        _FOLDER,
        "write a folder relative to the domain's storage root, without ..: letters, digits, _, - and /",
    ),
    "duckdb": (
        _FOLDER,
        "write a folder relative to the domain's storage root, without ..: letters, digits, _, - and /",
    ),
    "postgres": (re.compile(r"[a-z][a-z0-9_]{0,62}"), "write a schema of its own: lower case letters, digits and _"),
    "s3": (
        re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/(?!\.\.?(/|$))[A-Za-z0-9_=.-]+)+"),
        "write s3://bucket/prefix",
    ),
}
# How a server is reached differs between processes and holds secrets: the environment says it (see settings.py).
_REACHED = ("host", "port", "endpointUrl")


def servers(declared: Sequence[DeclaredServer], wrong: Complaints) -> tuple[Server, ...]:
    """Read the servers, one per environment."""
    if not declared:
        wrong.add(("servers",), "missing", "say where the product lives, e.g. `{server: local, type: duckdb, …}`")
    found: dict[str, Server] = {}
    for index, each in enumerate(declared):
        environment = each.environment or each.server or "local"
        if environment in found:
            wrong.add(("servers", index), f"a second server for '{environment}'", "keep one per environment")
        elif server := _server(each, environment, index, wrong):
            found[environment] = server
    return tuple(found.values())


def _server(declared: DeclaredServer, environment: str, index: int, wrong: Complaints) -> Server | None:
    at = ("servers", index)
    if declared.type not in _KINDS:
        found = f"no storage for type {declared.type!r}" if declared.type else "missing"
        wrong.add((*at, "type"), found, nearest(declared.type or "", _KINDS))
        return None
    kind, field = _KINDS[declared.type]
    formats = _FORMATS.get(kind)
    if formats and declared.format not in formats:
        found = f"found {declared.format!r}" if declared.format else "missing"
        wrong.add((*at, "format"), found, "write `format: parquet`, or `format: iceberg`")
    for name in _REACHED:
        if getattr(declared, name) is not None:
            wrong.add((*at, name), "does not belong here", "set MESH_<DOMAIN>_POSTGRES or MESH_<DOMAIN>_S3 instead")
    place, (form, fix) = getattr(declared, field), _PLACES[kind]
    if not place or not form.fullmatch(place):
        wrong.add((*at, field.rstrip("_")), f"found {place!r}" if place else "missing", fix)
        return None
    if formats and declared.format == "iceberg":
        if not _TABLE.fullmatch(place.rpartition("/")[2]):
            fix = "let its last folder be lower case letters, digits and _: it is the table's name"
            wrong.add((*at, field), f"found {place!r}", fix)
            return None
        kind = "iceberg"
    return Server(environment=environment, kind=kind, place=place)
