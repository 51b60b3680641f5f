"""One side of a change: everything that a mesh's files declare, read without importing any domain's code.

What cannot be read is left out and said in `problems`; what is right is read all the same.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

from mesh_defs.documents.access import read_access
from mesh_defs.documents.expects import read_expects
from mesh_defs.documents.odcs import read_contract
from mesh_defs.documents.standards import read_domain, read_standards
from mesh_defs.documents.workspace import read_workspace
from mesh_defs.errors import DeclarationError, Finding
from mesh_defs.model.access import AccessRules, Grant, PolicyTest, Principal, Requestable, service_of
from mesh_defs.model.contract import Contract
from mesh_defs.model.expected import Expected
from mesh_defs.model.mesh import Domain, Standards
from mesh_defs.policy.authorize import Policy
from mesh_defs.review.made import Made, made_in

_NO_STANDARDS = Standards(
    organisation="",
    purposes={},
    roles={},
    people={},
    snapshot_age_seconds_max=0,
    retention_seconds=0,
    query_seconds_max=0,
    query_memory_bytes_max=0,
)
_Read = TypeVar("_Read")


@dataclass(frozen=True, kw_only=True)
class Side:
    """A mesh as its files declare it. `name` is for messages: "now", or a revision's. A domain is None when its
    domain.yaml cannot be read."""

    name: str
    root: Path
    standards: Standards = _NO_STANDARDS
    domains: Mapping[str, Domain | None] = field(default_factory=dict)
    contracts: Mapping[str, Contract] = field(default_factory=dict)
    made: Mapping[str, Made] = field(default_factory=dict)
    access: Mapping[str, AccessRules] = field(default_factory=dict)
    expects: tuple[Expected, ...] = ()
    problems: tuple[Finding, ...] = ()

    @cached_property
    def principals(self) -> Mapping[str, Principal]:
        """Everybody who can ask: the people, and each domain's pipelines."""
        services = (service_of(domain) for domain in self.domains)
        return {**self.standards.people, **{name: Principal(name=name, roles=("service",)) for name in services}}

    def grants(self, product: str) -> tuple[Grant, ...]:
        """What a product's access file grants."""
        rules = self.access.get(product)
        return rules.grants if rules else ()

    def requestable(self, product: str) -> tuple[Requestable, ...]:
        """What it lets people ask for."""
        rules = self.access.get(product)
        return rules.requestable if rules else ()

    def access_unread(self, contract: Contract) -> bool:
        """Whether the contract's domain has an access file that cannot be read: it may be this product's."""
        folder = str(Path(contract.file).parent.parent / "access")
        return any(each.where.startswith(f"{folder}/") for each in self.problems)

    @property
    def tests(self) -> tuple[PolicyTest, ...]:
        """Every access test."""
        return tuple(test for rules in self.access.values() for test in rules.tests)

    def policy(self, product: str, grants: tuple[Grant, ...] | None = None) -> Policy:
        """All that a decision about one product depends on; with other grants than the file's, when given."""
        contract = self.contracts.get(product)
        return Policy(
            grants=self.grants(product) if grants is None else grants,
            contracts={product: contract} if contract else {},
            standards=self.standards,
        )

    def schema(self, product: str) -> dict[str, str]:
        """Columns and types that a product promises."""
        contract = self.contracts.get(product)
        return {column.name: column.type for column in contract.columns} if contract else {}


def read_side(root: Path, name: str, *, real: Path) -> Side:
    """Read a mesh's files. `real` is where the mesh lies today: a location that leads there is meant below `root`."""
    problems: list[Finding] = []
    standards = _tried(partial(read_standards, root), problems)
    if standards is None:
        return Side(name=name, root=root, problems=tuple(problems))
    domains: dict[str, Domain | None] = {}
    contracts: dict[str, Contract] = {}
    made: dict[str, Made] = {}
    access: dict[str, AccessRules] = {}
    expects: list[Expected] = []
    for folder in _folders(root, real, problems):
        domains[folder.name] = _tried(partial(read_domain, folder, standards, root=root), problems)
        own = _contracts(folder, standards, root, problems)
        contracts |= own
        made |= made_in(folder, root, problems)
        access |= _access(folder, own, standards, root, problems)
        expects += _expects(folder, standards, root, problems)
    return Side(
        name=name,
        root=root,
        standards=standards,
        domains=domains,
        contracts=contracts,
        made=made,
        access=access,
        expects=tuple(expects),
        problems=tuple(problems),
    )


def _folders(root: Path, real: Path, problems: list[Finding]) -> Iterator[Path]:
    """Folders of the domains: those that workspace.yaml names; when it cannot be read, those that there are."""
    locations = _tried(partial(read_workspace, root), problems)
    listed = (
        sorted(file.parent for file in (root / "domains").glob("*/domain.yaml"))
        if locations is None
        else [location.folder for location in locations]
    )
    for folder in dict.fromkeys(listed):
        elsewhere = folder.is_relative_to(real) and not folder.is_relative_to(root)
        found = root / folder.relative_to(real) if elsewhere else folder
        if (found / "domain.yaml").is_file():
            yield found


def _contracts(folder: Path, standards: Standards, root: Path, problems: list[Finding]) -> dict[str, Contract]:
    found: dict[str, Contract] = {}
    for file in sorted((folder / "contracts").glob("*.odcs.yaml")):
        contract = _tried(partial(read_contract, file, standards, root=root), problems)
        if contract is None:
            continue
        if contract.domain != folder.name or contract.product in found:
            what = f"describes {contract.product}, which is another domain's or described already"
            problems.append(Finding(where=contract.file, what=what, fix="keep one contract per product"))
            continue
        found[contract.product] = contract
    return found


def _access(
    folder: Path, contracts: Mapping[str, Contract], standards: Standards, root: Path, problems: list[Finding]
) -> dict[str, AccessRules]:
    found: dict[str, AccessRules] = {}
    for file in sorted((folder / "access").glob("*.access.yaml")):
        rules = _tried(partial(read_access, file, standards, contracts=contracts, root=root), problems)
        if rules and rules.product in found:
            what = f"a second access file of {rules.product}"
            where = str(file.relative_to(root))
            problems.append(Finding(where=where, what=what, fix="keep one access file per product"))
        elif rules:
            found[rules.product] = rules
    return found


def _expects(folder: Path, standards: Standards, root: Path, problems: list[Finding]) -> Iterator[Expected]:
    for file in sorted((folder / "expects").glob("*.expects.yaml")):
        read = _tried(partial(read_expects, file, standards, consumer=folder.name, root=root), problems)
        if read:
            yield read


def _tried(read: Callable[[], _Read], problems: list[Finding]) -> _Read | None:
    """What was read, or None, with what is wrong added to the problems."""
    try:
        return read()
    except DeclarationError as error:
        problems += error.findings
        return None
