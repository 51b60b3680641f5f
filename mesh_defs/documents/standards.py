"""mesh.yaml and domain.yaml: what all domains agreed on, and what one domain says of itself."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from mesh_defs.documents.reading import Document, read_document
from mesh_defs.documents.structure import build, known_name, refusal
from mesh_defs.errors import DeclarationError, Finding
from mesh_defs.model.access import Principal
from mesh_defs.model.mesh import Domain, Standards
from mesh_defs.model.names import is_name

_SLUG = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_PLACE = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
# What is longer can be neither subtracted from today nor meant.
_SECONDS_MAX = 10 * 366 * 86_400


def _slug(text: str) -> str:
    if not _SLUG.fullmatch(text):
        raise refusal(f"found '{text}'", "write lower case letters, digits, _ and -, a letter first, 63 at most")
    return text


def _place(text: str) -> str:
    if not _PLACE.fullmatch(text):
        fix = "write a folder relative to the state folder, without ..: letters, digits, _, - and /"
        raise refusal(f"found '{text}'", fix)
    return text


def _name(text: str) -> str:
    if not is_name(text):
        raise refusal(f"found '{text}'", "write lower case letters, digits and _, a letter first, 63 at most")
    return text


Slug = Annotated[str, AfterValidator(_slug)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Seconds = Annotated[float, Field(gt=0, le=_SECONDS_MAX)]


class Strict(BaseModel):
    """A part of one of our own documents: no unknown fields, and no value that only looks like the wanted one."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class _Person(Strict):
    title: str = ""
    roles: list[Annotated[Slug, known_name("roles", "no role of mesh.yaml")]] = Field(default=[])


class _QueryLimits(Strict):
    seconds_max: Seconds = 300
    memory_bytes_max: int = Field(default=2_000_000_000, ge=100_000_000, le=2**50)


class _Standards(Strict):
    format: Literal[1]
    organisation: Text
    purposes: dict[Slug, Text] = Field(min_length=1)
    roles: dict[Slug, Text] = Field(min_length=1)
    people: dict[Slug, _Person] = Field(default={})
    snapshot_age_seconds_max: Seconds = 604_800
    retention_seconds: Seconds = 86_400
    query: _QueryLimits = _QueryLimits()


class _Domain(Strict):
    format: Literal[1]
    name: Annotated[str, AfterValidator(_name), known_name("folder", "not the name of its folder")]
    title: Text
    description: Text
    owner: Slug
    steward: Annotated[Slug, known_name("people", "no person of mesh.yaml")]
    organisation: Text | None = None
    storage: Annotated[str, AfterValidator(_place)] | None = None


def read_standards(root: Path) -> Standards:
    """Read `root`/mesh.yaml. Raises DeclarationError with every finding."""
    document = read_document(root / "mesh.yaml", root=root)
    roles = document.data.get("roles")
    declared = build(_Standards, document, known={"roles": roles} if isinstance(roles, dict) else {})
    if short := _short_retention(declared, document):
        raise DeclarationError([short])
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


def _short_retention(declared: _Standards, document: Document) -> Finding | None:
    """Old versions must outlive the longest query that may still be reading them."""
    if declared.retention_seconds > declared.query.seconds_max:
        return None
    fix = f"keep old versions longer than query.seconds_max ({declared.query.seconds_max:g} s)"
    return document.finding(("retention_seconds",), f"found {declared.retention_seconds:g}", fix)
