"""Where a contract says its product lies. Each ODCS server type names its place in another field; here they become one."""

import re
from collections.abc import Sequence

from open_data_contract_standard.model import Server as DeclaredServer

from mesh_defs.documents.complaints import Complaints
from mesh_defs.errors import nearest
from mesh_defs.model.contract import Server, StorageKind

# ODCS server type -> (storage, the field that names the place)
_KINDS: dict[str, tuple[StorageKind, str]] = {"local": ("parquet", "path"), "duckdb": ("duckdb", "database")}
_PLACE = re.compile(r"[\w-]+(/[\w-]+)*")


def servers(declared: Sequence[DeclaredServer], wrong: Complaints) -> tuple[Server, ...]:
    """Read the servers, one per environment."""
    if not declared:
        wrong.add(("servers",), "missing", "say where the product lives, e.g. `{server: local, type: duckdb, …}`")
    found = [server for index, each in enumerate(declared) if (server := _server(each, index, wrong))]
    for index, server in enumerate(found):
        if server.environment in {earlier.environment for earlier in found[:index]}:
            wrong.add(("servers", index), f"a second server for '{server.environment}'", "keep one per environment")
    return tuple(found)


def _server(declared: DeclaredServer, index: int, wrong: Complaints) -> Server | None:
    at = ("servers", index)
    if declared.type not in _KINDS:
        wrong.add((*at, "type"), f"no storage for type {declared.type!r}", nearest(str(declared.type), _KINDS))
        return None
    kind, field = _KINDS[declared.type]
    if kind == "parquet" and declared.format != "parquet":
        wrong.add((*at, "format"), f"found {declared.format!r}", "write `format: parquet`")
    place = getattr(declared, field)
    if not isinstance(place, str) or not _PLACE.fullmatch(place):
        fix = "write a folder relative to the domain's storage root, without ..: letters, digits, _, - and /"
        wrong.add((*at, field), f"found {place!r}", fix)
        return None
    return Server(environment=declared.environment or declared.server or "local", kind=kind, place=place)
