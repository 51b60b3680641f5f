"""What a person may ask for, and which of an access file's offers a wish falls under."""

from dataclasses import dataclass

from mesh_defs.access.given import allowed_columns, may_ask
from mesh_defs.errors import AccessDeniedError, NotFoundError, nearest
from mesh_defs.model.access import Principal, Requestable
from mesh_defs.model.mesh import Mesh


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody asks for. No columns: all that may be asked for. `under`: the id of one of the file's offers."""

    principal: str
    product: str
    purpose: str
    columns: tuple[str, ...] = ()
    days: int
    why: str = ""
    under: str | None = None


def offers(mesh: Mesh, principal: Principal, product: str) -> tuple[Requestable, ...]:
    """What the product's access file lets this person ask for, by id."""
    found = [each for each in mesh.requestable if each.product == product and may_ask(principal, each)]
    return tuple(sorted(found, key=lambda each: each.id)) if product in mesh.contracts else ()


def chosen(mesh: Mesh, wanted: Wanted) -> tuple[Requestable, tuple[str, ...]]:
    """The offer that a wish falls under, and the columns, in the contract's order: one that answers at once goes first.

    Raises NotFoundError for a product that is missing or not to be asked for, alike; AccessDeniedError, with what may be
    asked for, when no offer reaches so far.
    """
    principal = person(mesh, wanted.principal)
    fitting = [e for e in offers(mesh, principal, wanted.product) if wanted.under in (None, e.id)]
    if not fitting:
        what = f"{wanted.product}: not found, or nothing of it may be asked for by {wanted.principal}"
        raise NotFoundError(what, fix="`mesh products` lists what there is; its owner can let it be asked for")
    covered = {each.id: mesh.standards.covered(each.purposes) for each in fitting}
    if not [each for each in fitting if wanted.purpose in covered[each.id]]:
        purposes = ", ".join(sorted({purpose for each in fitting for purpose in covered[each.id]}))
        what = f"{wanted.product} may be asked for {purposes}, not for '{wanted.purpose}'"
        raise AccessDeniedError(what, fix="state one of these purposes: --purpose")
    fitting = [each for each in fitting if wanted.purpose in covered[each.id]]
    contract = mesh.contracts[wanted.product]
    fitting = _with_columns(fitting, {e.id: allowed_columns(e, contract) for e in fitting}, wanted)
    longest = max(each.days_max for each in fitting)
    if not 1 <= wanted.days <= longest:
        raise AccessDeniedError(f"it may be asked for 1 to {longest} days, not {wanted.days}", fix=f"--days {longest}")
    fitting = [each for each in fitting if wanted.days <= each.days_max]
    offer = min(fitting, key=lambda each: (not each.instant, principal.name not in each.principals, each.id))
    columns = wanted.columns or allowed_columns(offer, contract)
    return offer, tuple(name for name in contract.column_names if name in columns)


def person(mesh: Mesh, name: str) -> Principal:
    """Somebody of mesh.yaml. Raises AccessDeniedError: what a pipeline may read stands in access files alone."""
    people = mesh.standards.people
    if name.startswith("service:"):
        what = f"{name} is a pipeline's identity: what it may read stands in the access files"
        raise AccessDeniedError(what, fix="ask as a person: --as NAME")
    if name not in people:
        raise AccessDeniedError(
            f"nobody here is called '{name}'", fix=f"say who you are: --as; {nearest(name, people)}"
        )
    return people[name]


def _with_columns(fitting: list[Requestable], allowed: dict[str, tuple[str, ...]], wanted: Wanted) -> list[Requestable]:
    """The offers that hold all the wanted columns."""
    found = [each for each in fitting if set(wanted.columns) <= set(allowed[each.id])]
    if found:
        return found
    every = {name for names in allowed.values() for name in names}
    missing = [name for name in wanted.columns if name not in every]
    if missing:
        what = f"no column {', '.join(missing)} of {wanted.product} may be asked for"
        raise AccessDeniedError(what, fix=nearest(missing[0], every))
    told = "; ".join(f"'{offer}': {', '.join(names)}" for offer, names in sorted(allowed.items()))
    raise AccessDeniedError("no offer holds all these columns together", fix=f"ask for each by itself: {told}")
