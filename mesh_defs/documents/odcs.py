"""ODCS v3.1 contracts ⇄ `Contract` (https://bitol-io.github.io/open-data-contract-standard/).

What ODCS has no field for stands in customProperties: `granularity`, `grain`, `purpose`, `republishes` of the contract and
`identifies` of a property. Whatever a contract asks for and the platform does not do yet is refused, never ignored.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from open_data_contract_standard.model import (
    CustomProperty,
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
    Team,
)

from mesh_defs.documents import granularity, odcs_quality, odcs_servers
from mesh_defs.documents.complaints import Complaints
from mesh_defs.documents.reading import build, read_document
from mesh_defs.errors import nearest
from mesh_defs.model.contract import (
    Classification,
    Column,
    Contract,
    Granularity,
    Identifies,
    ServiceLevel,
    Status,
)
from mesh_defs.model.mesh import Standards
from mesh_defs.model.names import is_name
from mesh_defs.sql.types import duckdb_type

_TYPES = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "time": "TIME",
}
_NEED_PHYSICAL_TYPE = ("array", "object")
_CONTRACT_PROPERTIES = ("granularity", "grain", "purpose", "republishes")
_HOURS = {"h": 1.0, "hr": 1.0, "hours": 1.0, "d": 24.0, "day": 24.0, "days": 24.0, "m": 1 / 60, "min": 1 / 60}
_SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


def read_contract(path: Path, standards: Standards, *, root: Path) -> Contract:
    """Read one contract. Raises DeclarationError with every finding, each with file, line, field and mend."""
    document = read_document(path, root=root)
    declared = build(OpenDataContractStandard, document)
    wrong = Complaints(document)
    product = _product(declared, wrong)
    schema = _schema(declared, product, wrong)
    columns = _columns(schema, wrong)
    custom = _custom(declared.customProperties, _CONTRACT_PROPERTIES, ("customProperties",), wrong)
    contract = Contract(
        product=product,
        id=_text(declared.id, ("id",), wrong),
        version=_version(declared, wrong),
        status=_one_of(declared.status, Status, ("status",), wrong, default="draft"),
        description=_description(declared, wrong),
        owner=_owner(declared, wrong),
        granularity=_one_of(custom.get("granularity"), Granularity, ("customProperties", "granularity"), wrong),
        grain=_grain(custom.get("grain"), columns, wrong),
        columns=columns,
        servers=odcs_servers.servers(declared.servers or [], wrong),
        expectations=odcs_quality.expectations(schema, columns, wrong),
        service_level=_service_level(declared, wrong),
        purpose=_purpose(custom.get("purpose"), standards, wrong),
        republishes=custom.get("republishes"),
        tags=_tags(declared.tags or []),
        file=document.file,
    )
    if not wrong.findings:
        granularity.require_key(contract, wrong)
    wrong.raise_if_any()
    return contract


def _product(declared: OpenDataContractStandard, wrong: Complaints) -> str:
    if declared.kind != "DataContract":
        wrong.add(("kind",), f"found {declared.kind!r}", "write `kind: DataContract`")
    if not re.fullmatch(r"v3\.[12]\.\d+", declared.apiVersion or ""):
        wrong.add(("apiVersion",), f"found {declared.apiVersion!r}", "write `apiVersion: v3.1.0`")
    for field in ("domain", "dataProduct"):
        name = getattr(declared, field)
        if not name or not is_name(name):
            wrong.add((field,), f"found {name!r}", "write a name: lower case letters, digits and _, a letter first")
    return f"{declared.domain}.{declared.dataProduct}"


def _schema(declared: OpenDataContractStandard, product: str, wrong: Complaints) -> SchemaObject:
    objects = declared.schema_ or []
    if len(objects) != 1:
        wrong.add(("schema",), f"found {len(objects)} objects", "describe exactly one: a product is one table")
        return SchemaObject(properties=[])
    if objects[0].name != product.partition(".")[2]:
        wrong.add(("schema", 0, "name"), f"found {objects[0].name!r}", f"write `name: {product.partition('.')[2]}`")
    return objects[0]


def _columns(schema: SchemaObject, wrong: Complaints) -> tuple[Column, ...]:
    properties = schema.properties or []
    if not properties:
        wrong.add(("schema", 0, "properties"), "no columns", "list the columns that the product promises")
    keyed = [(p.primaryKeyPosition or 0, i) for i, p in enumerate(properties) if p.primaryKey]
    if len({position for position, _ in keyed}) < len(keyed) and any(position for position, _ in keyed):
        wrong.add(("schema", 0, "properties"), "two columns have one primaryKeyPosition", "number them 1, 2, …")
    columns = tuple(_column(each, index, wrong) for index, each in enumerate(properties))
    for index, column in enumerate(columns):
        if column.name in {earlier.name for earlier in columns[:index]}:
            at = ("schema", 0, "properties", index, "name")
            wrong.add(at, f"a second column '{column.name}'", "give each column its own name")
    return columns


def _column(declared: SchemaProperty, index: int, wrong: Complaints) -> Column:
    at = ("schema", 0, "properties", index)
    name = declared.name or ""
    if not is_name(name):
        wrong.add((*at, "name"), f"found {declared.name!r}", "write lower case letters, digits and _, a letter first")
    custom = _custom(declared.customProperties, ("identifies",), (*at, "customProperties"), wrong)
    identifies = custom.get("identifies")
    return Column(
        name=name,
        logical_type=declared.logicalType or "",
        type=_type(declared, at, wrong),
        description=(declared.description or "").strip(),
        required=bool(declared.required or declared.primaryKey),
        unique=bool(declared.unique),
        primary_key=bool(declared.primaryKey),
        classification=_one_of(
            declared.classification, Classification, (*at, "classification"), wrong, default="internal"
        ),
        identifies=None
        if identifies is None
        else _one_of(identifies, Identifies, (*at, "customProperties", "identifies"), wrong),
        sources=tuple(declared.transformSourceObjects or ()),
    )


def _type(declared: SchemaProperty, at: tuple[str | int, ...], wrong: Complaints) -> str:
    logical = declared.logicalType
    if logical not in (*_TYPES, *_NEED_PHYSICAL_TYPE):
        known = (*_TYPES, *_NEED_PHYSICAL_TYPE)
        wrong.add((*at, "logicalType"), f"unknown column type {logical!r}", nearest(str(logical), known))
        return "VARCHAR"
    if declared.physicalType is None:
        if logical in _NEED_PHYSICAL_TYPE:
            wrong.add((*at, "physicalType"), f"missing for logicalType {logical}", "add e.g. `physicalType: VARCHAR[]`")
        return _TYPES.get(logical or "", "VARCHAR")
    physical = duckdb_type(declared.physicalType)
    if physical is None:
        what = f"unknown column type {declared.physicalType!r}"
        wrong.add((*at, "physicalType"), what, "write a DuckDB type such as VARCHAR, BIGINT, DECIMAL(12,2), TIMESTAMP")
        return "VARCHAR"
    return physical


def _version(declared: OpenDataContractStandard, wrong: Complaints) -> str:
    version = declared.version or ""
    if not _SEMVER.fullmatch(version):
        wrong.add(("version",), f"found {declared.version!r}", "write a semantic version, major.minor.patch, e.g. 1.0.0")
    return version


def _description(declared: OpenDataContractStandard, wrong: Complaints) -> str:
    text = (declared.description.purpose or "").strip() if declared.description else ""
    if not text:
        wrong.add(("description", "purpose"), "missing", "say in one or two sentences what one row is, and what for")
    return text


def _owner(declared: OpenDataContractStandard, wrong: Complaints) -> str:
    team = declared.team
    name = team.name if isinstance(team, Team) else None
    if not name or not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
        found = "missing owner" if not name else f"found owner {name!r}"
        wrong.add(("team", "name"), found, "name the team that answers for the product: `team: {name: ad-events}`")
    return name or ""


def _grain(declared: Any, columns: Sequence[Column], wrong: Complaints) -> tuple[str, ...]:
    at = ("customProperties", "grain")
    grain = [declared] if isinstance(declared, str) else declared
    if grain is None:
        return ()
    if not isinstance(grain, list) or not grain or not all(isinstance(name, str) for name in grain):
        wrong.add(at, f"found {declared!r}", "list the columns that tell one row from another: `value: [day, region]`")
        return ()
    known = [column.name for column in columns]
    for name in grain:
        if name not in known:
            wrong.add(at, f"no column '{name}'", nearest(name, known))
    return tuple(grain)


def _purpose(declared: Any, standards: Standards, wrong: Complaints) -> str | None:
    if declared is not None and declared not in standards.purposes:
        fix = nearest(str(declared), standards.purposes)
        wrong.add(("customProperties", "purpose"), f"unknown purpose {declared!r}", fix)
    return declared


def _service_level(declared: OpenDataContractStandard, wrong: Complaints) -> ServiceLevel:
    freshness, schedule = None, None
    for index, promise in enumerate(declared.slaProperties or []):
        at = ("slaProperties", index)
        if promise.property in ("freshness", "latency"):
            freshness = _hours(promise.value, promise.unit, at, wrong)
        if promise.schedule is not None:
            if promise.scheduler != "cron" or len(promise.schedule.split()) != 5:
                wrong.add((*at, "schedule"), f"found {promise.schedule!r}", 'write `scheduler: cron, schedule: "0 5 * * *"`')
            schedule = promise.schedule
    return ServiceLevel(freshness_hours_max=freshness, schedule=schedule)


def _hours(value: Any, unit: str | None, at: tuple[str | int, ...], wrong: Complaints) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        wrong.add((*at, "value"), f"found {value!r}", "write a positive number")
        return None
    if unit not in _HOURS:
        wrong.add((*at, "unit"), f"found {unit!r}", "write h, d or m (minutes)")
        return None
    return float(value) * _HOURS[unit]


def _custom(
    declared: Sequence[CustomProperty] | None, ours: Sequence[str], at: tuple[str | int, ...], wrong: Complaints
) -> dict[str, Any]:
    """Our own properties by name. Other tools' properties pass; one that is nearly ours is a slip and is refused."""
    found: dict[str, Any] = {}
    for index, each in enumerate(declared or []):
        name = each.property or ""
        slip = difflib.get_close_matches(name, ours, n=1, cutoff=0.8)
        if name not in ours and slip:
            wrong.add((*at, index, "property"), f"unknown property '{name}'", f"did you mean '{slip[0]}'?")
        if name in found:
            wrong.add((*at, index, "property"), f"'{name}' stands twice", "keep one of the two")
        found[name] = each.value
    return {name: found[name] for name in ours if name in found}


def _one_of(value: Any, kind: Any, at: tuple[str | int, ...], wrong: Complaints, default: Any = None) -> Any:
    known = get_args(kind)
    if value is None and default is not None:
        return default
    if value not in known:
        what = "missing" if value is None else f"found {value!r}"
        wrong.add(at, what, nearest(str(value), known) if value is not None else f"write one of: {', '.join(known)}")
        return known[0]
    return value


def _text(value: str | None, at: tuple[str | int, ...], wrong: Complaints) -> str:
    if not value:
        wrong.add(at, "missing", f"add `{at[-1]}: …`")
    return value or ""


def _tags(tags: Sequence[str]) -> Mapping[str, str]:
    return {tag.partition(":")[0]: tag.partition(":")[2] for tag in tags}
