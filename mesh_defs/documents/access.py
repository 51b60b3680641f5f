"""access/*.access.yaml: who may read a product, for which purposes, until when. Deny is the default."""

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from mesh_defs.documents.complaints import Complaints
from mesh_defs.documents.reading import Document, read_document
from mesh_defs.documents.standards import Slug, Strict
from mesh_defs.documents.structure import build, known_name, refusal
from mesh_defs.errors import nearest
from mesh_defs.model.access import Grant
from mesh_defs.model.mesh import Standards

_SERVICE = re.compile(r"service:[a-z][a-z0-9_]{0,62}")
# The name under which the door records that a domain's own pipeline needed no grant.
_RESERVED = "own-domain"
_ANYWHERE = "not in mesh.yaml"


def _principal(name: str, info: ValidationInfo) -> str:
    people = (info.context or {})["people"]
    if name not in people and not _SERVICE.fullmatch(name):
        raise refusal(
            f"'{name}' is no person of mesh.yaml", f"{nearest(name, people)} A pipeline is `service:<domain>`"
        )
    return name


def _id(name: str) -> str:
    if name == _RESERVED:
        raise refusal(f"'{name}' is reserved", "give the grant another id")
    return name


class _Grant(Strict):
    id: Annotated[Slug, AfterValidator(_id)]
    roles: list[Annotated[str, known_name("roles", _ANYWHERE)]] = Field(default=[])
    principals: list[Annotated[str, AfterValidator(_principal)]] = Field(default=[])
    purposes: list[Annotated[str, known_name("purposes", _ANYWHERE)]] = Field(min_length=1)
    expires: date | None = None


class _Access(Strict):
    format: Literal[1]
    product: Annotated[str, known_name("products", "no product of this domain")]
    grants: list[_Grant] = Field(default=[])


def read_access(path: Path, standards: Standards, *, products: frozenset[str], root: Path) -> tuple[Grant, ...]:
    """Read one access file of a domain that offers `products`. Raises DeclarationError with every finding."""
    document = read_document(path, root=root)
    known = {
        "products": products,
        "people": standards.people,
        "roles": standards.roles,
        "purposes": standards.purposes,
    }
    declared = build(_Access, document, known=known)
    _require_sense(declared, document)
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


def _require_sense(declared: _Access, document: Document) -> None:
    """What only several fields together tell."""
    wrong = Complaints(document)
    ids: set[str] = set()
    for index, grant in enumerate(declared.grants):
        if grant.id in ids:
            wrong.add(("grants", index, "id"), f"'{grant.id}' is used twice", "give each grant its own id")
        ids.add(grant.id)
        if not grant.roles and not grant.principals:
            wrong.add(("grants", index), "grants to nobody", "add `roles: […]` or `principals: […]`")
    wrong.raise_if_any()
