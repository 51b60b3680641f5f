"""Finds everything that can be found without running: in each domain by itself, and between the domains."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from mesh_defs.access.policy_tests import failures
from mesh_defs.authoring.examine import examine
from mesh_defs.authoring.folder import Declared, find_cycle, mention
from mesh_defs.authoring.product import SqlProduct
from mesh_defs.authoring.publish import binder_message
from mesh_defs.cleanroom.examined import room_findings
from mesh_defs.documents.compatibility import compare, demanded_version, is_enough
from mesh_defs.documents.standards import read_standards
from mesh_defs.documents.workspace import Location, read_workspace
from mesh_defs.errors import DeclarationError, Finding, MeshError, nearest
from mesh_defs.model.access import AccessRequest, AccessRules, Decision, Principal, service_of
from mesh_defs.model.contract import Contract
from mesh_defs.model.expected import Expected
from mesh_defs.model.mesh import Section
from mesh_defs.model.names import quoted
from mesh_defs.policy.authorize import Policy, authorize
from mesh_defs.policy.demands import unmet
from mesh_defs.policy.governance import hoarding
from mesh_defs.query.mesh import open_storage
from mesh_defs.settings import Settings
from mesh_defs.sql.build import filled
from mesh_defs.sql.lineage import column_lineage
from mesh_defs.sql.view import shown_types
from mesh_defs.upkeep.audit import contract_of
from quality_checks import falls_back, gx_problems, problems

_Types = dict[str, str]


def validate(settings: Settings) -> tuple[Finding, ...]:
    """Return every finding of the whole mesh; none when all is well. Imports the domains' code, runs none of it."""
    root = settings.root
    try:
        standards = read_standards(root)
        locations = [location for location in read_workspace(root) if location.is_domain]
    except DeclarationError as error:
        return error.findings
    findings: list[Finding] = [*_unlisted(root, locations)]
    examined = [examine(location, settings) for location in locations]
    findings += [finding for each in examined for finding in each.findings]
    sections = [each.section for each in examined if each.section]
    # Between domains only what all of them say can be judged: a broken one would look like many missing products.
    if len(sections) == len(locations):
        everything = {name: product for each in examined for name, product in each.products.items()}
        policy = Policy(
            grants=tuple(grant for section in sections for rules in section.access for grant in rules.grants),
            contracts={name: contract for name, (contract, _) in everything.items()},
            standards=standards,
            requestable=tuple(each for section in sections for rules in section.access for each in rules.requestable),
            stewards={section.domain.name: section.domain.steward for section in sections if section.domain},
        )
        findings += _between(everything, policy, root)
        findings += _governed(sections, policy)
        findings += [each for section in sections for told in section.expects for each in _unmet(told, policy)]
        findings += room_findings(root, policy, datetime.now(UTC))
    findings += _versions(sections, settings)
    return tuple(dict.fromkeys(findings))


def _governed(sections: list[Section], policy: Policy) -> Iterator[Finding]:
    """What the standards demand of each product, and the tests of the access files."""
    rules = {each.product: each for section in sections for each in section.access}
    for name, contract in policy.contracts.items():
        yield from unmet(contract, rules.get(name, AccessRules(product=name)), policy.standards)
    yield from failures((test for each in rules.values() for test in each.tests), policy)


def _unlisted(root: Path, locations: list[Location]) -> Iterator[Finding]:
    known = {location.folder for location in locations}
    for file in sorted((root / "domains").glob("*/domain.yaml")):
        if file.parent.resolve() not in known:
            where = str(file.parent.relative_to(root))
            fix = f"add `- python_file: {{relative_path: {where}/definitions.py, location_name: {file.parent.name}}}`"
            yield Finding(where="workspace.yaml", what=f"{where} is no code location", fix=fix)


def _between(everything: Mapping[str, tuple[Contract, Declared]], policy: Policy, root: Path) -> Iterator[Finding]:
    contracts = {name: contract for name, (contract, _) in everything.items()}
    for name, (contract, made) in everything.items():
        unknown = [wanted for wanted in made.inputs if wanted not in contracts]
        for wanted in unknown:
            what = f"{name} reads {wanted}, which no domain offers"
            yield Finding(where=mention(made, wanted, root), what=what, fix=nearest(wanted, contracts))
        if unknown:
            continue
        inputs = {wanted: contracts[wanted] for wanted in made.inputs}
        decision = _decision(contract, made, policy)
        yield from _ungranted(contract, made, decision, root)
        if isinstance(made, SqlProduct):
            yield from _unbound(contract, made, _seen(_schemas(inputs), decision), root)
        yield from _undecided(contract)
        lineage = column_lineage(made.sql, _schemas(inputs)) if isinstance(made, SqlProduct) else None
        yield from hoarding(contract, inputs, lineage)
    cycle = find_cycle({name: made.inputs for name, (_, made) in everything.items()})
    if cycle:
        what = f"a cycle: {' → '.join(cycle)}"
        yield Finding(where=contracts[cycle[0]].file, what=what, fix="let one of them do without another")


