"""Who gains or loses which rows and columns: every principal, purpose and product decided under both sides' files.

A domain's own pipelines see its own products whole on either side, and grants that were given on request are state, not
files: neither is compared. What may be asked for is, offer by offer, as if all of it had been given.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from mesh_defs.model.access import Principal
from mesh_defs.review.causes import causes, purpose_told
from mesh_defs.review.fixtures import Fixtures, Tried, together
from mesh_defs.review.side import Side
from mesh_defs.review.sight import Difference, Sight, differences, end_told, offer_of, rows_told, sight_of

_Look = Callable[[Side, Principal | None, str], Sight]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessChange:
    """Principals for whom the same changes, for the same purposes. `offer` is set for what may be asked for.

    `via` says of each principal by which role they have it, or that they are named; `because` what in the files makes the
    difference. The sights are those of one of them.
    """

    product: str
    principals: tuple[str, ...]
    purposes: tuple[str, ...]
    via: tuple[str, ...]
    offer: str | None
    differences: tuple[Difference, ...]
    before: Sight
    after: Sight
    tried: tuple[Tried, ...]
    because: tuple[str, ...]

    @property
    def gains(self) -> bool:
        """Whether anything more may be seen."""
        return any(each.gains for each in self.differences)

    @property
    def loses(self) -> bool:
        """Whether anything is seen no more."""
        return any(each.loses for each in self.differences)


def access_changes(before: Side, after: Side, now: datetime) -> tuple[AccessChange, ...]:
    """Every change, grouped; by product, and what gains first."""
    fixtures = Fixtures(before=before, after=after)
    found: list[AccessChange] = []
    for product in sorted({*before.access, *after.access}):
        look = _looking(product, now)
        found += _changes(before, after, product, None, look, _purposes(before, after, product), fixtures)
        offers = {each.id for side in (before, after) for each in side.requestable(product)}
        for offer in sorted(offers):
            look = _asking(product, offer, now)
            found += _changes(before, after, product, offer, look, _purposes(before, after, product), fixtures)
    return tuple(_grouped(found))


def _looking(product: str, now: datetime) -> _Look:
    return lambda side, principal, purpose: sight_of(side, principal, purpose, product, now)


def _asking(product: str, offer: str, now: datetime) -> _Look:
    def look(side: Side, principal: Principal | None, purpose: str) -> Sight:
        found = next((each for each in side.requestable(product) if each.id == offer), None)
        return offer_of(side, principal, purpose, found, now)

    return look


def _changes(
    before: Side,
    after: Side,
    product: str,
    offer: str | None,
    look: _Look,
    purposes: tuple[str, ...],
    fixtures: Fixtures,
) -> Iterator[AccessChange]:
    """One change for each principal and purpose. Those who are alike to the rules are decided once."""
    named = _named(before, after, product)
    decided: dict[Any, tuple[Sight, Sight]] = {}
    for name in sorted({*before.principals, *after.principals}):
        was, now = before.principals.get(name), after.principals.get(name)
        if any(each and each.domain == product.partition(".")[0] for each in (was, now)):
            continue
        for purpose in purposes:
            key = (name if name in named else "", _alike(was), _alike(now), purpose)
            if key not in decided:
                decided[key] = look(before, was, purpose), look(after, now, purpose)
            sights = decided[key]
            told = differences(*sights)
            if told:
                turned = any(each.of in ("access", "rows") for each in told)
                yield AccessChange(
                    product=product,
                    principals=(name,),
                    purposes=(purpose,),
                    via=(_via(was, now, product, offer, sights, (before, after)),),
                    offer=offer,
                    differences=told,
                    before=sights[0],
                    after=sights[1],
                    tried=fixtures.tried(name, product, *sights) if turned else (),
                    because=(
                        *causes(before, after, product, offer, name, sights, told),
                        *purpose_told(before, after, purpose),
                    ),
                )


def _alike(principal: Principal | None) -> Any:
    if principal is None:
        return None
    return principal.roles, tuple(sorted((name, tuple(values)) for name, values in principal.attributes.items()))


def _rules(side: Side, product: str) -> tuple[Any, ...]:
    return (*side.grants(product), *side.requestable(product))


def _named(before: Side, after: Side, product: str) -> frozenset[str]:
    return frozenset(name for side in (before, after) for each in _rules(side, product) for name in each.principals)


def _purposes(before: Side, after: Side, product: str) -> tuple[str, ...]:
    given = {purpose for side in (before, after) for each in _rules(side, product) for purpose in each.purposes}
    return tuple(sorted({purpose for side in (before, after) for purpose in side.standards.covered(given)}))


def _via(
    was: Principal | None,
    now: Principal | None,
    product: str,
    offer: str | None,
    sights: tuple[Sight, Sight],
    sides: tuple[Side, Side],
) -> str:
    """By what the side that shows something gives it: the newer one, where both do."""
    principal, sight, side = (now, sights[1], sides[1]) if sights[1].view else (was, sights[0], sides[0])
    rules = side.requestable(product) if offer else side.grants(product)
    rule = next((each for each in rules if sight.view and each.id == sight.view.grant), None)
    if rule is None or principal is None or principal.name in rule.principals:
        return "by name" if rule else ""
    held = [role for role in principal.roles if role in rule.roles]
    return f"role {held[0]}" if held else ""


def _grouped(found: list[AccessChange]) -> Iterator[AccessChange]:
    """Put together who has the same change for one purpose, then the purposes that have the same principals."""
    people: dict[Any, list[AccessChange]] = {}
    for each in found:
        people.setdefault((each.product, each.offer, each.purposes, _shape(each)), []).append(each)
    purposes: dict[Any, list[AccessChange]] = {}
    for key, alike in people.items():
        one = replace(
            alike[0],
            principals=tuple(name for each in alike for name in each.principals),
            via=tuple(via for each in alike for via in each.via),
            because=tuple(dict.fromkeys(told for each in alike for told in each.because)),
            tried=together(tried for each in alike for tried in each.tried),
        )
        same = (one.product, one.offer, one.principals, one.via, one.because, one.tried, key[3])
        purposes.setdefault(same, []).append(one)
    merged = [
        replace(alike[0], purposes=tuple(sorted(purpose for each in alike for purpose in each.purposes)))
        for alike in purposes.values()
    ]
    return iter(sorted(merged, key=lambda each: (each.product, each.offer or "", not each.gains, each.principals)))


def _shape(change: AccessChange) -> Any:
    """All that is told of a change but for whom and why."""
    whole = any(each.of == "access" for each in change.differences)
    sights = (change.before, change.after) if whole else ()
    return change.differences, tuple(_seen(sight) for sight in sights)


def _seen(sight: Sight) -> Any:
    if sight.view is None:
        return None
    masks = tuple((name, sight.mask(name)) for name in sight.columns)
    return rows_told(sight.rules), masks, end_told(sight.view.until), sight.terms
