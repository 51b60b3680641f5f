"""What a request would come to, for tests of access files: as the workflow concludes it, on an empty record."""

from dataclasses import replace
from datetime import datetime

from mesh_defs.access.given import ceiling_of
from mesh_defs.access.offer import Wanted
from mesh_defs.access.terms import preview
from mesh_defs.model.access import AccessRules, Answer, PolicyTest, Requestable, View, Wish
from mesh_defs.model.contract import Contract
from mesh_defs.model.mesh import DataProduct, Domain, Mesh, Section, Snapshot
from mesh_defs.policy.authorize import Policy


def answer_to(test: PolicyTest, wish: Wish, policy: Policy, now: datetime) -> tuple[Answer, View]:
    """Who answers, and what would be shown once it is given. Raises MeshError, as `ask` does, for what may not be asked for."""
    mesh, name = _mesh(test, policy), test.principal.name
    wanted = Wanted(principal=name, product=test.product, purpose=test.purpose, columns=wish.columns, days=wish.days)
    asked, view = preview(mesh, wanted, at=now)
    ceiling = ceiling_of(asked, mesh)
    return ("granted" if isinstance(ceiling, Requestable) and ceiling.instant else "waiting"), view


def _mesh(test: PolicyTest, policy: Policy) -> Mesh:
    """The one product, and whoever asks as one of the people."""
    people = {**policy.standards.people, test.principal.name: test.principal}
    offers = tuple(each for each in policy.requestable if each.product == test.product)
    contract = policy.contracts[test.product]
    domain = _domain(contract, policy.stewards.get(contract.domain, ""))
    section = Section(
        location=domain.name,
        domain=domain,
        products=(_product(contract),),
        access=(AccessRules(product=test.product, requestable=offers),),
        fingerprint="",
        hash="",
        loaded_at=datetime.min,
    )
    snapshot = Snapshot(format=0, generation=0, sections=(section,))
    return Mesh(snapshot, replace(policy.standards, people=people))


def _domain(contract: Contract, steward: str) -> Domain:
    told = dict.fromkeys(("title", "description", "owner", "organisation", "storage"), "")
    return Domain(name=contract.domain, steward=steward, **told)


def _product(contract: Contract) -> DataProduct:
    return DataProduct(
        contract=contract, inputs=(), made_with="external", code_version="", location=contract.domain, storage=""
    )
