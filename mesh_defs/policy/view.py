"""What one grant shows of one product, narrowed by the federated standards: row rules bound, masks resolved."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from mesh_defs.errors import QueryRejectedError
from mesh_defs.model.access import LEAST_STRICT_FIRST, Grant, Mask, Principal, RowRule, View
from mesh_defs.model.contract import Column, Contract
from mesh_defs.model.mesh import Standards
from mesh_defs.sql.row_rule import bind_rule

_NOTHING = Mask(kind="null")
_LEFT_OUT = Mask(kind="deny")


def view_of(
    contract: Contract,
    grant: Grant,
    principal: Principal,
    purpose: str,
    standards: Standards,
    *,
    until: datetime | None = None,
) -> View:
    """Raises QueryRejectedError when a rule does not fit the contract: then nothing may be shown."""
    purposes = standards.reached(purpose)
    rules = tuple(_rules(contract, grant, principal, purposes, standards))
    masks = {column.name: mask for column in contract.columns if (mask := _mask(column, grant, purposes, standards))}
    if len(masks) == len(contract.columns) and all(mask.kind == "deny" for mask in masks.values()):
        raise QueryRejectedError("no column is left to be shown")
    return View(grant=grant.id, rules=rules, masks=masks, until=until)


def strictest(masks: Iterable[Mask | None], column: Column, purposes: Collection[str]) -> Mask | None:
    """The mask of a column that several put one on, for a purpose and those that it lies within; two that differ in one
    kind show nothing together."""
    put = {_without_purposes(mask, column) for mask in masks if mask and not set(purposes) & set(mask.unless)}
    most = max((LEAST_STRICT_FIRST.index(mask.kind) for mask in put), default=None)
    held = [mask for mask in put if LEAST_STRICT_FIRST.index(mask.kind) == most]
    return held[0] if len(held) == 1 else (_NOTHING if held else None)


def _rules(
    contract: Contract, grant: Grant, principal: Principal, purposes: Sequence[str], standards: Standards
) -> Iterator[RowRule]:
    types = {column.name: column.type for column in contract.columns}
    texts = [(f"grant '{grant.id}'", grant.rows)]
    for standard in standards.row_rules:
        if standard.granularity == contract.granularity:
            texts += [(f"standard '{standard.name}'", standard.rows.get(purpose)) for purpose in purposes]
    for source, text in texts:
        if text is not None:
            yield RowRule(source=source, text=text, bound=bind_rule(text, principal.attributes, types))


def _mask(column: Column, grant: Grant, purposes: Sequence[str], standards: Standards) -> Mask | None:
    """The strictest of what the grant and the standards put on a column; None shows it as it is."""
    if grant.columns and column.name not in grant.columns:
        return _LEFT_OUT
    return strictest((grant.masks.get(column.name), standards.masks.get(column.classification)), column, purposes)


def _without_purposes(mask: Mask, column: Column) -> Mask:
    """A token that was never made cannot be shown."""
    return _NOTHING if mask.kind == "token" and column.token is None else replace(mask, unless=())
