"""What one principal sees of one product for one purpose under one side's files, and how two such sights differ."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, get_args

from mesh_defs.access.words import mask_told, rule_told
from mesh_defs.model.access import (
    LEAST_STRICT_FIRST,
    AccessRequest,
    DatePart,
    Grant,
    Mask,
    Principal,
    Requestable,
    RowRule,
    View,
)
from mesh_defs.policy.authorize import authorize
from mesh_defs.review.side import Side
from mesh_defs.sql.row_rule import NOTHING, rule_parts

EVERY_ROW = "every row"
_HIDDEN = Mask(kind="deny")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """`view` is None when nothing may be seen, for the reason; `columns` are all that the product promises on that side.

    `terms` are those of a request, for what may be asked for.
    """

    view: View | None
    reason: str = ""
    columns: tuple[str, ...] = ()
    terms: tuple[int, bool] | None = None

    @property
    def rules(self) -> tuple[RowRule, ...]:
        """The row rules, all of which a row must fulfil."""
        return self.view.rules if self.view else ()

    def mask(self, column: str) -> Mask | None:
        """How a column is shown; one that is not there is hidden."""
        return self.view.masks.get(column) if self.view and column in self.columns else _HIDDEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is seen otherwise, before and after in words. Where neither more nor less is sure, both are set."""

    of: Literal["access", "column", "rows", "end", "terms"]
    name: str = ""
    before: str
    after: str
    gains: bool
    loses: bool


def sight_of(side: Side, principal: Principal | None, purpose: str, product: str, now: datetime) -> Sight:
    """What the grants of the access file show."""
    return _sight(side, principal, purpose, product, now, side.grants(product))


def offer_of(side: Side, principal: Principal | None, purpose: str, offer: Requestable | None, now: datetime) -> Sight:
    """What a principal may ask for under one offer, as a grant of all of it would show it."""
    if offer is None:
        return Sight(view=None, reason="no such offer")
    fields = {name: getattr(offer, name) for name in ("id", "product", "principals", "roles", "purposes", "rows")}
    grant = Grant(**fields, masks=offer.masks, columns=offer.columns)
    sight = _sight(side, principal, purpose, offer.product, now, (grant,))
    return replace(sight, terms=(offer.days_max, offer.instant))


def differences(before: Sight, after: Sight) -> tuple[Difference, ...]:
    """Every difference of two sights; none when neither shows anything."""
    if before.view is None and after.view is None:
        return ()
    if before.view is None:
        return (Difference(of="access", before="denied", after="allowed", gains=True, loses=False),)
    if after.view is None:
        told = f"denied ({after.reason})"
        return (Difference(of="access", before="allowed", after=told, gains=False, loses=True),)
    return (*_columns(before, after), *_rows(before, after), *_end(before.view, after.view), *_terms(before, after))


def rows_told(rules: Iterable[RowRule], otherwise: str = EVERY_ROW) -> str:
    """Which rows are seen, in the files' own words; with no rule, `otherwise`."""
    return "; ".join(f"{_rule_told(rule)} ({rule.source})" for rule in rules) or otherwise


def end_told(until: datetime | None) -> str:
    """The last day on which a grant holds."""
    return f"until {until - timedelta(seconds=1):%Y-%m-%d}" if until else "without an end"


def terms_told(terms: tuple[int, bool] | None) -> str:
    """How a request is answered, and for how long."""
    days, instant = terms or (0, False)
    return f"for {days} days at most, answered {'at once' if instant else 'by the owner'}"


def _sight(
    side: Side, principal: Principal | None, purpose: str, product: str, now: datetime, grants: tuple[Grant, ...]
) -> Sight:
    contract = side.contracts.get(product)
    if contract is None:
        return Sight(view=None, reason="the product is gone")
    if principal is None:
        return Sight(view=None, reason="not known to the mesh")
    request = AccessRequest(principal=principal, purpose=purpose, products=(product,), now=now)
    decision = authorize(request, side.policy(product, grants))
    reason = "" if decision.allowed else decision.reasons[0].removeprefix(f"{product}: ")
    if not decision.allowed and side.access_unread(contract):
        reason += f"; an access file of {contract.domain} cannot be read"
    return Sight(view=decision.views.get(product), reason=reason, columns=contract.column_names)


def _columns(before: Sight, after: Sight) -> Iterator[Difference]:
    gone = (name for name in before.columns if name not in after.columns)
    for name in (*after.columns, *gone):
        was, now = before.mask(name), after.mask(name)
        if was != now:
            shown = [mask_told(each.mask(name)) if name in each.columns else "not there" for each in (before, after)]
            yield Difference(
                of="column", name=name, before=shown[0], after=shown[1], gains=_more(was, now), loses=_more(now, was)
            )


def _more(was: Mask | None, now: Mask | None) -> bool:
    """Whether a mask shows more than another did; between two of one kind that cannot be compared, it may."""
    ranks = [-1 if mask is None else LEAST_STRICT_FIRST.index(mask.kind) for mask in (was, now)]
    if ranks[0] != ranks[1] or was is None or now is None:
        return ranks[1] < ranks[0]
    parts = get_args(DatePart)
    if isinstance(was.value, int) and isinstance(now.value, int):
        return now.kind == "truncate" and now.value > was.value
    if was.value in parts and now.value in parts:
        return parts.index(now.value) > parts.index(was.value)
    return now.kind == "truncate"


def _rows(before: Sight, after: Sight) -> Iterator[Difference]:
    was, now = (_demands(sight) for sight in (before, after))
    if was == now:
        return
    gains, loses = not was <= now, not now <= was
    if NOTHING in was or NOTHING in now:
        gains, loses = NOTHING in was, NOTHING in now
    kept = [rule for rule in before.rules if rule in after.rules]
    further = [[rule for rule in sight.rules if rule not in kept] for sight in (before, after)]
    if [rule.text for rule in further[0]] == [rule.text for rule in further[1]]:  # only the asker's attributes changed
        further = [[replace(rule, text=rule.bound) for rule in rules] for rules in further]
    none = "no further rule" if kept else EVERY_ROW
    told = [rows_told(rules, none) for rules in further]
    still = f"; still {rows_told(kept)}" if kept else ""
    yield Difference(of="rows", before=told[0], after=f"{told[1]}{still}", gains=gains, loses=loses)


def _rule_told(rule: RowRule) -> str:
    """The attributes of the asker as the file names them, so that it reads alike for all; but not when one is missing."""
    return rule_told(rule if rule.bound == NOTHING else replace(rule, bound=rule.text))


def _demands(sight: Sight) -> frozenset[str]:
    """All conditions that a row must meet; when one is never met, the others do not matter."""
    parts = frozenset(part for rule in sight.rules for part in rule_parts(rule.bound))
    return frozenset({NOTHING}) if NOTHING in parts else parts


def _end(before: View, after: View) -> Iterator[Difference]:
    was, now = before.until, after.until
    if was != now:
        longer = was is not None and (now is None or now > was)
        yield Difference(of="end", before=end_told(was), after=end_told(now), gains=longer, loses=not longer)


def _terms(before: Sight, after: Sight) -> Iterator[Difference]:
    was, now = before.terms, after.terms
    if was and now and was != now:
        told = [terms_told(each) for each in (was, now)]
        more, less = (any(a > b for a, b in zip(*pair, strict=True)) for pair in ((now, was), (was, now)))
        yield Difference(of="terms", before=told[0], after=told[1], gains=more, loses=less)
