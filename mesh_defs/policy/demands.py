"""What the federated standards demand of each product: governance rules that it must meet, row rules and masks that must fit."""

from collections.abc import Callable, Iterator, Mapping

from mesh_defs.documents.masks import misfit
from mesh_defs.errors import Finding, QueryRejectedError
from mesh_defs.model.access import AccessRules, Grant
from mesh_defs.model.contract import Contract
from mesh_defs.model.mesh import Standards
from mesh_defs.sql.row_rule import check_rule

_GUARDED = ("confidential", "restricted")


def unmet(contract: Contract, rules: AccessRules, standards: Standards) -> list[Finding]:
    """What a product owes the standards, each with the mesh's own reason and mend; `rules` is what its access file says."""
    found = [*_unfit_rows(contract, rules, standards), *_unfit_masks(contract, standards)]
    for rule in standards.governance:
        for what in _RULES[rule.rule](contract, rules, standards):
            found.append(Finding(where=contract.file, what=f"{what} ({rule.rule}: {rule.why})", fix=rule.mend))
    return found


def _unfit_rows(contract: Contract, rules: AccessRules, standards: Standards) -> Iterator[Finding]:
    """A product that lacks a column of a standard's rule shows no row for the purposes that it is granted for."""
    types = {column.name: column.type for column in contract.columns}
    given = {purpose for grant in rules.grants for purpose in grant.purposes}
    given |= {purpose for each in rules.requestable for purpose in each.purposes}
    wanted = {wider for purpose in given for wider in standards.reached(purpose)}
    for standard in standards.row_rules:
        for purpose, text in standard.rows.items():
            if standard.granularity != contract.granularity or purpose not in wanted:
                continue
            try:
                check_rule(text, types)
            except QueryRejectedError as error:
                what = f"it is granted for {purpose}, for which the standard '{standard.name}' shows nothing of it"
                fix = "add what the rule reads, or grant it for other purposes"
                yield Finding(where=contract.file, what=f"{what}: {error.what} in '{text}'", fix=fix)


def _unfit_masks(contract: Contract, standards: Standards) -> Iterator[Finding]:
    """A token that was never made shows nothing, which is sound; a mask of another kind must fit its column's type."""
    for column in contract.columns:
        mask = standards.masks.get(column.classification)
        found = misfit(mask, column) if mask and mask.kind != "token" else None
        if found:
            what = f"the standard mask of {column.classification} columns does not fit {column.name}: {found[0]}"
            yield Finding(
                where=contract.file, what=what, fix="classify the column otherwise, or change mesh.yaml's mask"
            )


def _undescribed(contract: Contract, rules: AccessRules, standards: Standards) -> Iterator[str]:
    names = [column.name for column in contract.columns if not column.description.strip()]
    if names:
        yield f"no description of {', '.join(names)}"


def _unclassified(contract: Contract, rules: AccessRules, standards: Standards) -> Iterator[str]:
    names = [column.name for column in contract.carrying("person") if column.classification not in _GUARDED]
    if names:
        yield f"{', '.join(names)} identifies persons, and is neither confidential nor restricted"


def _without_freshness(contract: Contract, rules: AccessRules, standards: Standards) -> Iterator[str]:
    if contract.service_level.freshness_hours_max is None:
        yield "no freshness is promised"


def _without_checks(contract: Contract, rules: AccessRules, standards: Standards) -> Iterator[str]:
    if not any(expectation.severity == "critical" for expectation in contract.expectations):
        yield "no promise about its rows is kept by a check that stops a publication"


def _without_tests(contract: Contract, rules: AccessRules, standards: Standards) -> Iterator[str]:
    withheld = [grant.id for grant in rules.grants if _withholds(grant, contract, standards)]
    if withheld and not rules.tests:
        yield f"the access file tests nothing, and {', '.join(withheld)} withhold rows or columns"


def _withholds(grant: Grant, contract: Contract, standards: Standards) -> bool:
    """Whether a grant shows less than everything for some purpose, by itself or by the standards."""
    purposes = {purpose: set(standards.reached(purpose)) for purpose in standards.covered(grant.purposes)}
    ruled = {each for rule in standards.row_rules if rule.granularity == contract.granularity for each in rule.rows}
    masks = [standards.masks[c.classification] for c in contract.columns if c.classification in standards.masks]
    masks += grant.masks.values()
    hidden = any(ruled & wider or any(wider.isdisjoint(mask.unless) for mask in masks) for wider in purposes.values())
    return bool(grant.rows or grant.columns) or hidden


_RULES: Mapping[str, Callable[[Contract, AccessRules, Standards], Iterator[str]]] = {
    "described_columns": _undescribed,
    "classified_keys": _unclassified,
    "freshness": _without_freshness,
    "checks": _without_checks,
    "access_tests": _without_tests,
}
