"""Lets rows out of quarantine: audited under today's contract, published in one step, or left where they are.

A batch is published as it is; rows that were left out of a version are added to it. Never unaudited, and never over newer
data unless told so.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from mesh_defs.errors import MeshError, StorageError
from mesh_defs.model.access import service_of
from mesh_defs.model.partition import Partition
from mesh_defs.model.version import Candidate, Part, Version
from mesh_defs.query.mesh import served_from
from mesh_defs.sql.build import conform
from mesh_defs.sql.quarantine import together
from mesh_defs.storage.base import Refused, Storage
from mesh_defs.storage.layout import staged_at
from mesh_defs.storage.partitions import staged_for
from mesh_defs.storage.places import load_served, moving, store_served
from mesh_defs.upkeep.audit import audit, blocking, promised, require_version
from mesh_defs.upkeep.erased import load_erased
from mesh_defs.upkeep.quarantined import Custody, described, find, opened
from mesh_defs.upkeep.tokens import token_keys, tokenised
from quality_checks import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What became of it. `version` is None when it stays in quarantine: `told` says why, `results` what was audited."""

    product: str
    refused: Refused
    version: Version | None = None
    told: str = ""
    results: Sequence[Result] = ()


def release(custody: Custody, id: str, *, principal: str | None = None, over_newer: bool = False) -> Release:
    """Audit what lies in quarantine under today's contract, and publish it when it passes.

    Nobody else publishes, moves or erases meanwhile: what the audit saw is what readers get. On record before it is
    published. Raises NotFoundError for what was released before.
    """
    product, contract = custody.product, custody.product.contract
    owner = custody.require_owner(principal or service_of(contract.domain), id)
    with moving(custody.settings.places_folder, product.name):
        storage = custody.storage
        refused = find(product, storage, id)
        require_version(storage.current(), contract, refused.partition)
        if told := _unfit(refused, custody, storage, over_newer=over_newer):
            return Release(product=product.name, refused=refused, told=told)
        candidate = _staged(refused, custody, storage)
        try:
            partition = _partition(refused, custody)
            results = audit(custody.connection, storage, candidate.parts, contract, partition)
            if failing := blocking(results):
                storage.discard(candidate)
                custody.note("quarantine_kept", owner, id, failing=[result.expectation.name for result in failing])
                return Release(product=product.name, refused=refused, told=_failing(failing), results=results)
            decision = custody.note("quarantine_released", owner, id, version=candidate.id, over_newer=over_newer)
            version = _published(refused, custody, storage, candidate, results, decision)
        except BaseException:
            storage.discard(candidate)
            raise
        with suppress(StorageError):  # it is published; a second release finds that out, and the sweep removes it
            storage.drop_refused(id)
    return Release(product=product.name, refused=refused, version=version, results=results)


def _published(
    refused: Refused,
    custody: Custody,
    storage: Storage,
    candidate: Candidate,
    results: Sequence[Result],
    decision: int,
) -> Version:
    try:
        version = storage.publish(candidate, stamp=_stamp(refused, custody, candidate, results))
    except MeshError as error:
        custody.ledger.append("failed", {"decision": decision, "code": error.code}, at=custody.clock())
        raise
    places, name = custody.settings.places_folder, custody.product.name
    if not load_served(places, name):
        store_served(places, name, served_from(custody.product.contract, custody.settings))
    return version


def _stamp(refused: Refused, custody: Custody, candidate: Candidate, results: Sequence[Result]) -> dict[str, Any]:
    """What it was made from stands as it was; the data version is new, since what consumers read is."""
    about = refused.about
    return {
        **promised(custody.product.contract, results),
        "code_version": about.get("code_version", ""),
        "read": about.get("read", {}),
        "data_version": candidate.id,
        "released": {
            "id": refused.id,
            "kind": refused.kind,
            "partition": refused.partition,
            "refused_at": refused.refused_at.isoformat(),
            "data_from": about.get("left_out_of", refused.id),
        },
    }


