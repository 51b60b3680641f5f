"""`make demo`: the mesh from nothing to a cross-domain answer, in the commands that a newcomer would type next."""

import subprocess
import sys
import time
from collections.abc import Sequence

from demo.other_systems import main as write_other_systems
from demo.room import open_room
from demo.told import as_typed, say
from mesh_defs.settings import load_settings

QUESTION = """
SELECT e.region, c.genre, count(*) AS clicks, round(avg(k.seconds_to_click), 1) AS seconds_to_click
FROM events.clicks AS k
JOIN audiences.engagement AS e USING (person_id)
JOIN creatives.files AS f USING (creative_file_id)
JOIN creatives.works AS c USING (work_id)
GROUP BY ALL ORDER BY clicks DESC, genre LIMIT 8
""".strip()

PLANNED = """
SELECT placement, count(*) AS shown, count(DISTINCT person_id) AS persons FROM events.impressions GROUP BY ALL ORDER BY 2
""".strip()

OVERLAP = """
SELECT e.region, count(DISTINCT e.person_id) AS persons, sum(o.amount) AS spent FROM northlight.exposures AS e
JOIN cadence.orders AS o ON o.person_id = e.person_id WHERE o.half = '1998-1' GROUP BY e.region
""".strip()

LIFT = """
SELECT campaign, exposed, exposed_buyers AS bought, unexposed, unexposed_buyers AS bought_too,
    round(lift, 4) AS lift, round(lift_low, 4) AS low, round(lift_high, 4) AS high FROM audiences.retail_lift ORDER BY 1
""".strip()

# (what it shows, the command)
STEPS: Sequence[tuple[str, Sequence[str]]] = (
    (
        "The audiences' Postgres, out of a wheel: a database, an owner, and readers of what they declare",
        ("postgres", "start"),
    ),
    (
        "Every domain makes its products: write, audit, publish; the retailer by its own Python",
        ("refresh", "--in-process"),
    ),
    ("The catalog, read back from the asset graph of all locations", ("products",)),
    ("One product: its promises, and whether it keeps them", ("show", "events.daily_reach")),
    (
        "A question across three domains, through the one door, with what it moved",
        ("query", QUESTION, "--as", "ada", "--purpose", "measurement"),
    ),
    (
        "Why the events' pipelines see what they see of persons: consent as a row rule, addresses as tokens",
        ("access", "why", "audiences.persons", "--as", "service:events", "--purpose", "delivery"),
    ),
    (
        "Access in a minute: a planner asks for a week of the log; the access file answers; persons are tokens",
        ("access", "request", "events.impressions", "--purpose", "planning", "--days", "7", "--as", "max"),
    ),
    (
        "… and it holds from the next query on",
        ("query", PLANNED, "--as", "max", "--purpose", "planning"),
    ),
    (
        "A clean room with the record shop, one process for both here: whom both know, and what they bought; no row leaves",
        ("room", "ask", "spring", OVERLAP),
    ),
    (
        "A product made of what the room releases; asked again it is the same release",
        ("refresh", "--in-process", "--select", "audiences.retail_lift"),
    ),
    (
        "Sales lift by campaign: near zero, for chance drew who saw what; of such intervals one in twenty misses zero",
        ("query", LIFT, "--as", "ada", "--purpose", "measurement"),
    ),
    (
        "What the record shop sees of it: what was agreed, asked, released, and withheld of its rows, and why",
        ("room", "show", "spring", "--party", "cadence"),
    ),
    ("Its lineage, across domains", ("lineage", "events.daily_reach")),
    ("What lies in the audiences' stores, and what of it has a contract", ("inventory", "audiences")),
)
NEXT = """
Where to look next
  make dev                     Dagster's UI on these very runs: http://127.0.0.1:3000, Assets → View lineage
  source .venv/bin/activate    then: mesh --help
  mesh query "SELECT * FROM retailer.orders" --as ada --purpose measurement     a partner's rows: denied
  make room                    the clean room between three processes, their traffic captured and searched
  make trino && mesh trino start                the same questions on a Trino: docs/guides/trino.md
  mesh new domain loyalty && mesh new product loyalty.cards && mesh validate    a domain of your own
  docs/tutorial.md             the first hour
"""


def main() -> int:
    """Run the steps; stops at the first that fails, with its exit code."""
    started = time.monotonic()
    for title, command in STEPS:
        say(f"\n━━ {title}\n$ {as_typed(command)}\n")
        code = subprocess.run([sys.executable, "-m", "mesh_defs.cli.main", *command], check=False).returncode
        if command == ("postgres", "start"):
            write_other_systems(load_settings())
        if command == ("refresh", "--in-process") and code == 0:
            say(f"{open_room(load_settings())}\n")
        if code != 0:
            say(f"\nthe demo stopped: that command ended with {code}; `mesh doctor` says what is missing here\n")
            return code
    say(f"{NEXT}\nThe whole demo took {time.monotonic() - started:.0f} s.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
