"""What `mesh validate` would find, as far as files alone tell: no code is imported, no store is asked."""

import re
from collections.abc import Iterator
from datetime import datetime

from mesh_defs.access.policy_tests import run_tests
from mesh_defs.documents.granularity import derived_problems
from mesh_defs.errors import Finding, nearest
from mesh_defs.model.access import AccessRules, service_of
from mesh_defs.model.contract import Contract
from mesh_defs.policy.authorize import Policy
from mesh_defs.policy.demands import unmet
from mesh_defs.policy.governance import hoarding
from mesh_defs.review.made import Made
from mesh_defs.review.side import Side
from mesh_defs.review.sight import sight_of
from mesh_defs.sql.lineage import column_lineage


def new_findings(before: Side, after: Side, now: datetime) -> tuple[Finding, ...]:
    """Findings of the newer side that the older one did not have, wherever in its file each stood."""
    known = {_key(each) for each in _findings(before, now)}
    return tuple(dict.fromkeys(each for each in _findings(after, now) if _key(each) not in known))


def _key(finding: Finding) -> tuple[str, str]:
    return re.sub(r":\d+", "", finding.where), finding.what


def _findings(side: Side, now: datetime) -> Iterator[Finding]:
    yield from _failed_tests(side, now)
    for name, contract in sorted(side.contracts.items()):
        yield from unmet(contract, side.access.get(name, AccessRules(product=name)), side.standards)
        made = side.made.get(name)
        if made and made.inputs is not None:
            yield from _of_inputs(name, contract, made, made.inputs, side, now)
        elif made is None and not contract.external:
            yield Finding(where=contract.file, what=f"nothing makes {name}", fix=nearest(name, side.made))
    for name, made in sorted(side.made.items()):
        if name not in side.contracts:
            yield Finding(where=made.file, what=f"{name} has no contract", fix=nearest(name, side.contracts))


def _failed_tests(side: Side, now: datetime) -> Iterator[Finding]:
    policy = Policy(
        grants=tuple(grant for rules in side.access.values() for grant in rules.grants),
        contracts=dict(side.contracts),
        standards=side.standards,
        requestable=tuple(each for rules in side.access.values() for each in rules.requestable),
        stewards={name: domain.steward for name, domain in side.domains.items() if domain},
    )
    for each in run_tests(side.tests, policy, now=now):
        if each.wrong:
            what = f"test '{each.test.name}' fails: {each.wrong}"
            yield Finding(where=each.test.where, what=what, fix="mend the rule, or the test: `mesh access test`")


def _of_inputs(
    name: str, contract: Contract, made: Made, wanted: tuple[str, ...], side: Side, now: datetime
) -> Iterator[Finding]:
    unknown = [each for each in wanted if each not in side.contracts]
    for each in unknown:
        what = f"{name} reads {each}, which no domain offers"
        yield Finding(where=made.file, what=what, fix=nearest(each, side.contracts))
    service, purpose = service_of(contract.domain), contract.purpose
    for each in wanted:
        if each in unknown or each.startswith(f"{contract.domain}."):
            continue
        sight = sight_of(side, side.principals.get(service), purpose or "", each, now)
        if sight.view is None:
            what = f"{service} may not read {each}: {sight.reason}"
            fix = f"have its owner grant {each} to {service} for {purpose or 'the purpose that the contract lacks'}"
            yield Finding(where=made.file, what=what, fix=fix)
    yield from derived_problems(contract, wanted, root=side.root)
    if not unknown:
        inputs = {each: side.contracts[each] for each in wanted}
        lineage = column_lineage(made.sql, {each: side.schema(each) for each in wanted}) if made.sql else None
        yield from hoarding(contract, inputs, lineage)
