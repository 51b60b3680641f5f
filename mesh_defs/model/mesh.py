"""The mesh as one immutable value: domains, products, grants and the federated standards."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal

from mesh_defs.model.access import AccessRules, Grant, Mask, Principal, Requestable
from mesh_defs.model.contract import Classification, Contract, Granularity
from mesh_defs.model.expected import Expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A team's part of the mesh. `owner` is a team, `steward` a person; `storage` is relative to the state folder."""

    name: str
    title: str
    description: str
    owner: str
    steward: str
    organisation: str
    storage: str
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataProduct:
    """A contract and how it is kept: its inputs, its code's version, and the location that makes it."""

    contract: Contract
    inputs: tuple[str, ...]
    made_with: Literal["sql", "python", "external"]
    code_version: str
    location: str
    storage: str

    @property
    def name(self) -> str:
        """`domain.product`."""
        return self.contract.product


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What one code location declares. When `error` is set, the products are the last known good ones.

    `fingerprint` tells whether the location's files changed since `loaded_at`; `hash` whether its meaning did.
    """

    location: str
    domain: Domain | None
    products: tuple[DataProduct, ...]
    access: tuple[AccessRules, ...]
    fingerprint: str
    hash: str
    loaded_at: datetime
    error: str | None = None
    expects: tuple[Expected, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The sections of all locations at one generation. Invariant: the generation on disk only grows."""

    format: int
    generation: int
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardRule:
    """A row rule that all products of a granularity obey, whatever they grant. `rows`: purpose -> rule; others are free.

    It holds for the purposes within that one too, besides any of their own. A product that lacks a column of the rule
    shows no row for that purpose.
    """

    name: str
    why: str
    granularity: Granularity
    rows: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class GovernanceRule:
    """Something that every product must meet: the platform's name of it, why this mesh wants it, and how to mend."""

    rule: str
    why: str
    mend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standards:
    """What all domains agreed on (mesh.yaml). `masks` by classification; `identifiers`: kinds of joinable tokens.

    `within`: narrower purpose -> the purpose that it lies within; `held_roles`: role -> itself and all that it includes.
    Principals hold all of them already. Invariant: no purpose lies within itself.
    """

    organisation: str
    purposes: Mapping[str, str]
    roles: Mapping[str, str]
    people: Mapping[str, Principal]
    snapshot_age_seconds_max: float
    retention_seconds: float
    query_seconds_max: float
    query_memory_bytes_max: int
    masks: Mapping[Classification, Mask] = field(default_factory=dict)
    row_rules: tuple[StandardRule, ...] = ()
    identifiers: Mapping[str, str] = field(default_factory=dict)
    governance: tuple[GovernanceRule, ...] = ()
    query_trino_above_bytes: int | None = None
    within: Mapping[str, str] = field(default_factory=dict)
    held_roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def reached(self, purpose: str | None) -> tuple[str, ...]:
        """The purpose and all that it lies within, the nearest first: what holds for any of them holds for it."""
        found = [purpose] if purpose else []
        while found and (wider := self.within.get(found[-1])):
            found.append(wider)
        return tuple(found)

    def covered(self, purposes: Iterable[str]) -> tuple[str, ...]:
        """These purposes and all that lie within one of them."""
        given = dict.fromkeys(purposes)
        narrower = (each for each in self.within if not given.keys().isdisjoint(self.reached(each)))
        return tuple(dict.fromkeys((*given, *narrower)))


@dataclass(frozen=True)
class Mesh:
    """Everything that is declared, joined. Pointers and grants of persons are state and live elsewhere."""

    snapshot: Snapshot
    standards: Standards

    @cached_property
    def domains(self) -> Mapping[str, Domain]:
        """Domains by name."""
        return {section.domain.name: section.domain for section in self.snapshot.sections if section.domain}

    @cached_property
    def products(self) -> Mapping[str, DataProduct]:
        """Products by name, in the order of domain and product."""
        found = (product for section in self.snapshot.sections for product in section.products)
        return {product.name: product for product in sorted(found, key=lambda product: product.name)}

    @cached_property
    def revision(self) -> str:
        """Names the rules as they are declared: it changes with any location's meaning, and with any standard."""
        told = repr([(section.location, section.hash) for section in self.snapshot.sections]) + repr(self.standards)
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @cached_property
    def access(self) -> tuple[AccessRules, ...]:
        """What each access file says."""
        return tuple(rules for section in self.snapshot.sections for rules in section.access)

    @cached_property
    def contracts(self) -> dict[str, Contract]:
        """Contracts by product."""
        return {name: product.contract for name, product in self.products.items()}

    @cached_property
    def grants(self) -> tuple[Grant, ...]:
        """Grants that the access files give."""
        return tuple(grant for rules in self.access for grant in rules.grants)

    @cached_property
    def requestable(self) -> tuple[Requestable, ...]:
        """What the access files let people ask for."""
        return tuple(each for rules in self.access for each in rules.requestable)

    def expected_of(self, product: str) -> tuple[Expected, ...]:
        """What other domains expect of a product, by consumer."""
        found = (each for section in self.snapshot.sections for each in section.expects if each.product == product)
        return tuple(sorted(found, key=lambda each: each.consumer))

    def section_of(self, product: str) -> Section | None:
        """The section that declares a product."""
        return next((s for s in self.snapshot.sections for p in s.products if p.name == product), None)

    def principal(self, name: str) -> Principal | None:
        """A person of the standards, or the service principal of a known domain."""
        service = Principal(name=name, roles=("service",), title="pipelines")
        return self.standards.people.get(name) or (service if service.domain in self.domains else None)

    def upstream(self, product: str) -> tuple[str, ...]:
        """Names of the products that `product` is made from."""
        found = self.products.get(product)
        return found.inputs if found else ()

    def downstream(self, product: str) -> tuple[str, ...]:
        """Names of the products that are made from `product`."""
        return tuple(_consumers(self.products, product))


def _consumers(products: Mapping[str, DataProduct], name: str) -> Iterator[str]:
    return (product.name for product in products.values() if name in product.inputs)
