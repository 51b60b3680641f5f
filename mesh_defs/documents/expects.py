"""expects/*.expects.yaml: what a domain expects of a product that it reads, in GX's words. A warning unless said otherwise."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from mesh_defs.documents.complaints import Complaints
from mesh_defs.documents.reading import Document, read_document
from mesh_defs.documents.strict import Slug, Strict, Text
from mesh_defs.documents.structure import build, known_name
from mesh_defs.model.expected import Expected
from mesh_defs.model.mesh import Standards
from mesh_defs.model.names import split_product
from quality_checks import Expectation


class _Rule(Strict):
    type: Text
    kwargs: dict[str, Any] = Field(default={})
    severity: Literal["critical", "warning"] = "warning"
    name: Slug | None = None
    description: str = ""


class _Expects(Strict):
    format: Literal[1]
    product: Text
    purpose: Annotated[str, known_name("purposes", "no purpose of mesh.yaml")]
    expectations: list[_Rule] = Field(min_length=1)


def read_expects(path: Path, standards: Standards, *, consumer: str, root: Path) -> Expected:
    """Read one file of the domain `consumer`. Raises DeclarationError with every finding that needs no other domain."""
    document = read_document(path, root=root)
    declared = build(_Expects, document, known={"purposes": standards.purposes})
    _require_product(declared.product, document)
    return Expected(
        consumer=consumer,
        product=declared.product,
        purpose=declared.purpose,
        expectations=tuple(map(_expectation, declared.expectations)),
        file=document.file,
    )


def _expectation(rule: _Rule) -> Expectation:
    told = {"name": rule.name, "description": rule.description}
    return Expectation(
        type=rule.type,
        kwargs={
            name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in rule.kwargs.items()
        },
        severity=rule.severity,
        meta={name: value for name, value in told.items() if value},
    )


def _require_product(name: str, document: Document) -> None:
    wrong = Complaints(document)
    try:
        split_product(name)
    except ValueError as error:
        wrong.add(("product",), str(error), "write `domain.product`")
    wrong.raise_if_any()
