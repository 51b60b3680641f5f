"""A domain's folder as values: its domain.yaml, contracts and products, matched by name. Everything wrong is found in one go."""

import hashlib
import importlib.util
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mesh_defs.authoring.product import ExternalProduct, ProductFunction, SqlProduct, read_sql_product
from mesh_defs.documents.expects import read_expects
from mesh_defs.documents.granularity import derived_problems
from mesh_defs.documents.odcs import read_contract
from mesh_defs.documents.standards import read_domain, read_standards
from mesh_defs.errors import DeclarationError, Finding, nearest
from mesh_defs.model.contract import Contract
from mesh_defs.model.expected import Expected
from mesh_defs.model.mesh import DataProduct, Domain, Standards

Made = ProductFunction | SqlProduct
Declared = Made | ExternalProduct


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainFolder:
    """What one domain declares: each product with the contract that describes it, and what it expects of others'."""

    domain: Domain
    products: Mapping[str, tuple[Contract, Declared]]
    expects: tuple[Expected, ...] = ()

    def declaration(self, name: str) -> DataProduct:
        """The product as the catalog keeps it."""
        contract, made = self.products[name]
        return DataProduct(
            contract=contract,
            inputs=tuple(dict.fromkeys((*made.inputs, *(contract.asks.products if contract.asks else ())))),
            made_with=made.made_with,
            code_version=made.code_version,
            location=self.domain.name,
            storage=self.domain.storage,
        )


def read_folder(folder: Path, *, root: Path) -> DomainFolder:
    """Read and match everything. Raises DeclarationError with all findings; what a product's own import raises passes."""
    standards = read_standards(root)
    domain = read_domain(folder, standards, root=root)
    findings: list[Finding] = []
    contracts: dict[str, Contract] = {}
    for file in sorted((folder / "contracts").glob("*.odcs.yaml")):
        try:
            contract = read_contract(file, standards, root=root)
        except DeclarationError as error:
            findings += error.findings
            continue
        findings += _misplaced(contract, domain, contracts)
        contracts[contract.product] = contract
    made: dict[str, Declared] = {}
    for product in _products(folder, root, findings):
        name = f"{domain.name}.{product.name}"
        if name in made:
            what = f"a second product '{name}', the first is in {_shown(made[name].file, root)}"
            findings.append(Finding(where=_shown(product.file, root), what=what, fix="rename one of them"))
        if name in contracts and contracts[name].external:
            fix = f"remove the file, or the property in {contracts[name].file}"
            findings.append(Finding(where=_shown(product.file, root), what=f"makes {name}, which is external", fix=fix))
        made[name] = product
    for contract in contracts.values():
        if contract.external:
            made[contract.product] = ExternalProduct(
                name=contract.product.partition(".")[2], file=str(root / contract.file)
            )
    expects = tuple(_expects(folder, domain, standards, root, findings))
    if not findings:
        findings += _unmatched(domain, contracts, made, root)
        findings += _inner_problems(domain, contracts, made, root)
    if findings:
        raise DeclarationError(findings)
    products = {name: (contracts[name], made[name]) for name in sorted(contracts)}
    return DomainFolder(domain=domain, products=products, expects=expects)


def _misplaced(contract: Contract, domain: Domain, earlier: Mapping[str, Contract]) -> Iterator[Finding]:
    if contract.domain != domain.name:
        what = f"found domain '{contract.domain}' in the folder of '{domain.name}'"
        yield Finding(where=f"{contract.file}: domain", what=what, fix=f"write `domain: {domain.name}`")
    if contract.product in earlier:
        what = f"a second contract of {contract.product}, the first is {earlier[contract.product].file}"
        yield Finding(where=f"{contract.file}: dataProduct", what=what, fix="keep one contract per product")
    for other in earlier.values():
        for place in {(s.environment, s.kind, s.place, s.table) for s in contract.servers}:
            if place in {(s.environment, s.kind, s.place, s.table) for s in other.servers}:
                what = f"lies where {other.product} lies ({place[2]})"
                yield Finding(where=f"{contract.file}: servers", what=what, fix="give each product a place of its own")


def _products(folder: Path, root: Path, findings: list[Finding]) -> Iterator[Made]:
    for file in sorted((folder / "products").glob("*.sql")):
        try:
            yield read_sql_product(file, shown=_shown(str(file), root))
        except DeclarationError as error:
            findings += error.findings
    for file in sorted((folder / "products").glob("*.py")):
        module = _load(file, folder.name)
        yield from (
            value for value in vars(module).values() if isinstance(value, ProductFunction) and value.file == str(file)
        )


