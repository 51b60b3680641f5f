"""access/*.access.yaml: who may read a product, for which purposes, until when. Deny is the default."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from mesh_defs.documents.reading import Document, build, read_document
from mesh_defs.documents.standards import Slug
from mesh_defs.errors import DeclarationError, Finding, nearest
from mesh_defs.model.access import Grant
from mesh_defs.model.mesh import Standards

_PrincipalName = Annotated[str, StringConstraints(pattern=r"^(service:[a-z][a-z0-9_]*|[a-z][a-z0-9_-]*)$")]


class _Grant(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    id: Slug
    roles: list[Slug] = []
    principals: list[_PrincipalName] = []
    purposes: list[Slug] = Field(min_length=1)
    expires: date | None = None


class _Access(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal[1]
    product: str
    grants: list[_Grant] = []


def read_access(path: Path, standards: Standards, *, products: frozenset[str], root: Path) -> tuple[Grant, ...]:
    """Read one access file of a domain that offers `products`. Raises DeclarationError with every finding."""
    document = read_document(path, root=root)
    declared = build(_Access, document)
    findings = _problems(declared, document, standards, products)
    if findings:
        raise DeclarationError(findings)
    return tuple(
        Grant(
            id=grant.id,
            product=declared.product,
            principals=tuple(grant.principals),
            roles=tuple(grant.roles),
            purposes=tuple(grant.purposes),
            expires=grant.expires,
        )
        for grant in declared.grants
    )


def _problems(declared: _Access, document: Document, standards: Standards, products: frozenset[str]) -> list[Finding]:
    found = []
    if declared.product not in products:
        what = f"this domain offers no product '{declared.product}'"
        found.append(document.finding(("product",), what, nearest(declared.product, products)))
    ids: set[str] = set()
    for index, grant in enumerate(declared.grants):
        at = ("grants", index)
        if grant.id in ids:
            found.append(document.finding((*at, "id"), f"'{grant.id}' is used twice", "give each grant its own id"))
        ids.add(grant.id)
        if not grant.roles and not grant.principals:
            found.append(document.finding(at, "grants to nobody", "add `roles: […]` or `principals: […]`"))
        people = [name for name in grant.principals if ":" not in name]
        for kind, names, known in (
            ("roles", grant.roles, standards.roles),
            ("purposes", grant.purposes, standards.purposes),
            ("principals", people, standards.people),
        ):
            found += [
                document.finding((*at, kind), f"'{name}' is not in mesh.yaml", nearest(name, known))
                for name in names
                if name not in known
            ]
    return found
