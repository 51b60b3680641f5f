"""What is wrong with the rooms of a mesh, as far as its files tell: for `mesh validate`. Reads no row and no ledger."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from mesh_defs.cleanroom.rooms import FOLDER, SEATS, readers_of, room_names
from mesh_defs.cleanroom.signed import RoomFolder, Statement, is_genuine
from mesh_defs.documents.room import digest_of
from mesh_defs.errors import DeclarationError, Finding, StorageError, nearest
from mesh_defs.model.access import AccessRequest, Principal
from mesh_defs.model.contract import Contract
from mesh_defs.model.room import Agreement, Party, Reader, SharedTable
from mesh_defs.policy.authorize import Policy, authorize


def room_findings(root: Path, policy: Policy, now: datetime) -> Iterator[Finding]:
    """Every finding about every room: the agreement, its statements, and the products that this mesh reads for it."""
    for name in room_names(root):
        folder = RoomFolder(root / FOLDER / name)
        try:
            agreement, readers = folder.agreement(), readers_of(folder)
        except DeclarationError as error:
            yield from (
                Finding(where=f"{FOLDER}/{each.where}", what=each.what, fix=each.fix) for each in error.findings
            )
            continue
        where = f"{FOLDER}/{name}"
        if agreement.id != name:
            yield Finding(
                where=f"{where}/agreement.yaml: id", what=f"found '{agreement.id}'", fix=f"write `id: {name}`"
            )
        yield from statement_findings(folder, agreement, where)
        for party, reader in readers.items():
            yield from _of_reader(party, reader, agreement, policy, now, f"{where}/{SEATS}: {party}")
        yield from (each for contract in policy.contracts.values() for each in _of_asking(contract, agreement))


def statement_findings(folder: RoomFolder, agreement: Agreement, where: str) -> Iterator[Finding]:
    """Signatures and revocations that are none, or of another version. One that is missing is no fault of a file."""
    try:
        statements = folder.statements()
    except StorageError as error:
        yield Finding(where=error.where, what=error.what, fix=error.fix)
        return
    for each in statements:
        party = next((party for party in agreement.parties if party.name == each.party), None)
        if problem := _wrong(each, party, agreement):
            fix = f"ask {each.party} for it again"
            yield Finding(where=f"{where}: {each.party}, {each.kind}", what=problem, fix=fix)


def _wrong(said: Statement, party: Party | None, agreement: Agreement) -> str:
    if party is None:
        return "this is no party of the agreement"
    if not is_genuine(said, party):
        return "the signature does not hold"
    if said.room != agreement.id or said.agreement != digest_of(agreement):
        return "it is of another version of the agreement, and does not count for this one"
    return ""


def _of_reader(
    party: str, reader: Reader, agreement: Agreement, policy: Policy, now: datetime, where: str
) -> Iterator[Finding]:
    names, standards = [each.name for each in agreement.parties], policy.standards
    if party not in names:
        yield Finding(where=where, what=f"'{party}' is no party of the agreement", fix=nearest(party, names))
        return
    if reader.purpose not in standards.purposes:
        what = f"there is no purpose '{reader.purpose}'"
        yield Finding(where=where, what=what, fix=nearest(reader.purpose, standards.purposes))
        return
    tables = [table for table in agreement.tables if table.party == party]
    for table in tables:
        yield from _of_table(table, policy.contracts.get(table.product), policy, where)
    products = tuple(dict.fromkeys(table.product for table in tables if table.product in policy.contracts))
    principal = standards.people.get(reader.principal) or _service(reader.principal, policy)
    if principal is None:
        fix = f"{nearest(reader.principal, standards.people)} A pipeline is `service:<domain>`"
        yield Finding(where=where, what=f"nobody here is called '{reader.principal}'", fix=fix)
        return
    asked = AccessRequest(principal=principal, purpose=reader.purpose, products=products, now=now)
    decision = authorize(asked, policy)
    if not decision.allowed:
        reasons = "; ".join(decision.reasons)
        what = f"{reader.principal} may not read for {reader.purpose}: {reasons}"
        yield Finding(where=where, what=what, fix=decision.fix)


def _of_asking(contract: Contract, agreement: Agreement) -> Iterator[Finding]:
    """A product that is made of the room names products that are shared in it."""
    shared = {table.product for table in agreement.tables}
    if contract.asks and contract.asks.room == agreement.id:
        for name in sorted(set(contract.asks.products) - shared):
            what = f"{name} is not shared in room '{agreement.id}'"
            yield Finding(where=f"{contract.file}: customProperties.asks", what=what, fix=nearest(name, shared))


def _of_table(table: SharedTable, contract: Contract | None, policy: Policy, where: str) -> Iterator[Finding]:
    if contract is None:
        fix = nearest(table.product, policy.contracts)
        yield Finding(where=where, what=f"no domain offers {table.product}", fix=fix)
        return
    for name in table.columns:
        if name not in contract.column_names:
            fix = nearest(name, contract.column_names)
            yield Finding(where=where, what=f"{table.product} has no column '{name}'", fix=fix)
    if table.person not in [column.name for column in contract.carrying("person")]:
        fix = f"share its person column, or mark it in {contract.file}: `identifies: person`"
        yield Finding(where=where, what=f"{table.product}: '{table.person}' identifies no person", fix=fix)


def _service(name: str, policy: Policy) -> Principal | None:
    known = {product.partition(".")[0] for product in policy.contracts}
    service = Principal(name=name, roles=("service",))
    return service if service.domain in known else None