def _expects(
    folder: Path, domain: Domain, standards: Standards, root: Path, findings: list[Finding]
) -> Iterator[Expected]:
    files: dict[str, str] = {}
    for file in sorted((folder / "expects").glob("*.expects.yaml")):
        try:
            expected = read_expects(file, standards, consumer=domain.name, root=root)
        except DeclarationError as error:
            findings += error.findings
            continue
        if expected.product in files:
            what = f"a second file about {expected.product}, the first is {files[expected.product]}"
            findings.append(Finding(where=expected.file, what=what, fix="keep one for each product"))
        files[expected.product] = expected.file
        yield expected


def _load(file: Path, domain: str) -> types.ModuleType:
    """Import a product's file by its path, in a package made up for the domain so that it may import its neighbours."""
    folder = hashlib.sha256(str(file.parent).encode()).hexdigest()[:8]
    package = f"mesh_domain_{domain}_{folder}"
    if package not in sys.modules:
        parent = types.ModuleType(package)
        parent.__path__ = [str(file.parent)]
        sys.modules[package] = parent
    spec = importlib.util.spec_from_file_location(f"{package}.{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {file}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _unmatched(
    domain: Domain, contracts: Mapping[str, Contract], made: Mapping[str, Declared], root: Path
) -> Iterator[Finding]:
    for name in contracts.keys() - made.keys():
        fix = f"add products/{name.partition('.')[2]}.sql or a @data_product function of that name; "
        yield Finding(where=contracts[name].file, what=f"nothing makes {name}", fix=fix + nearest(name, made))
    for name in made.keys() - contracts.keys():
        fix = f"add contracts/{made[name].name}.odcs.yaml; {nearest(name, contracts)}"
        yield Finding(where=_shown(made[name].file, root), what=f"{name} has no contract", fix=fix)


def _inner_problems(
    domain: Domain, contracts: Mapping[str, Contract], made: Mapping[str, Declared], root: Path
) -> Iterator[Finding]:
    for name, product in made.items():
        if name not in contracts:
            continue
        for wanted in product.inputs:
            if wanted.startswith(f"{domain.name}.") and wanted not in made:
                what = f"{name} reads {wanted}, which this domain does not offer"
                yield Finding(where=mention(product, wanted, root), what=what, fix=nearest(wanted, made))
        foreign = [wanted for wanted in product.inputs if not wanted.startswith(f"{domain.name}.")]
        if foreign and contracts[name].purpose is None:
            what = f"no purpose, but {name} reads {', '.join(foreign)}"
            fix = "add `{property: purpose, value: …}`: the purpose with which its pipeline reads"
            yield Finding(where=f"{contracts[name].file}: customProperties.purpose", what=what, fix=fix)
        if isinstance(product, SqlProduct):
            yield from _cut_problems(contracts[name], product, root)
        yield from derived_problems(contracts[name], product.inputs, root=root)
    cycle = find_cycle({name: product.inputs for name, product in made.items()})
    if cycle:
        where = _shown(made[cycle[0]].file, root)
        yield Finding(where=where, what=f"a cycle: {' → '.join(cycle)}", fix="let one of them do without another")


def _cut_problems(contract: Contract, made: SqlProduct, root: Path) -> Iterator[Finding]:
    """A SELECT that does not look at its partition would make all of them each time."""
    if contract.partitioning is None and made.parameters:
        what = f"${made.parameters[0]} has no value, since {contract.product} is not partitioned"
        fix = f"cut it in {contract.file} (`partitioned: true` on a column), or leave the parameter out"
        yield Finding(where=_shown(made.file, root), what=what, fix=fix)
    if contract.partitioning is not None and not made.parameters:
        wanted = "$window_start and $window_end" if contract.partitioning.is_daily else "$partition"
        what = f"{contract.product} is partitioned, but its SELECT names neither window nor partition"
        yield Finding(where=_shown(made.file, root), what=what, fix=f"restrict its inputs by {wanted}")


def mention(made: Declared, name: str, root: Path) -> str:
    """The product's file and the first line that names `name`, for a message about that input."""
    lines = Path(made.file).read_text(encoding="utf-8").lower().splitlines()
    line = next((number for number, text in enumerate(lines, start=1) if name in text), 1)
    return f"{_shown(made.file, root)}:{line}"


def find_cycle(inputs: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return a cycle among products as names, first and last alike; empty when there is none."""
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> tuple[str, ...]:
        if name in path:
            return (*path[path.index(name) :], name)
        if name in done or name not in inputs:
            return ()
        found = next((cycle for each in inputs[name] if (cycle := walk(each, (*path, name)))), ())
        done.add(name)
        return found

    return next((cycle for name in inputs if (cycle := walk(name, ()))), ())


def _shown(file: str, root: Path) -> str:
    path = Path(file)
    return str(path.relative_to(root)) if path.is_relative_to(root) else file
