"""agreement.yaml of a clean room: who shares what with whom, what may be asked of it, and until when. And its canonical form,
which is what the parties sign: the meaning of the file, not its layout or comments."""

import base64
import binascii
import hashlib
import json
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, TypeAdapter
from pydantic import Field as Limited

from mesh_defs.documents.complaints import Complaints
from mesh_defs.documents.reading import Document, read_document
from mesh_defs.documents.strict import Name, Slug, Strict, Text
from mesh_defs.documents.structure import build, refusal
from mesh_defs.errors import nearest
from mesh_defs.model import room
from mesh_defs.model.names import is_name

FORMAT = 1
# As AWS Clean Rooms has it, and below two a group can be a person.
PERSONS_MIN, PERSONS_MAX = 2, 100_000
DOMAIN_MAX = 10_000
MICRO = 1_000_000
RHO_MAX = 1_000
BOUND_MAX = 10**15


def _table_name(text: str) -> str:
    parts = text.split(".")
    if len(parts) != 2 or not all(map(is_name, parts)):
        raise refusal(f"found '{text}'", "write it with two parts, as in party.table: lower case letters, digits and _")
    return text


def _key(text: str) -> str:
    try:
        sound = len(base64.b64decode(text, validate=True)) == 32
    except binascii.Error:
        sound = False
    if not sound:
        raise refusal(f"found '{text}'", "write the public key that `mesh room key` prints")
    return text


def _digest(text: str) -> str:
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise refusal("this is no SHA-256", "write its 64 hexadecimal digits")
    return text


def _distinct(values: list[Any]) -> list[Any]:
    if len({(type(each), each) for each in values}) != len(values):
        raise refusal("a value is named twice", "name each once")
    return values


_TableName = Annotated[str, AfterValidator(_table_name)]
_Key = Annotated[str, AfterValidator(_key)]
_Digest = Annotated[str, AfterValidator(_digest)]
_Value = Annotated[str, Limited(min_length=1, max_length=200)] | int
_Domain = Annotated[list[_Value], Limited(min_length=1, max_length=DOMAIN_MAX), AfterValidator(_distinct)]
_Bound = Annotated[int, Limited(ge=-BOUND_MAX, le=BOUND_MAX)]
_Rho = Annotated[float, Limited(ge=1 / MICRO, le=RHO_MAX)]


class _Party(Strict):
    name: Name
    key: _Key
    url: Text | None = None


class _Measure(Strict):
    functions: Annotated[list[Literal["sum", "avg"]], Limited(min_length=1), AfterValidator(_distinct)]
    decimals: Annotated[int, Limited(ge=0, le=18)] = 0
    lower: _Bound | None = None
    upper: _Bound | None = None


class _Table(Strict):
    name: _TableName
    party: Name
    product: _TableName
    person: Name
    dimensions: dict[Name, _Domain] = Field(default={})
    measures: dict[Name, _Measure] = Field(default={})
    rules: Annotated[list[Slug], AfterValidator(_distinct)] = Field(default=[])
    digest: _Digest | None = None


class _Rule(Strict):
    name: Slug
    level: Literal["threshold", "template", "privacy"]
    persons_min: Annotated[int, Limited(ge=PERSONS_MIN, le=PERSONS_MAX)]
    dominance_max: Annotated[float, Limited(gt=0, le=1)] = 0.5
    groups_max: Annotated[int, Limited(ge=1, le=100_000)] = 200
    dimensions_max: Annotated[int, Limited(ge=0, le=8)] = 3
    functions: Annotated[list[room.Function], Limited(min_length=1), AfterValidator(_distinct)] = Field(
        default=list(get_args(room.Function))
    )


class _Template(Strict):
    name: Name
    sql: Text
    parameters: dict[Name, Text] = Field(default={})


class _Privacy(Strict):
    rho: _Rho
    rho_per_release: _Rho
    groups_max: Annotated[int, Limited(ge=1, le=DOMAIN_MAX)]
    rows_max: Annotated[int, Limited(ge=1, le=1_000_000)]
    delta: Annotated[float, Limited(gt=0, lt=0.01)] = 1e-6