def _unbound(contract: Contract, made: SqlProduct, inputs: Mapping[str, _Types], root: Path) -> Iterator[Finding]:
    """Let DuckDB bind the SELECT to empty tables of the columns that it will meet: unknown ones and types show without a row."""
    where = str(Path(made.file).relative_to(root))
    with duckdb.connect() as connection:
        for name, types in inputs.items():
            columns = ", ".join(f"{quoted(column)} {type_}" for column, type_ in types.items())
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(name.partition('.')[0])}")
            connection.execute(f"CREATE TABLE {'.'.join(map(quoted, name.split('.')))} ({columns})")
        select = filled(made.sql, contract.partitioning.first.parameters) if contract.partitioning else made.sql
        try:
            yielded = [row[0] for row in connection.execute(f"DESCRIBE {select}").fetchall()]
        except duckdb.Error as error:
            yield Finding(where=where, what=binder_message(error), fix="mend the SELECT")
            return
    missing = [name for name in contract.column_names if name not in yielded]
    if missing:
        what = f"the SELECT does not yield the promised {', '.join(missing)}; it yields {', '.join(yielded)}"
        yield Finding(where=where, what=what, fix=f"yield them, or mend {contract.file}")


def _undecided(contract: Contract) -> Iterator[Finding]:
    """What GX would refuse of the rules that it is to decide; it is imported only when there are some."""
    types = {column.name: column.type for column in contract.columns}
    for expectation in contract.expectations:
        if falls_back(expectation, types):
            for problem in gx_problems(expectation):
                what, _, fix = problem.partition(" — ")
                where = f"{contract.file}: {expectation.name}"
                yield Finding(where=where, what=what, fix=fix or "mend the rule, or leave it out")


def _unmet(expected: Expected, policy: Policy) -> Iterator[Finding]:
    """What keeps a domain's expectations of others from being looked at."""
    contracts = policy.contracts
    named = (expected.product, *expected.tables)
    unknown = [name for name in named if name not in contracts]
    for name in unknown:
        yield Finding(where=expected.file, what=f"no domain offers {name}", fix=nearest(name, contracts))
    if unknown:
        return
    service = Principal(name=service_of(expected.consumer), roles=("service",))
    now, products = datetime.now(UTC), tuple(dict.fromkeys(named))
    decision = authorize(AccessRequest(principal=service, purpose=expected.purpose, products=products, now=now), policy)
    if not decision.allowed:
        reasons = "; ".join(decision.reasons)
        yield Finding(where=expected.file, what=f"{service.name} may not look: {reasons}", fix=decision.fix)
    types = {column.name: column.type for column in contracts[expected.product].columns}
    for expectation in expected.expectations:
        where = f"{expected.file}: {expectation.name}"
        for problem in problems(expectation, types):
            what, _, fix = problem.partition(" — ")
            yield Finding(where=where, what=what, fix=fix or "mend the rule, or leave it out")
        other, column = (str(expectation.kwargs.get(key, "")) for key in ("other_table_name", "other_column"))
        if column and other in contracts and column not in contracts[other].column_names:
            fix = nearest(column, contracts[other].column_names)
            yield Finding(where=where, what=f"{other} has no column '{column}'", fix=fix)


def _decision(contract: Contract, made: Declared, policy: Policy) -> Decision:
    """What its domain's pipelines may read of the inputs."""
    service = Principal(name=service_of(contract.domain), roles=("service",))
    asked = AccessRequest(principal=service, purpose=contract.purpose, products=made.inputs, now=datetime.now(UTC))
    return authorize(asked, policy)


def _ungranted(contract: Contract, made: Declared, decision: Decision, root: Path) -> Iterator[Finding]:
    """A pipeline without a grant would fail at its first run."""
    service = service_of(contract.domain)
    for name, reason in zip(made.inputs, decision.reasons, strict=True):
        if name not in decision.grants:
            fix = f"have its owner grant {name} to {service} for {contract.purpose}"
            yield Finding(where=mention(made, name, root), what=f"{service} may not read {reason}", fix=fix)


def _seen(schemas: Mapping[str, _Types], decision: Decision) -> dict[str, _Types]:
    """The columns as the pipeline meets them: without those that are denied, tokens as text."""
    views = decision.views
    return {name: shown_types(views[name], types) if name in views else types for name, types in schemas.items()}


def _schemas(contracts: Mapping[str, Contract]) -> dict[str, _Types]:
    return {name: {column.name: column.type for column in contract.columns} for name, contract in contracts.items()}


def _versions(sections: list[Section], settings: Settings) -> Iterator[Finding]:
    """Contracts against what is published: a change must raise the version as far as it demands."""
    ours = (product for section in sections for product in section.products if not product.contract.external)
    for product in ours:
        try:
            current = open_storage(product, settings).current()
        except MeshError as error:
            yield Finding(where=product.name, what=error.what, fix=error.fix)
            continue
        published = contract_of(current) if current else None
        if published is None:
            continue
        changes = compare(published, product.contract)
        demanded = demanded_version(published.version, changes)
        if not is_enough(product.contract.version, demanded):
            told = "; ".join(change.what for change in changes)
            what = f"found {product.contract.version}, published as {published.version}, since then: {told}"
            yield Finding(where=f"{product.contract.file}: version", what=what, fix=f"write `version: {demanded}`")
