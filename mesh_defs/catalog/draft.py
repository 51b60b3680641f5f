"""A first contract for what another system keeps: what can be measured as fields, what can be guessed marked `confirm:`.

No value of a row is written down, not even a bound: of a salary the greatest one is somebody's.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from mesh_defs.catalog.inventory import Lying
from mesh_defs.catalog.profile import Measured, Profile, profile
from mesh_defs.catalog.suggest import Suggestion, granularity, suggestions
from mesh_defs.documents.odcs_columns import logical_type
from mesh_defs.errors import NotFoundError
from mesh_defs.model.contract import Column, Server
from mesh_defs.model.mesh import Domain
from mesh_defs.model.names import is_name
from mesh_defs.model.place import Access
from mesh_defs.sql.types import duckdb_type
from mesh_defs.storage.external import External, reader_of
from mesh_defs.storage.external_base import Source
from mesh_defs.storage.external_files import is_s3

TO_CONFIRM = "to_confirm"
# A unique text or number of fewer rows than this tells nothing.
_UNIQUE_ROWS_MIN = 10
_SHAPE_MIN = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The text of a contract. `product` is what it calls the product, `rows` how many were looked at."""

    text: str
    product: str
    rows: int


def draft(
    lying: Lying, domain: Domain | None, *, environment: str, root: Access | None, spill: str, memory_bytes_max: int
) -> Draft:
    """Look at one object and write its first contract. `root` is the domain's own access, which its paths are relative to.

    Reads at most `profile.ROWS_MAX` rows. Raises StorageError when it cannot be read.
    """
    server, access = lying.listed.server, lying.access
    _, found = reader_of(server.kind).found(Source(server=server, access=access, columns=()))
    columns, left_out = _columns(found)
    if not columns:
        raise NotFoundError(
            f"'{lying.listed.name}' has no column that a contract could promise", fix="look at its types"
        )
    source = Source(server=server, access=access, columns=columns)
    measured = profile(External(source), source.promised, spill=spill, memory_bytes_max=memory_bytes_max)
    name = _slug(_own_name(server, access), set())
    marks = suggestions(measured, name)
    lines = [
        *_head(name, domain, measured),
        *_server(server, access, root, environment),
        *_schema(name, server, columns, measured, marks, left_out),
        *_foot(measured, marks),
    ]
    product = f"{domain.name if domain else TO_CONFIRM}.{name}"
    return Draft(text="\n".join(lines) + "\n", product=product, rows=measured.rows)


def _own_name(server: Server, access: Access) -> str:
    if server.table:
        return server.table.partition(".")[2] if server.kind == "duckdb" else server.table
    path = server.place if is_s3(server.place) else str((access.root / server.place).resolve())
    return re.sub(r"\.(parquet|parq|pq)$", "", path.rstrip("/").rpartition("/")[2])


def _columns(found: Mapping[str, str]) -> tuple[tuple[Column, ...], list[str]]:
    """What can be promised of what is there; and how many columns cannot, by their types."""
    columns: list[Column] = []
    left_out: list[str] = []
    taken: set[str] = set()
    for there, type_ in found.items():
        # An ENUM's type lists its values.
        kept = "VARCHAR" if type_.startswith("ENUM(") else duckdb_type(type_)
        told = logical_type(kept) if kept else None
        if kept is None or told is None:
            left_out.append(type_.partition("(")[0])
            continue
        name = _slug(there, taken)
        taken.add(name)
        physical = None if name == there else there
        columns.append(Column(name=name, logical_type=told[0], type=kept, physical_name=physical))
    return tuple(columns), left_out


