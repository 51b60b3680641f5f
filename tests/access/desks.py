"""A desk over a mesh of values: one product that may be asked for, its steward, those who ask, a clock that tests turn."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from mesh_defs.access.given import RequestBook
from mesh_defs.access.offer import Wanted
from mesh_defs.access.workflow import Desk
from mesh_defs.ledger import Ledger
from mesh_defs.model.access import AccessRequest, AccessRules, Decision, Mask, Principal, Requestable
from mesh_defs.model.mesh import Mesh
from mesh_defs.policy.authorize import Policy, authorize
from tests.factories import NOW, a_column, a_contract, a_domain, a_product, a_section, a_snapshot, a_standards

P = "audiences.persons"
CONTRACT = a_contract(
    P,
    columns=(
        a_column("person_id", primary_key=True, identifies="person"),
        a_column("email", classification="restricted", token="email"),
        a_column("name", classification="restricted"),
        a_column("region"),
        a_column("birth_year", type="INTEGER", logical_type="integer"),
    ),
)
PEOPLE = {
    "ada": Principal(name="ada", roles=("analyst",), attributes={"regions": ("west",)}),
    "max": Principal(name="max", roles=("planner",)),
    "grace": Principal(name="grace", roles=("steward", "analyst")),
    "ines": Principal(name="ines", roles=("steward",)),
}
OFFER = Requestable(
    id="analysts",
    product=P,
    roles=("analyst",),
    purposes=("measurement",),
    days_max=14,
    rows="region IN ${principal.regions}",
    masks={"email": Mask(kind="token"), "name": Mask(kind="deny")},
)


@dataclass
class Clock:
    """Stands still until a test turns it."""

    now: datetime = field(default=NOW)

    def __call__(self) -> datetime:
        return self.now

    def turn(self, **by: float) -> None:
        self.now += timedelta(**by)


def a_mesh(*offers: Requestable, **standards: Any) -> Mesh:
    rules = AccessRules(product=P, requestable=offers)
    section = a_section(a_domain(), a_product(CONTRACT), access=(rules,))
    return Mesh(a_snapshot(section), a_standards(people=PEOPLE, **standards))


def a_desk(place: Path | str, *offers: Requestable, clock: Clock | None = None, **standards: Any) -> Desk:
    """A process of its own over the ledger of the folder, or at a URL."""
    ledger = Ledger(place if isinstance(place, str) else f"sqlite:///{place}/ledger.sqlite")
    mesh = a_mesh(*(offers or (OFFER,)), **standards)
    return Desk(mesh=mesh, ledger=ledger, book=RequestBook(ledger), clock=clock or Clock())


def under(desk: Desk, *offers: Requestable, **standards: Any) -> Desk:
    """The same ledger, once the access file says something else."""
    return replace(desk, mesh=a_mesh(*offers, **standards))


def a_wish(**given: Any) -> Wanted:
    defaults = {
        "principal": "ada",
        "product": P,
        "purpose": "measurement",
        "columns": ("person_id", "email"),
        "days": 7,
    }
    return Wanted(**{**defaults, **given})


def decide(desk: Desk, who: str = "ada", purpose: str = "measurement") -> Decision:
    """What the door would decide now."""
    mesh = desk.mesh
    policy = Policy(grants=(*mesh.grants, *desk.book.grants(mesh)), contracts=mesh.contracts, standards=mesh.standards)
    asked = AccessRequest(principal=PEOPLE[who], purpose=purpose, products=(P,), now=desk.clock())
    return authorize(asked, policy)
