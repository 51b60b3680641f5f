"""The columns that a contract promises, and the key that tells its rows apart."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import get_args

from open_data_contract_standard.model import SchemaObject, SchemaProperty

from mesh_defs.documents.complaints import Complaints
from mesh_defs.documents.odcs_extensions import OF_COLUMN, extensions
from mesh_defs.documents.reading import Field
from mesh_defs.errors import nearest
from mesh_defs.model.contract import Classification, Column, Identifies
from mesh_defs.model.names import is_name
from mesh_defs.model.version import TOKENISED_NAME_MAX
from mesh_defs.sql.types import duckdb_type

_PROPERTIES: Field = ("schema", 0, "properties")
# logical type -> (the DuckDB type that it is, when nothing else is said; those that it may be)
_WHOLE = r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|BIGNUM|DECIMAL\(\d+,0\)"
_TYPES: dict[str, tuple[str | None, str]] = {
    "string": ("VARCHAR", r"VARCHAR|UUID|JSON|BLOB|BIT|GEOMETRY|INTERVAL|ENUM\(.*\)"),
    "integer": ("BIGINT", _WHOLE),
    "number": ("DOUBLE", rf"{_WHOLE}|FLOAT|DOUBLE|DECIMAL\(.*\)"),
    "boolean": ("BOOLEAN", "BOOLEAN"),
    "date": ("DATE", "DATE"),
    "timestamp": ("TIMESTAMP", r"TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)?"),
    "time": ("TIME", r"TIME(_NS| WITH TIME ZONE)?"),
    "array": (None, r".*\[\d*\]"),
    "object": (None, r"(STRUCT|MAP|UNION)\(.*\)|JSON|VARIANT"),
}
# Types of which equal values have one text.
_TOKENISED = re.compile(r"VARCHAR|UUID|U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?")
# What a property may say that is not done yet -> what to do instead. Ignoring it would break a promise in silence.
_NOT_YET = {
    "properties": "write the nested type in physicalType, e.g. STRUCT(street VARCHAR, city VARCHAR)",
    "items": "write the nested type in physicalType, e.g. VARCHAR[]",
    "map": "write the nested type in physicalType, e.g. MAP(VARCHAR, BIGINT)",
    "enum": "write a quality rule of type expect_column_values_to_be_in_set",
    "relationships": "leave it out: keys are found by `identifies`",
    "encryptedName": "leave it out, or promise a second column",
}


def columns(
    schema: SchemaObject, wrong: Complaints, *, kinds: Collection[str] = (), external: bool = False
) -> tuple[Column, ...]:
    """Read the columns, in the contract's order. `external`: another system named them. `kinds`: those of tokens."""
    properties = schema.properties or []
    if not properties:
        wrong.add(_PROPERTIES, "no columns", "list the columns that the product promises")
    found = tuple(_column(each, (*_PROPERTIES, index), wrong, external) for index, each in enumerate(properties))
    seen: set[str] = set()
    for index, column in enumerate(found):
        if column.name and column.name in seen:
            wrong.add((*_PROPERTIES, index, "name"), f"a second column '{column.name}'", "give each its own name")
        seen.add(column.name)
        if column.token is not None:
            _require_token(column, (*_PROPERTIES, index, "customProperties", "token"), wrong, kinds, external)
    _require_positions(properties, wrong)
    return found


def primary_key(schema: SchemaObject) -> tuple[str, ...]:
    """The primary key's columns by primaryKeyPosition; in the contract's order where no positions are given."""
    keyed = [each for each in schema.properties or [] if each.primaryKey]
    return tuple(each.name or "" for each in sorted(keyed, key=lambda each: each.primaryKeyPosition or 0))


def unsure_columns(schema: SchemaObject, wrong: Complaints) -> frozenset[str]:
    """Columns whose type is known to be wrong, so that no rule about them can be judged."""
    return frozenset(
        each.name or ""
        for index, each in enumerate(schema.properties or [])
        if wrong.concern((*_PROPERTIES, index, "logicalType"), (*_PROPERTIES, index, "physicalType"))
    )


def logical_type(type_: str) -> tuple[str, bool] | None:
    """Return ODCS's logical type of a DuckDB type, and whether it says all of it; None when none fits."""
    for logical, (usual, allowed) in _TYPES.items():
        if re.fullmatch(allowed, type_):
            return logical, type_ == usual
    return None


