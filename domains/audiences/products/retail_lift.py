"""What the campaigns of 1997 added to a record shop's sales of 1998, asked in the clean room; neither side's rows leave it."""

import pandas

from mesh_defs import ProductRoom, data_product, lift_of

_BUYERS = """
    SELECT e.campaign, e.exposed, count(DISTINCT e.person_id) AS buyers, sum(o.amount) AS spent
    FROM northlight.exposures AS e
    JOIN cadence.orders AS o ON o.person_id = e.person_id
    WHERE o.half = '1998-1'
    GROUP BY e.campaign, e.exposed
"""


@data_product("events.exposures")
def retail_lift(exposures: pandas.DataFrame, room: ProductRoom) -> pandas.DataFrame:
    """One row per campaign of which both groups were released. The audiences' sizes are our own; who bought is the room's."""
    buyers = room.ask(_BUYERS).to_pandas().set_index(["campaign", "exposed"])
    persons = exposures.groupby(["campaign", "exposed"]).size()
    return pandas.DataFrame([_row(campaign, persons, buyers) for campaign in sorted(exposures["campaign"].unique())])


def _row(campaign: str, persons: pandas.Series, buyers: pandas.DataFrame) -> dict[str, object]:
    told = {"campaign": campaign, "exposed": int(persons[campaign, "yes"]), "unexposed": int(persons[campaign, "no"])}
    if (campaign, "yes") not in buyers.index or (campaign, "no") not in buyers.index:
        return told
    bought = {side: int(buyers.loc[(campaign, side), "buyers"]) for side in ("yes", "no")}
    lift = lift_of(bought["yes"], told["exposed"], bought["no"], told["unexposed"])
    return {
        **told,
        "exposed_buyers": bought["yes"],
        "unexposed_buyers": bought["no"],
        "lift": lift.difference,
        "lift_low": lift.low,
        "lift_high": lift.high,
    }
