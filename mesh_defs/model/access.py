"""Who asks, what was granted, what was decided. Values only: deciding is `policy.authorize`.

Row rules are kept as text in the row language of `sql.row_rule`, which their documents have checked.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, NoReturn

DatePart = Literal["year", "quarter", "month", "week", "day", "hour"]
MaskKind = Literal["token", "truncate", "constant", "null", "deny"]
# The least strict first: where two masks meet on one column, the stricter one holds.
LEAST_STRICT_FIRST: tuple[MaskKind, ...] = ("token", "truncate", "constant", "null", "deny")


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A person (`ada`) or a service (`service:events`) with the roles and attributes that the standards give it."""

    name: str
    roles: tuple[str, ...] = ()
    title: str = ""
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def domain(self) -> str | None:
        """The domain whose pipelines this service identity runs; None for a person."""
        kind, _, rest = self.name.partition(":")
        return rest if kind == "service" and rest else None


def service_of(domain: str) -> str:
    """Return the name of a domain's service principal."""
    return f"service:{domain}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """What stands in a column instead of its value, but for those who ask for a purpose in `unless`, or within one.

    `value` is the constant, or what a truncation keeps: so many characters of a text, a date up to its `DatePart`. A token
    is keyed, made when the product was published, and joins with tokens of its kind; a column without one shows nothing.
    """

    kind: MaskKind
    value: str | int | None = None
    unless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Lets the named principals and holders of the named roles read one product, until a day, for the named purposes and
    all within them.

    `rows` is the row rule (None: every row), `columns` those that are granted (none named: all), `masks` by column.
    `until` ends a grant that was given to a person for a time, to the second.
    """

    id: str
    product: str
    principals: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    purposes: tuple[str, ...]
    expires: date | None = None
    until: datetime | None = None
    rows: str | None = None
    masks: Mapping[str, Mask] = field(default_factory=dict)
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Requestable:
    """What may be asked for, by whom, for how long at most: the ceiling of every grant that is given on request.

    `instant`: answered at once, by the file; else the product's owner answers. `rows` and `masks` hold for what is given.
    """

    id: str
    product: str
    principals: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    purposes: tuple[str, ...]
    days_max: int
    instant: bool = False
    rows: str | None = None
    masks: Mapping[str, Mask] = field(default_factory=dict)
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for in a test of an access file. No columns: all that may be asked for."""

    days: int
    columns: tuple[str, ...] = ()


# What becomes of a request that is not denied: answered at once by the file, or left to the product's steward.
Answer = Literal["granted", "waiting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTest:
    """Rows of a product, who asks for what, and the rows that must be seen; `expected` None: denied.

    With `asks` access is asked for: the answer is expected, or the rows that would be seen once it is given.
    """

    product: str
    name: str
    principal: Principal
    purpose: str
    given: tuple[Mapping[str, object], ...]
    expected: tuple[Mapping[str, object], ...] | Answer | None
    asks: Wish | None = None
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRules:
    """All that one access file says of a product."""

    product: str
    grants: tuple[Grant, ...] = ()
    requestable: tuple[Requestable, ...] = ()
    tests: tuple[PolicyTest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRequest:
    """One principal wants to read some products, for one purpose, now."""

    principal: Principal
    purpose: str | None
    products: tuple[str, ...]
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRule:
    """One rule that a row must fulfil to be seen. `bound` is `text` with the asker's attributes put in as literals."""

    source: str
    text: str
    bound: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a decision shows of one product: the rows that fulfil every rule, and each column, masked or not.

    `until` is when the grant ends; None for one that does not.
    """

    grant: str
    rules: tuple[RowRule, ...] = ()
    masks: Mapping[str, Mask] = field(default_factory=dict)
    until: datetime | None = None

    @property
    def withheld(self) -> str:
        """What is kept back, or shown otherwise than it is: "rows", "columns", "rows and columns"; nothing of a whole one."""
        kinds = (("rows", self.rules), ("columns", self.masks))
        return " and ".join(kind for kind, kept in kinds if kept)

    @property
    def digest(self) -> str:
        """Names what is shown: two views of one version with the same digest show the same."""
        rules = sorted(rule.bound for rule in self.rules)
        masks = sorted((column, mask.kind, str(mask.value)) for column, mask in self.masks.items())
        return hashlib.sha256(repr((rules, masks)).encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Allowed or not, by which view of each product, why, and by which revision of the rules. Never a bool: write
    `decision.allowed`."""

    allowed: bool
    views: Mapping[str, View]
    reasons: tuple[str, ...]
    fix: str = ""
    revision: str = ""

    @property
    def grants(self) -> dict[str, str]:
        """The grant that applies to each product."""
        return {product: view.grant for product, view in self.views.items()}

    def __bool__(self) -> NoReturn:
        raise TypeError("a Decision is not a bool; write decision.allowed")