def _column(declared: SchemaProperty, at: Field, wrong: Complaints, external: bool) -> Column:
    name = declared.name or ""
    if not is_name(name):
        found = f"found {declared.name!r}" if name else "missing"
        wrong.add((*at, "name"), found, "write lower case letters, digits and _, a letter first, 63 at most")
    if declared.physicalName not in (None, name) and not external:
        fix = "leave it out: a column is stored under its name"
        wrong.add((*at, "physicalName"), f"found {declared.physicalName!r}", fix)
    for field, fix in _NOT_YET.items():
        if getattr(declared, field):
            wrong.add((*at, field), "not supported yet", fix)
    custom = extensions(declared.customProperties, OF_COLUMN, (*at, "customProperties"), wrong)
    return Column(
        name=name,
        logical_type=declared.logicalType or "",
        type=_type(declared, at, wrong),
        description=(declared.description or "").strip(),
        required=bool(declared.required or declared.primaryKey),
        unique=bool(declared.unique),
        primary_key=bool(declared.primaryKey),
        classification=_classification(declared.classification, (*at, "classification"), wrong),
        identifies=_identifies(custom.get("identifies"), (*at, "customProperties", "identifies"), wrong),
        sources=_sources(declared.transformSourceObjects or [], (*at, "transformSourceObjects"), wrong),
        physical_name=declared.physicalName if declared.physicalName != name else None,
        samples=_samples(custom.get("samples"), (*at, "customProperties", "samples"), wrong),
        token=str(custom["token"]) if "token" in custom else None,
    )


def _type(declared: SchemaProperty, at: Field, wrong: Complaints) -> str:
    """The column's DuckDB type; any, when what is declared is none."""
    logical = declared.logicalType or ""
    if logical not in _TYPES:
        what = f"unknown column type {logical!r}" if logical else "missing"
        wrong.add((*at, "logicalType"), what, nearest(logical, _TYPES))
        return "VARCHAR"
    usual, allowed = _TYPES[logical]
    if declared.physicalType is None:
        if usual is None:
            wrong.add((*at, "physicalType"), f"missing for logicalType {logical}", "add e.g. `physicalType: VARCHAR[]`")
        return usual or "VARCHAR"
    physical = duckdb_type(declared.physicalType)
    if physical is None:
        what = f"unknown column type {declared.physicalType!r}"
        wrong.add((*at, "physicalType"), what, "write a DuckDB type such as VARCHAR, BIGINT, DECIMAL(12,2), TIMESTAMP")
        return "VARCHAR"
    if not re.fullmatch(allowed, physical, re.DOTALL):
        what = f"{declared.physicalType!r} is no {logical}"
        wrong.add((*at, "physicalType"), what, "mend one of logicalType and physicalType")
    return physical


def _classification(value: str | None, at: Field, wrong: Complaints) -> Classification:
    known: tuple[Classification, ...] = get_args(Classification)
    if value is None:
        return "internal"
    if value not in known:
        wrong.add(at, f"found {value!r}", nearest(value, known))
    return next((each for each in known if each == value), "restricted")


def _identifies(value: object, at: Field, wrong: Complaints) -> Identifies | None:
    known: tuple[Identifies, ...] = get_args(Identifies)
    if value is not None and value not in known:
        wrong.add(at, f"found {value!r}", nearest(str(value), known))
    return next((each for each in known if each == value), None)


def _samples(value: object, at: Field, wrong: Complaints) -> bool:
    if value is not None and not isinstance(value, bool):
        wrong.add(at, f"found {value!r}", "write true: values of rows that broke a promise may be shown to its domain")
    return value is True


def _require_token(column: Column, at: Field, wrong: Complaints, kinds: Collection[str], external: bool) -> None:
    if external:
        fix = "leave it out, or make a product of your own of it: tokens are made when the mesh publishes"
        wrong.add(at, "given for an external product", fix)
    elif column.token not in kinds:
        fix = f"declare the kind in mesh.yaml's `identifiers`, or write another: {nearest(column.token or '', kinds)}"
        wrong.add(at, f"unknown kind {column.token!r}", fix)
    elif not _TOKENISED.fullmatch(column.type):
        wrong.add(at, f"given for {column.type}", "leave it out: tokens are made of VARCHAR, UUID and whole numbers")
    elif len(column.name) > TOKENISED_NAME_MAX:
        fix = f"give the column a name of at most {TOKENISED_NAME_MAX} characters"
        wrong.add(at, f"given for a name of {len(column.name)} characters", fix)


def _sources(declared: Sequence[str], at: Field, wrong: Complaints) -> tuple[str, ...]:
    for index, source in enumerate(declared):
        if source.count(".") != 2 or not all(map(is_name, source.split("."))):
            wrong.add((*at, index), f"found {source!r}", "write domain.product.column")
    return tuple(declared)


def _require_positions(properties: Sequence[SchemaProperty], wrong: Complaints) -> None:
    for index, each in enumerate(properties):
        if each.primaryKeyPosition is not None and not each.primaryKey:
            wrong.add((*_PROPERTIES, index, "primaryKeyPosition"), "given without primaryKey", "add `primaryKey: true`")
    keyed = {index: each.primaryKeyPosition for index, each in enumerate(properties) if each.primaryKey}
    if all(position is None for position in keyed.values()):
        return
    taken = Counter(keyed.values())
    for index, position in keyed.items():
        if position is None or not 1 <= position <= len(keyed) or taken[position] > 1:
            found = "missing" if position is None else f"found {position}"
            at = (*_PROPERTIES, index, "primaryKeyPosition")
            wrong.add(at, found, f"number the key's columns 1 to {len(keyed)}")