class _Valid(Strict):
    from_: date = Limited(alias="from")
    until: date


class _Agreement(Strict):
    format: Literal[1]
    id: Slug
    version: Annotated[int, Limited(ge=1)] = 1
    title: Text
    parties: Annotated[list[_Party], Limited(min_length=2, max_length=16)]
    analysts: Annotated[list[Name], Limited(min_length=1), AfterValidator(_distinct)]
    recipients: Annotated[list[Name], Limited(min_length=1), AfterValidator(_distinct)]
    joins: _Party
    valid: _Valid
    tables: Annotated[list[_Table], Limited(min_length=2)]
    rules: Annotated[list[_Rule], Limited(min_length=1)]
    templates: list[_Template] = Field(default=[])
    privacy: _Privacy | None = None
    waived: dict[room.Target, Annotated[list[room.Control], AfterValidator(_distinct)]] = Field(default={})
    amends: _Digest | None = None


def read_agreement(path: Path, *, root: Path) -> room.Agreement:
    """Read one agreement. Raises DeclarationError with every finding. Signatures are not looked at."""
    document = read_document(path, root=root)
    declared = build(_Agreement, document)
    _require_sense(declared, document)
    return _built(declared)


@cache
def adapter() -> TypeAdapter[room.Agreement]:
    """What makes JSON of an agreement, and an agreement of that. To make it anew takes a hundredth of a second."""
    return TypeAdapter(room.Agreement)