def _unfit(refused: Refused, custody: Custody, storage: Storage, *, over_newer: bool) -> str:
    """Say why it cannot be released as things stand; empty when it can be tried."""
    contract = custody.product.contract
    if (contract.partitioning is None) != (refused.partition is None):
        return f"{contract.product} is cut otherwise today — re-materialize it"
    present = _in_place(refused, storage)
    if refused.kind == "rows" and not present:
        return "nothing is published that its rows could be added to — re-materialize the product"
    return "" if over_newer else _over_newer(refused, storage, present)


def _over_newer(refused: Refused, storage: Storage, present: Sequence[Part]) -> str:
    """Readers may have newer data by now: those rows would be lost, or old ones would come among them."""
    versions = {version.id: version for version in storage.versions()}
    ids = {_data_from(part, versions.get(staged_for(part))) for part in present}
    if refused.kind == "rows":
        base = refused.about.get("left_out_of")
        if base not in ids:
            return f"its rows were left out of version {base}, and readers have another — add them with --over-newer"
        return ""
    staged = staged_at(refused.id)
    if staged and any(newer > staged for newer in map(staged_at, ids) if newer):
        return "readers have newer data than this batch — replace it with --over-newer"
    return ""


def _data_from(part: Part, version: Version | None) -> str:
    """The candidate that this part's data is of: a release gives old data a new part."""
    released = version.stamp.get("released", {}) if version else {}
    if released and released.get("partition") == part.partition:
        return str(released["data_from"])
    return staged_for(part)


def _in_place(refused: Refused, storage: Storage) -> tuple[Part, ...]:
    """What readers have now where the release would be."""
    current = storage.current()
    return tuple(part for part in current.parts if part.partition == refused.partition) if current else ()


def _partition(refused: Refused, custody: Custody) -> Partition | None:
    cut = custody.product.contract.partitioning
    return cut.partition(refused.partition) if cut and refused.partition is not None else None


def _staged(refused: Refused, custody: Custody, storage: Storage) -> Candidate:
    """Stage what would be published: as today's contract has it, and without whoever was erased."""
    contract, connection = custody.product.contract, custody.connection
    keys = token_keys(contract, custody.settings.token_key)
    present = _in_place(refused, storage) if refused.kind == "rows" else ()
    with ExitStack() as stack:
        relations = [stack.enter_context(opened(connection, storage, refused))]
        if present:
            relations.insert(0, stack.enter_context(_reading(custody, storage, present)))
        selects = [_promised_rows(custody, relation) for relation in relations]
        select = together(*selects) if present else selects[0]
        persons = [column.name for column in contract.carrying("person")]
        select = load_erased(custody.settings.home).without(select, persons)
        select, tokens = stack.enter_context(tokenised(connection, select, keys))
        return storage.stage(connection, select, partition=refused.partition, tokens=tokens)


@contextmanager
def _reading(custody: Custody, storage: Storage, parts: Sequence[Part]) -> Iterator[str]:
    relation = storage.relation(custody.connection, parts)
    try:
        yield relation
    finally:
        storage.release(custody.connection, parts)


def _promised_rows(custody: Custody, relation: str) -> str:
    wanted = {column.name: column.type for column in custody.product.contract.columns}
    present = described(custody.connection, relation)
    missing = [name for name in wanted if name not in present]
    if missing:
        what = f"rows that lie there lack {', '.join(missing)}, which the contract promises today"
        raise StorageError(what, where=custody.product.name, fix="re-materialize the product")
    return conform(f"SELECT * FROM {relation}", wanted, present)


def _failing(failing: Sequence[Result]) -> str:
    told = "; ".join(f"{each.expectation.name} ({_why(each)})" for each in failing)
    return f"it does not pass the contract as it is today: {told}"


def _why(result: Result) -> str:
    return result.error or f"{result.unexpected_count or 'the'} rows are not as promised"
