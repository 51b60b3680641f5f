"""Who asks, what was granted, what was decided. Values only: deciding is `policy.authorize`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import NoReturn


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A person (`ada`) or a service (`service:events`) with the roles that the standards give it."""

    name: str
    roles: tuple[str, ...] = ()
    title: str = ""

    @property
    def domain(self) -> str | None:
        """The domain whose pipelines this service identity runs; None for a person."""
        kind, _, rest = self.name.partition(":")
        return rest if kind == "service" and rest else None


def service_of(domain: str) -> str:
    """Return the name of a domain's service principal."""
    return f"service:{domain}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Lets the named principals and holders of the named roles read one product, for the named purposes, until a day."""

    id: str
    product: str
    principals: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    purposes: tuple[str, ...]
    expires: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRequest:
    """One principal wants to read some products, for one purpose, today."""

    principal: Principal
    purpose: str | None
    products: tuple[str, ...]
    today: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Allowed or not, by which grant for each product, and why. Never a bool: write `decision.allowed`."""

    allowed: bool
    grants: Mapping[str, str]
    reasons: tuple[str, ...]
    fix: str = ""

    def __bool__(self) -> NoReturn:
        raise TypeError("a Decision is not a bool; write decision.allowed")