def canonical(agreement: room.Agreement) -> bytes:
    """Return what is signed: JSON with sorted keys, no blanks, UTF-8; times in UTC."""
    body = adapter().dump_python(agreement, mode="json")
    return json.dumps({"format": FORMAT, **body}, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of(agreement: room.Agreement) -> str:
    """SHA-256 of the canonical form: names this very version of the agreement."""
    return hashlib.sha256(canonical(agreement)).hexdigest()


def _built(declared: _Agreement) -> room.Agreement:
    return room.Agreement(
        id=declared.id,
        version=declared.version,
        title=declared.title,
        parties=tuple(_party(each) for each in declared.parties),
        analysts=tuple(declared.analysts),
        recipients=tuple(declared.recipients),
        joins=_party(declared.joins),
        valid_from=_midnight(declared.valid.from_),
        valid_until=_midnight(declared.valid.until + timedelta(days=1)),
        tables=tuple(_table(each) for each in declared.tables),
        rules=tuple(
            room.AnalysisRule(**{**each.model_dump(), "functions": tuple(each.functions)}) for each in declared.rules
        ),
        templates=tuple(_template(each) for each in declared.templates),
        privacy=_privacy(declared.privacy) if declared.privacy else None,
        waived={target: tuple(controls) for target, controls in declared.waived.items()},
        amends=declared.amends,
    )


def _party(party: _Party) -> room.Party:
    return room.Party(**party.model_dump())


def _table(table: _Table) -> room.SharedTable:
    return room.SharedTable(
        name=table.name,
        party=table.party,
        product=table.product,
        person=table.person,
        dimensions={name: tuple(values) for name, values in table.dimensions.items()},
        measures={
            name: room.Measure(**{**each.model_dump(), "functions": tuple(each.functions)})
            for name, each in table.measures.items()
        },
        rules=tuple(table.rules),
        digest=table.digest,
    )


def _template(template: _Template) -> room.AnalysisTemplate:
    fields = {name: _field(at) for name, at in template.parameters.items()}
    return room.AnalysisTemplate(
        name=template.name, sql=template.sql, parameters={name: at for name, at in fields.items() if at is not None}
    )


def _field(text: str) -> room.Field | None:
    table, _, column = text.rpartition(".")
    return room.Field(table, column) if table and column else None


def _privacy(privacy: _Privacy) -> room.PrivacyBudget:
    return room.PrivacyBudget(
        micro_rho=round(privacy.rho * MICRO),
        micro_rho_per_release=round(privacy.rho_per_release * MICRO),
        groups_max=privacy.groups_max,
        rows_max=privacy.rows_max,
        delta=privacy.delta,
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)


def _require_sense(declared: _Agreement, document: Document) -> None:
    """What only several fields together tell."""
    wrong = Complaints(document)
    parties = {party.name for party in declared.parties}
    _require_once(declared, wrong)
    for who in ("analysts", "recipients"):
        for index, name in enumerate(getattr(declared, who)):
            if name not in parties:
                wrong.add((who, index), f"'{name}' is no party", nearest(name, parties))
    if declared.valid.until < declared.valid.from_:
        wrong.add(("valid", "until"), "it ends before it begins", "write a later day")
    if (declared.version == 1) != (declared.amends is None):
        fix = "write `amends:` with the digest of the version before from version 2 on, and not in version 1"
        wrong.add(("amends",), "it does not fit the version", fix)
    for index, control in enumerate(declared.waived.get("mesh", ())):
        if control in get_args(room.Kept):
            wrong.add(
                ("waived", "mesh", index), f"a mesh always keeps to '{control}'", "waive it for aws, or not at all"
            )
    rules = {rule.name: rule for rule in declared.rules}
    for index, table in enumerate(declared.tables):
        if table.party not in parties:
            wrong.add(("tables", index, "party"), f"'{table.party}' is no party", nearest(table.party, parties))
        for place, name in enumerate(table.rules):
            if name not in rules:
                wrong.add(("tables", index, "rules", place), f"there is no rule '{name}'", nearest(name, rules))
        _require_table(table, index, wrong)
        if any(name in rules and rules[name].level == "privacy" for name in table.rules):
            _require_bounds(table, index, wrong)
    levels = {rule.level for rule in declared.rules}
    if "privacy" in levels and declared.privacy is None:
        wrong.add((), "a rule of level privacy, and no budget", "add `privacy: {rho: …, …}`")
    if declared.privacy and declared.privacy.rho_per_release > declared.privacy.rho:
        wrong.add(("privacy", "rho_per_release"), "it is more than the whole budget", "write less")
    tables = {table.name: table for table in declared.tables}
    for index, template in enumerate(declared.templates):
        for name, at in template.parameters.items():
            field = _field(at)
            if field is None or field.table not in tables or field.column not in tables[field.table].dimensions:
                known = [f"{table.name}.{column}" for table in declared.tables for column in table.dimensions]
                wrong.add(("templates", index, "parameters", name), f"'{at}' is no dimension", nearest(at, known))
    wrong.raise_if_any()


def _require_once(declared: _Agreement, wrong: Complaints) -> None:
    for kind in ("parties", "tables", "rules", "templates"):
        seen: set[str] = set()
        for index, each in enumerate(getattr(declared, kind)):
            if each.name in seen:
                wrong.add((kind, index, "name"), f"'{each.name}' is used twice", "give each its own name")
            seen.add(each.name)
    keys = [party.key for party in declared.parties]
    for index, key in enumerate(keys):
        if key in keys[:index]:
            wrong.add(("parties", index, "key"), "two parties have one key", "write each party's own")


def _require_table(table: _Table, index: int, wrong: Complaints) -> None:
    names = [table.person, *table.dimensions, *table.measures]
    for name in sorted({each for each in names if names.count(each) > 1}):
        wrong.add(
            ("tables", index), f"'{name}' is used in two ways", "a column is the person, a dimension or a measure"
        )
    for name, values in table.dimensions.items():
        if len({type(each) for each in values}) > 1:
            wrong.add(
                ("tables", index, "dimensions", name), "texts and numbers are mixed", "write all in quotes, or none"
            )


def _require_bounds(table: _Table, index: int, wrong: Complaints) -> None:
    for name, measure in table.measures.items():
        if measure.lower is None or measure.upper is None or measure.lower > measure.upper:
            what = "noise needs bounds of one person's sum in one group"
            wrong.add(("tables", index, "measures", name), what, "add `lower: 0` and `upper: …`")
