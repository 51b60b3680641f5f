"""mesh.yaml and domain.yaml: what all domains agreed on, and what one domain says of itself."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from mesh_defs.documents.reading import Document, build, read_document
from mesh_defs.errors import DeclarationError, Finding, nearest
from mesh_defs.model.access import Principal
from mesh_defs.model.mesh import Domain, Standards

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Person(_Strict):
    title: str = ""
    roles: list[Slug] = []


class _QueryLimits(_Strict):
    seconds_max: float = Field(default=300, gt=0)
    memory_bytes_max: int = Field(default=2_000_000_000, ge=100_000_000)


class _Standards(_Strict):
    format: Literal[1]
    organisation: Text
    purposes: dict[Slug, Text] = Field(min_length=1)
    roles: dict[Slug, Text] = Field(min_length=1)
    people: dict[Slug, _Person] = {}
    snapshot_age_seconds_max: float = Field(default=604_800, gt=0)
    retention_seconds: float = Field(default=86_400, gt=0)
    query: _QueryLimits = _QueryLimits()


class _Domain(_Strict):
    format: Literal[1]
    name: Name
    title: Text
    description: Text
    owner: Slug
    steward: Slug
    organisation: Text | None = None
    storage: Annotated[str, StringConstraints(pattern=r"^[\w-]+(/[\w-]+)*$")] | None = None


def read_standards(root: Path) -> Standards:
    """Read `root`/mesh.yaml. Raises DeclarationError with every finding."""
    document = read_document(root / "mesh.yaml", root=root)
    declared = build(_Standards, document)
    findings = [*_unknown_roles(declared, document), *_short_retention(declared, document)]
    if findings:
        raise DeclarationError(findings)
    people = {name: Principal(name=name, roles=tuple(p.roles), title=p.title) for name, p in declared.people.items()}
    return Standards(
        organisation=declared.organisation,
        purposes=declared.purposes,
        roles=declared.roles,
        people=people,
        snapshot_age_seconds_max=declared.snapshot_age_seconds_max,
        retention_seconds=declared.retention_seconds,
        query_seconds_max=declared.query.seconds_max,
        query_memory_bytes_max=declared.query.memory_bytes_max,
    )


def read_domain(folder: Path, standards: Standards, *, root: Path) -> Domain:
    """Read `folder`/domain.yaml. Raises DeclarationError; a domain is named as its folder is."""
    document = read_document(folder / "domain.yaml", root=root)
    declared = build(_Domain, document)
    findings = []
    if declared.name != folder.name:
        findings.append(
            document.finding(("name",), f"found '{declared.name}' in the folder '{folder.name}'", "name both alike")
        )
    if declared.steward not in standards.people:
        what = f"'{declared.steward}' is no person of mesh.yaml"
        findings.append(document.finding(("steward",), what, nearest(declared.steward, standards.people)))
    if findings:
        raise DeclarationError(findings)
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


def _unknown_roles(declared: _Standards, document: Document) -> list[Finding]:
    return [
        document.finding(("people", name, "roles", index), f"unknown role '{role}'", nearest(role, declared.roles))
        for name, person in declared.people.items()
        for index, role in enumerate(person.roles)
        if role not in declared.roles
    ]


def _short_retention(declared: _Standards, document: Document) -> list[Finding]:
    """Old versions must outlive the longest query that may still be reading them."""
    if declared.retention_seconds > declared.query.seconds_max:
        return []
    fix = f"keep old versions longer than query.seconds_max ({declared.query.seconds_max:g} s)"
    return [document.finding(("retention_seconds",), f"found {declared.retention_seconds:g}", fix)]