def _slug(text: str, taken: set[str]) -> str:
    """A name of ours for a name of theirs; numbered when another column has it already."""
    plain = re.sub(r"[^a-z0-9_]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower()).strip("_")
    name = (plain if is_name(plain[:60]) else f"c_{plain}".rstrip("_"))[:60].rstrip("_")
    numbered = (f"{name}_{number}" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(each for each in numbered if each not in taken)


def _head(name: str, domain: Domain | None, measured: Profile) -> Iterator[str]:
    looked = f"all {measured.rows:,}" if measured.is_whole else f"the first {measured.rows:,}"
    yield f"# A draft by `mesh draft`, after a look at {looked} rows. Every line marked `confirm:` is a guess:"
    yield "# its steward decides, mends the line below it, and removes the mark."
    owner = domain.name if domain else TO_CONFIRM
    yield from _dumped({"apiVersion": "v3.1.0", "kind": "DataContract", "id": f"urn:mesh:{owner}:{name}", "name": name})
    yield from _dumped({"version": "0.1.0", "status": "draft"})
    if not domain:
        yield "# confirm: the domain that answers for it"
    yield from _dumped({"domain": owner, "dataProduct": name})
    yield "# confirm: what one row is, and what for"
    yield from _dumped({"description": {"purpose": f"One row is one of {name}, as another system writes it."}})
    if not domain:
        yield "# confirm: the team that answers for it"
    yield from _dumped({"team": {"name": domain.owner if domain else "to-confirm"}})


def _server(server: Server, access: Access, root: Access | None, environment: str) -> Iterator[str]:
    declared: dict[str, Any] = {"server": environment, "environment": environment}
    if server.kind == "postgres":
        yield "# Reached as MESH_<DOMAIN>_POSTGRES says, best with a role that may only read."
        declared |= {"type": "postgres", "schema": server.place}
    elif is_s3(server.place):
        declared |= {"type": "s3", "location": server.place, "format": "delta" if server.kind == "delta" else "parquet"}
    else:
        path = (access.root / server.place).resolve()
        inside = root is not None and path.is_relative_to(root.root.resolve()) and path != root.root.resolve()
        place = str(path.relative_to(root.root.resolve())) if inside and root else path.name
        if not inside:
            yield "# confirm: the place must lie below the domain's storage root (MESH_<DOMAIN>_STORAGE), and is relative to it"
        if server.kind == "duckdb":
            declared |= {"type": "duckdb", "database": place, "schema": (server.table or "main.").partition(".")[0]}
        else:
            declared |= {"type": "local", "path": place, "format": server.kind}
    yield from _dumped({"servers": [declared]})


def _schema(
    name: str,
    server: Server,
    columns: tuple[Column, ...],
    measured: Profile,
    marks: Mapping[str, Suggestion],
    left_out: list[str],
) -> Iterator[str]:
    table = (server.table or "").partition(".")[2] if server.kind == "duckdb" else server.table
    yield "schema:"
    schema = {"name": name, **({"physicalName": table} if table and table != name else {}), "logicalType": "object"}
    yield from _indented(_dumped([schema]), 2)
    for type_ in left_out:
        yield f"    # confirm: a column was left out, since a contract cannot promise its type ({_plain(type_)})"
    yield "    properties:"
    by_name = {each.name: each for each in measured.columns}
    for column in columns:
        yield from _property(column, by_name[column.name], measured, marks[column.name])


def _property(column: Column, seen: Measured, measured: Profile, mark: Suggestion) -> Iterator[str]:
    logical, says_all = logical_type(column.type) or ("string", True)
    declared: dict[str, Any] = {"name": column.name}
    comments: list[str] = []
    if column.physical_name:
        declared["physicalName"] = column.physical_name
    declared["logicalType"] = logical
    if not says_all:
        declared["physicalType"] = column.type
    if column.name in measured.keys:
        declared |= {"primaryKey": True, "primaryKeyPosition": measured.keys.index(column.name) + 1}
        comments.append("a key: no two of the rows that were looked at are alike in it")
    elif seen.filled == measured.rows > 0:
        declared["required"] = True
    if (column.name,) != measured.keys and _tells_apart(seen, measured):
        declared["unique"] = True
        comments.append("unique: no value was seen twice")
    declared["classification"] = mark.classification
    if mark.why:
        comments.append(f"{mark.classification}, since {mark.why}")
    if options := _options(seen, mark):
        declared["logicalTypeOptions"] = options
    if mark.identifies:
        declared["customProperties"] = [{"property": "identifies", "value": mark.identifies}]
        comments.append(f"it identifies the {mark.identifies.replace('_', ' ')}")
    yield from (f"      # confirm: {each}" for each in comments)
    yield from _indented(_dumped([declared]), 6)


def _options(seen: Measured, mark: Suggestion) -> dict[str, Any]:
    """Forms that say nothing of anybody; bounds of nature (no less than 0), never those that were seen."""
    if seen.distinct is not None and seen.distinct > 1:
        if seen.shapes.get("uuid") == _SHAPE_MIN:
            return {"pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
        if seen.shapes.get("email") == _SHAPE_MIN:
            return {"pattern": "^[^@ ]+@[^@ ]+$"}
        if seen.shapes.get("hex") == _SHAPE_MIN and seen.width:
            return {"pattern": f"^[0-9a-f]{{{seen.width}}}$"}
    if mark.classification not in ("public", "internal") or mark.identifies or not seen.never_negative:
        return {}
    is_share = seen.at_most_one and seen.type.startswith(("FLOAT", "DOUBLE", "DECIMAL")) and (seen.distinct or 0) > 2
    return {"minimum": 0, "maximum": 1} if is_share else {"minimum": 0}


def _tells_apart(seen: Measured, measured: Profile) -> bool:
    telling = seen.type in ("VARCHAR", "UUID") or "INT" in seen.type
    return telling and measured.rows >= _UNIQUE_ROWS_MIN and seen.unique(measured.rows)


def _foot(measured: Profile, marks: Mapping[str, Suggestion]) -> Iterator[str]:
    yield "# confirm: how fresh its writer keeps it, e.g. slaProperties: [{property: freshness, value: 24, unit: h}]"
    class_ = granularity(measured, dict(marks))
    yield "customProperties:"
    yield from _indented(_dumped([{"property": "external", "value": True}]), 2)
    yield f"  # confirm: {class_}, by the keys above"
    yield from _indented(_dumped([{"property": "granularity", "value": class_}]), 2)


def _dumped(value: Any) -> list[str]:
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=4096)
    return text.rstrip("\n").split("\n")


def _indented(lines: list[str], by: int) -> Iterator[str]:
    return (" " * by + line if line else line for line in lines)


def _plain(text: str) -> str:
    return re.sub(r"[^A-Z_ ]", "", text.upper())[:40]
