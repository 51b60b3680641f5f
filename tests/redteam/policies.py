"""Variants of the access rules that some cases need, as far as the row language can say them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tests.redteam.data import LARGE_ORDERS, LARGE_ROWS, Table, World

_FILTER = re.compile(r"filter:\s*(?P<rule>.+?)(?:\s+on a table without column (?P<lost>\w+))?\s*$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Arranged:
    """Worlds in which a case is tried, by what was arranged; none, and why, when it cannot be.

    `anew`: they hold other rows, and are published anew; else only their rules differ.
    """

    worlds: Mapping[str, World]
    anew: bool = False
    why_not: str = ""


def arranged(policy: str, world: World, *, external: bool = False) -> Arranged:
    """Return the worlds of a policy variant. A rule has no subquery here: who may see what is resolved to literals.

    An `external` product's columns are those that it has: none was published without a column that its contract has.
    """
    orders = world.tables[0]
    if policy == "large":
        return Arranged(worlds={f"{LARGE_ROWS:,} orders": world.with_orders(LARGE_ORDERS)}, anew=True)
    if policy.startswith("entitlement"):
        regions = ("EU", *(f"R{n}" for n in range(60)))
        entitled = replace(
            world.with_orders(orders.grant(rows="region IN (${principal.regions})")), attributes={"regions": regions}
        )
        return Arranged(worlds={"entitlements as the asker's attribute, 61 values": entitled})
    if told := _FILTER.fullmatch(policy):
        ruled = orders.grant(rows=told["rule"].strip())
        worlds = {"the rule as it is written": world.with_orders(ruled)}
        if told["lost"] and not external:
            worlds["the contract has the column, the published version has not"] = world.with_orders(
                _promising(ruled, told["lost"])
            )
        return Arranged(worlds=worlds)
    return Arranged(worlds={}, why_not=f"the policy variant {policy!r} is not one that this harness can arrange")


def _promising(table: Table, column: str) -> Table:
    """The product as it will be when it is made anew: with a further column, that nothing published has yet."""
    select = f"SELECT *, 'EU' AS {column} FROM ({table.select}) AS made"
    return replace(table, columns={**table.columns, column: "VARCHAR"}, select=select)
