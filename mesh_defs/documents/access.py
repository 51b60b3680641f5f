"""access/*.access.yaml: who may read a product, for which purposes, which rows and columns how, until when; what may be
asked for; and tests of all that. Deny is the default."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from mesh_defs.documents.complaints import Complaints
from mesh_defs.documents.masks import MaskField, misfit
from mesh_defs.documents.reading import Document, read_document
from mesh_defs.documents.strict import Name, Slug, Strict, Text
from mesh_defs.documents.structure import build, known_name, refusal
from mesh_defs.errors import QueryRejectedError, nearest
from mesh_defs.model.access import AccessRules, Answer, Grant, PolicyTest, Principal, Requestable, Wish
from mesh_defs.model.contract import Contract
from mesh_defs.model.mesh import Standards
from mesh_defs.sql.row_rule import check_rule

_SERVICE = re.compile(r"service:[a-z][a-z0-9_]{0,62}")
# Names that the door records for what no file grants: a domain's own pipeline, and what was given on request.
_RESERVED = ("own-domain", "request-")
_ANYWHERE = "not in mesh.yaml"


def _principal(name: str, info: ValidationInfo) -> str:
    people = (info.context or {})["people"]
    if name not in people and not _SERVICE.fullmatch(name):
        raise refusal(
            f"'{name}' is no person of mesh.yaml", f"{nearest(name, people)} A pipeline is `service:<domain>`"
        )
    return name


def _id(name: str) -> str:
    if name.startswith(_RESERVED):
        raise refusal(f"'{name}' is reserved", "give the grant another id")
    return name


_Role = Annotated[str, known_name("roles", _ANYWHERE)]
_Principal = Annotated[str, AfterValidator(_principal)]
_Purpose = Annotated[str, known_name("purposes", _ANYWHERE)]
_Column = Annotated[str, known_name("columns", "no column of the product")]


class _Shown(Strict):
    """To whom something is shown, for what, and how much of it."""

    id: Annotated[Slug, AfterValidator(_id)]
    roles: list[_Role] = Field(default=[])
    principals: list[_Principal] = Field(default=[])
    purposes: list[_Purpose] = Field(min_length=1)
    rows: Text | None = None
    masks: dict[_Column, MaskField] = Field(default={})
    columns: list[_Column] = Field(default=[])

    def fields(self, product: str) -> dict[str, Any]:
        """What a Grant and a Requestable have in common."""
        return {
            "id": self.id,
            "product": product,
            "roles": tuple(self.roles),
            "principals": tuple(self.principals),
            "purposes": tuple(self.purposes),
            "rows": self.rows,
            "masks": {column: form.value() for column, form in self.masks.items()},
            "columns": tuple(self.columns),
        }


class _Grant(_Shown):
    expires: date | None = None


class _Requestable(_Shown):
    days_max: int = Field(ge=1, le=366)
    instant: bool = False


class _Asker(Strict):
    principal: _Principal | None = None
    roles: list[_Role] = Field(default=[])
    attributes: dict[Name, list[Text]] = Field(default={})
    purpose: _Purpose


class _Asks(Strict):
    days: int = Field(ge=1)
    columns: list[_Column] = Field(default=[])


def _expected(given: Any) -> Any:
    if given == "denied":
        return None
    rows = isinstance(given, list) and all(isinstance(row, dict) for row in given)
    if not rows and given not in get_args(Answer):
        fix = "write `expect: denied`, or a list of rows; of what is asked for, `granted` or `waiting`, too"
        raise refusal("expects neither rows nor an answer", fix)
    return tuple(given) if rows else given


class _Test(Strict):
    name: Text
    as_: _Asker = Field(alias="as")
    asks: _Asks | None = None
    given: list[dict[_Column, Any]] = Field(default=[])
    expect: Annotated[Any, BeforeValidator(_expected)]


class _Access(Strict):
    format: Literal[1]
    product: Annotated[str, known_name("products", "no product of this domain")]
    grants: list[_Grant] = Field(default=[])
    requestable: list[_Requestable] = Field(default=[])
    tests: list[_Test] = Field(default=[])


def read_access(path: Path, standards: Standards, *, contracts: Mapping[str, Contract], root: Path) -> AccessRules:
    """Read one access file of a domain that offers `contracts`. Raises DeclarationError with every finding."""
    document = read_document(path, root=root)
    contract = contracts.get(str(document.data.get("product")))
    known = {
        "products": contracts,
        "people": standards.people,
        "roles": standards.roles,
        "purposes": standards.purposes,
        **({"columns": contract.column_names} if contract else {}),
    }
    declared = build(_Access, document, known=known)
    _require_sense(declared, contracts[declared.product], document)
    product = declared.product
    return AccessRules(
        product=product,
        grants=tuple(Grant(**each.fields(product), expires=each.expires) for each in declared.grants),
        requestable=tuple(
            Requestable(**each.fields(product), days_max=each.days_max, instant=each.instant)
            for each in declared.requestable
        ),
        tests=tuple(_tests(declared, standards, document)),
    )


def _tests(declared: _Access, standards: Standards, document: Document) -> Iterator[PolicyTest]:
    for index, test in enumerate(declared.tests):
        given = {name: tuple(values) for name, values in test.as_.attributes.items()}
        known = standards.people.get(test.as_.principal or "")
        asker = known or Principal(name=test.as_.principal or "tester")
        further = (role for given in test.as_.roles for role in standards.held_roles.get(given, (given,)))
        roles = tuple(dict.fromkeys((*asker.roles, *further)))
        yield PolicyTest(
            product=declared.product,
            name=test.name,
            principal=Principal(name=asker.name, roles=roles, attributes={**asker.attributes, **given}),
            purpose=test.as_.purpose,
            given=tuple(test.given),
            expected=test.expect,
            asks=Wish(days=test.asks.days, columns=tuple(test.asks.columns)) if test.asks else None,
            where=document.finding(("tests", index), "", "").where,
        )


def _require_sense(declared: _Access, contract: Contract, document: Document) -> None:
    """What only several fields together tell, and what only the contract can."""
    wrong = Complaints(document)
    ids: set[str] = set()
    shown: list[tuple[str, int, _Shown]] = [("grants", n, each) for n, each in enumerate(declared.grants)]
    shown += [("requestable", n, each) for n, each in enumerate(declared.requestable)]
    for kind, index, each in shown:
        if each.id in ids:
            wrong.add((kind, index, "id"), f"'{each.id}' is used twice", "give each its own id")
        ids.add(each.id)
        if not each.roles and not each.principals:
            to = "grants to nobody" if kind == "grants" else "may be asked for by nobody"
            wrong.add((kind, index), to, "add `roles: […]` or `principals: […]`")
        _require_fit(each, contract, (kind, index), wrong)
    for index, test in enumerate(declared.tests):
        if isinstance(test.expect, str) and not test.asks:
            fix = "add `asks: {days: 7}`, or write which rows must be seen"
            wrong.add(("tests", index, "expect"), f"`{test.expect}` answers a request, and nothing is asked for", fix)
    wrong.raise_if_any()


def _require_fit(shown: _Shown, contract: Contract, at: tuple[str, int], wrong: Complaints) -> None:
    types = {column.name: column.type for column in contract.columns}
    if shown.rows is not None:
        try:
            check_rule(shown.rows, types)
        except QueryRejectedError as error:
            what = f"{error.where}: {error.what}" if error.where else error.what
            wrong.add((*at, "rows"), what, error.fix)
    for name, form in shown.masks.items():
        column = contract.column(name)
        if column and (found := misfit(form.value(), column)):
            wrong.add((*at, "masks", name), *found)
