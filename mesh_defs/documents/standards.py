"""mesh.yaml and domain.yaml: what all domains agreed on, and what one domain says of itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from mesh_defs.documents.complaints import Complaints
from mesh_defs.documents.masks import MaskField
from mesh_defs.documents.reading import read_document
from mesh_defs.documents.strict import Name, Place, Seconds, Slug, Strict, Text
from mesh_defs.documents.structure import build, known_name, refusal
from mesh_defs.documents.taxonomy import PurposeField, RoleField, held_roles, meanings, within
from mesh_defs.errors import nearest
from mesh_defs.model.access import Principal
from mesh_defs.model.contract import Classification, Granularity
from mesh_defs.model.mesh import Domain, GovernanceRule, StandardRule, Standards


class _Person(Strict):
    title: str = ""
    roles: list[Annotated[Slug, known_name("roles", "no role of mesh.yaml")]] = Field(default=[])
    attributes: dict[Name, list[Text]] = Field(default={})


class _QueryLimits(Strict):
    seconds_max: Seconds = 300
    memory_bytes_max: int = Field(default=2_000_000_000, ge=100_000_000, le=2**50)
    trino_above_bytes: int | None = Field(default=None, ge=0, le=2**60)


# What `policy.demands` can judge of a product.
GOVERNANCE_RULES = ("described_columns", "classified_keys", "freshness", "checks", "access_tests")

_Purpose = Annotated[str, known_name("purposes", "no purpose of mesh.yaml")]


class _RowRule(Strict):
    name: Slug
    why: Text
    granularity: Granularity
    rows: dict[_Purpose, Text] = Field(min_length=1)


def _governed(rule: str) -> str:
    if rule not in GOVERNANCE_RULES:
        raise refusal(f"'{rule}' is no rule that the platform knows", nearest(rule, GOVERNANCE_RULES))
    return rule


class _Governance(Strict):
    rule: Annotated[str, AfterValidator(_governed)]
    why: Text
    mend: Text


class _Standards(Strict):
    format: Literal[1]
    organisation: Text
    purposes: dict[Slug, PurposeField] = Field(min_length=1)
    roles: dict[Slug, RoleField] = Field(min_length=1)
    people: dict[Slug, _Person] = Field(default={})
    snapshot_age_seconds_max: Seconds = 604_800
    retention_seconds: Seconds = 86_400
    query: _QueryLimits = _QueryLimits()
    masks: dict[Classification, MaskField] = Field(default={})
    row_rules: list[_RowRule] = Field(default=[])
    identifiers: dict[Name, Text] = Field(default={})
    governance: list[_Governance] = Field(default=[])


def _own(name: str) -> str:
    """MESH_TOKENS_… are nobody's own: a domain of that name would take them for its secrets."""
    if f"{name}_".startswith("tokens_"):
        raise refusal(f"found '{name}'", "call it otherwise: MESH_TOKENS_… are the keys of joinable tokens")
    return name


class _Domain(Strict):
    format: Literal[1]
    name: Annotated[Name, AfterValidator(_own), known_name("folder", "not the name of its folder")]
    title: Text
    description: Text
    owner: Slug
    steward: Annotated[Slug, known_name("people", "no person of mesh.yaml")]
    organisation: Text | None = None
    storage: Place | None = None


def read_standards(root: Path) -> Standards:
    """Read `root`/mesh.yaml. Raises DeclarationError with every finding."""
    document = read_document(root / "mesh.yaml", root=root)
    named = {kind: document.data.get(kind) for kind in ("roles", "purposes")}
    known = {kind: names for kind, names in named.items() if isinstance(names, dict)}
    declared = build(_Standards, document, known=known)
    wrong = Complaints(document)
    narrower, held = within(declared.purposes, wrong), held_roles(declared.roles, wrong)
    _require_retention(declared, wrong)
    wrong.raise_if_any()
    people = {name: _principal(name, person, held) for name, person in declared.people.items()}
    return Standards(
        organisation=declared.organisation,
        purposes=meanings(declared.purposes),
        within=narrower,
        roles=meanings(declared.roles),
        held_roles=held,
        people=people,
        snapshot_age_seconds_max=declared.snapshot_age_seconds_max,
        retention_seconds=declared.retention_seconds,
        query_seconds_max=declared.query.seconds_max,
        query_memory_bytes_max=declared.query.memory_bytes_max,
        query_trino_above_bytes=declared.query.trino_above_bytes,
        masks={classification: form.value() for classification, form in declared.masks.items()},
        row_rules=tuple(StandardRule(**rule.model_dump()) for rule in declared.row_rules),
        identifiers=declared.identifiers,
        governance=tuple(GovernanceRule(**rule.model_dump()) for rule in declared.governance),
    )


def _principal(name: str, person: _Person, held: Mapping[str, tuple[str, ...]]) -> Principal:
    attributes = {attribute: tuple(values) for attribute, values in person.attributes.items()}
    roles = tuple(dict.fromkeys(role for given in person.roles for role in held[given]))
    return Principal(name=name, roles=roles, title=person.title, attributes=attributes)


def read_domain(folder: Path, standards: Standards, *, root: Path) -> Domain:
    """Read `folder`/domain.yaml. Raises DeclarationError; a domain is named as its folder is."""
    document = read_document(folder / "domain.yaml", root=root)
    declared = build(_Domain, document, known={"people": standards.people, "folder": [folder.name]})
    return Domain(
        name=declared.name,
        title=declared.title,
        description=declared.description,
        owner=declared.owner,
        steward=declared.steward,
        organisation=declared.organisation or standards.organisation,
        storage=declared.storage or f"storage/{declared.name}",
        file=document.file,
    )


def _require_retention(declared: _Standards, wrong: Complaints) -> None:
    """Old versions must outlive the longest query that may still be reading them."""
    if declared.retention_seconds <= declared.query.seconds_max:
        fix = f"keep old versions longer than query.seconds_max ({declared.query.seconds_max:g} s)"
        wrong.add(("retention_seconds",), f"found {declared.retention_seconds:g}", fix)
