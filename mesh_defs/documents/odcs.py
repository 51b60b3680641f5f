"""ODCS v3.1 contracts → `Contract` (https://bitol-io.github.io/open-data-contract-standard/).

What ODCS has no field for stands in customProperties: `granularity`, `grain`, `purpose`, `republishes`, `partitions`,
`quarantineFractionMax`, `asks` of the contract and `identifies` of a property. What a contract asks for and the platform does
not do yet is refused, never ignored.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from open_data_contract_standard.model import OpenDataContractStandard, SchemaObject, Team

from mesh_defs.documents import (
    granularity,
    odcs_columns,
    odcs_levels,
    odcs_partitions,
    odcs_quality,
    odcs_quarantine,
    odcs_servers,
)
from mesh_defs.documents.complaints import Complaints
from mesh_defs.documents.odcs_extensions import OF_CONTRACT, extensions
from mesh_defs.documents.odcs_external import external_servers
from mesh_defs.documents.reading import Field, read_document
from mesh_defs.documents.structure import build_sound_part
from mesh_defs.errors import nearest
from mesh_defs.model.contract import Asks, Column, Contract, Granularity, Status
from mesh_defs.model.mesh import Standards
from mesh_defs.model.names import is_name

_CUSTOM: Field = ("customProperties",)
_API_VERSION = re.compile(r"v3\.[12]\.[0-9]+")
_SEMVER = re.compile(r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})")
_OWNER = re.compile(r"[a-z][a-z0-9_-]{0,62}")
# What Dagster takes for a tag, and the tags that the platform sets itself.
_TAG = re.compile(r"([A-Za-z0-9_.-]{1,63})(?::([A-Za-z0-9_.-]{0,63}))?")
_TAKEN_TAGS = ("granularity", "status")


def read_contract(path: Path, standards: Standards, *, root: Path) -> Contract:
    """Read one contract. Raises DeclarationError with every finding, each with file, line, field and mend."""
    document = read_document(path, root=root)
    declared, wrong = build_sound_part(OpenDataContractStandard, document)
    _require_kind(declared, wrong)
    product = _product(declared, wrong)
    custom = extensions(declared.customProperties, OF_CONTRACT, _CUSTOM, wrong)
    external = _external(custom, wrong)
    schema = _schema(declared, wrong, external)
    columns = odcs_columns.columns(schema, wrong, kinds=standards.identifiers, external=external)
    grain = _grain(custom.get("grain"), columns, wrong)
    contract = Contract(
        product=product,
        id=_id(declared, wrong),
        version=_version(declared, wrong),
        status=_status(declared, wrong),
        description=_description(declared, wrong),
        owner=_owner(declared, wrong),
        granularity=_granularity(custom.get("granularity"), wrong),
        grain=grain,
        columns=columns,
        servers=(
            external_servers(declared.servers or [], schema, wrong)
            if external
            else odcs_servers.servers(declared.servers or [], wrong)
        ),
        expectations=odcs_quality.expectations(schema, columns, wrong, grain=grain),
        service_level=odcs_levels.service_level(
            declared.slaProperties or [], wrong, seconds_min=standards.query_seconds_max
        ),
        purpose=_purpose(custom.get("purpose"), standards, wrong),
        republishes=_argument(custom.get("republishes"), wrong),
        partitioning=odcs_partitions.partitioning(schema, columns, custom.get("partitions"), wrong),
        external=external,
        asks=_asks(custom.get("asks"), wrong),
        quarantine_fraction_max=odcs_quarantine.fraction_max(custom, columns, wrong, external=external),
        tags=_tags(declared.tags or [], wrong),
        file=document.file,
    )
    if external and contract.partitioning:
        wrong.add(
            ("schema", 0, "properties"), "partitioned, though another system writes it", "leave `partitioned` out"
        )
    granularity.require_key(contract, wrong)
    wrong.raise_if_any()
    return contract


def _require_kind(declared: OpenDataContractStandard, wrong: Complaints) -> None:
    if declared.kind != "DataContract":
        wrong.add(("kind",), _found(declared.kind), "write `kind: DataContract`")
    if not _API_VERSION.fullmatch(declared.apiVersion or ""):
        wrong.add(("apiVersion",), _found(declared.apiVersion), "write `apiVersion: v3.1.0`")


def _product(declared: OpenDataContractStandard, wrong: Complaints) -> str:
    for field in ("domain", "dataProduct"):
        name = getattr(declared, field)
        if not is_name(name or ""):
            fix = "write a name: lower case letters, digits and _, a letter first, 63 at most"
            wrong.add((field,), _found(name), fix)
    return f"{declared.domain}.{declared.dataProduct}"


def _schema(declared: OpenDataContractStandard, wrong: Complaints, external: bool) -> SchemaObject:
    objects = declared.schema_ or []
    if len(objects) != 1:
        found = f"found {len(objects)} objects" if objects else "missing"
        wrong.add(("schema",), found, "describe exactly one: a product is one table")
        wrong.ignore(("schema",))
        return SchemaObject(properties=[])
    schema, at = objects[0], ("schema", 0)
    if schema.name != declared.dataProduct and not wrong.concern(("dataProduct",)):
        wrong.add((*at, "name"), _found(schema.name), f"write `name: {declared.dataProduct}`")
    if schema.physicalName not in (None, schema.name) and not external:
        fix = "leave it out: where a product is stored, say `servers`"
        wrong.add((*at, "physicalName"), _found(schema.physicalName), fix)
    if schema.relationships:
        wrong.add((*at, "relationships"), "not supported yet", "leave it out: keys are found by `identifies`")
    extensions(schema.customProperties, (), (*at, "customProperties"), wrong)
    return schema


def _id(declared: OpenDataContractStandard, wrong: Complaints) -> str:
    if not declared.id:
        wrong.add(("id",), "missing", f"add e.g. `id: urn:mesh:{declared.domain}:{declared.dataProduct}`")
    return declared.id or ""


def _version(declared: OpenDataContractStandard, wrong: Complaints) -> str:
    version = declared.version or ""
    if not _SEMVER.fullmatch(version):
        fix = "write a semantic version, major.minor.patch, e.g. 1.0.0"
        wrong.add(("version",), _found(declared.version), fix)
    return version


def _status(declared: OpenDataContractStandard, wrong: Complaints) -> Status:
    known: tuple[Status, ...] = get_args(Status)
    if declared.status is not None and declared.status not in known:
        wrong.add(("status",), _found(declared.status), nearest(declared.status, known))
    return next((each for each in known if each == declared.status), "draft")


def _description(declared: OpenDataContractStandard, wrong: Complaints) -> str:
    text = (declared.description.purpose or "").strip() if declared.description else ""
    if not text:
        wrong.add(("description", "purpose"), "missing", "say in one or two sentences what one row is, and what for")
    return text


def _owner(declared: OpenDataContractStandard, wrong: Complaints) -> str:
    name = declared.team.name if isinstance(declared.team, Team) else None
    if not _OWNER.fullmatch(name or ""):
        found = f"found owner {name!r}" if name else "missing owner"
        wrong.add(("team", "name"), found, "name the team that answers for the product: `team: {name: ad-events}`")
    return name or ""


def _granularity(value: object, wrong: Complaints) -> Granularity:
    known: tuple[Granularity, ...] = get_args(Granularity)
    if value not in known:
        fix = f"write one of: {', '.join(known)}" if value is None else nearest(str(value), known)
        wrong.add((*_CUSTOM, "granularity"), _found(value), fix)
    return next((each for each in known if each == value), "aggregate")


def _external(custom: Mapping[str, Any], wrong: Complaints) -> bool:
    value = custom.get("external", False)
    if not isinstance(value, bool):
        wrong.add((*_CUSTOM, "external"), _found(value), "write `value: true`: another system writes the product")
    if value and "partitions" in custom:
        wrong.add((*_CUSTOM, "partitions"), "given for an external product", "leave it out: it is read whole")
    return value is True


def _grain(declared: object, columns: Sequence[Column], wrong: Complaints) -> tuple[str, ...]:
    at = (*_CUSTOM, "grain")
    grain = [declared] if isinstance(declared, str) else declared
    if grain is None:
        return ()
    if not isinstance(grain, list) or not grain or not all(isinstance(name, str) for name in grain):
        found = wrong.document.written((*at, "value"))
        wrong.add(at, f"found {found}", "list the columns that tell one row from another: `value: [day, region]`")
        return ()
    known = {column.name for column in columns}
    unknown = [name for name in grain if name not in known]
    if known and "" not in known:
        for name in unknown:
            wrong.add(at, f"no column '{name}'", nearest(name, known))
    for name, times in Counter(grain).items():
        if times > 1:
            wrong.add(at, f"'{name}' stands {times} times", "keep one of them")
    return () if unknown or wrong.concern(at) else tuple(grain)


def _purpose(declared: object, standards: Standards, wrong: Complaints) -> str | None:
    if declared is None:
        return None
    if not isinstance(declared, str) or declared not in standards.purposes:
        wrong.add((*_CUSTOM, "purpose"), f"unknown purpose {declared!r}", nearest(str(declared), standards.purposes))
    return str(declared)


def _asks(declared: object, wrong: Complaints) -> Asks | None:
    """The room that a product is made of, and the products that it is about."""
    if declared is None:
        return None
    told = declared if isinstance(declared, dict) and declared.keys() == {"room", "products"} else {}
    room, products = told.get("room"), told.get("products")
    named = [each for each in products if isinstance(each, str)] if isinstance(products, list) else []
    if not (isinstance(room, str) and room and named and len(named) == len(products or ())):
        wrong.add(
            (*_CUSTOM, "asks"), "no room and its products", "write `value: {room: …, products: [domain.product]}`"
        )
        return None
    return Asks(room=room, products=tuple(dict.fromkeys(named)))


def _argument(declared: object, wrong: Complaints) -> str | None:
    """Why it republishes what another domain publishes: words, since `true` would argue nothing."""
    if declared is None:
        return None
    if not isinstance(declared, str) or not declared.strip():
        wrong.add((*_CUSTOM, "republishes"), _found(declared), "say in a sentence why a copy is needed")
    return str(declared).strip()


def _tags(declared: Sequence[str], wrong: Complaints) -> Mapping[str, str]:
    tags: dict[str, str] = {}
    for index, tag in enumerate(declared):
        parts = _TAG.fullmatch(tag)
        if not parts:
            fix = "write key or key:value, each of at most 63 letters, digits, _, - and ."
            wrong.add(("tags", index), f"found {tag!r}", fix)
        elif parts[1] in tags or parts[1] in _TAKEN_TAGS:
            wrong.add(("tags", index), f"'{parts[1]}' is taken", "keep one tag of each key; the platform sets its own")
        else:
            tags[parts[1]] = parts[2] or ""
    return tags


def _found(value: Any) -> str:
    return "missing" if value is None else f"found {value!r}"
