"""The two parties' tables behind room_attacks.json, deterministic: a publisher whose rows are protected, an advertiser that asks.

Region tiny overlaps in 18 persons; device one_heavy is 500 rows of one person; campaign whale has 60 persons of whom one holds
over half of the cost; every other cell has 100 persons or more.
"""

import hashlib
import random
from collections.abc import Iterable

import duckdb
import pandas as pd

PERSONS, OVERLAP, TINY, TINY_OVERLAP = 13_500, 9_000, 60, 18
SEGMENTS, REGIONS, TIERS = ("auto", "travel", "sport"), ("big", "mid"), ("gold", "silver", "bronze")
CAMPAIGNS, DEVICES = ("c01", "c02", "c03", "c04", "c05"), ("ios", "android")
TARGET, WHALE, HEAVY = "u77", "u120", "u241"
TABLES = {
    "pub": ("persons", "impressions", "secret"),
    "adv": ("customers", "dup", "weighted", "fake", "probe", "v1", "v2", "known24", "known24_plus_target"),
}
_EPOCH = 1_780_000_000
_Event = tuple[str, str, str, int, int]


def key(name: str) -> str:
    """A person's key, as both parties derive it from what they know of the person."""
    return hashlib.sha256(name.encode()).hexdigest()


def build(connection: duckdb.DuckDBPyConnection, setup_sql: Iterable[str] = (), seed: int = 20260) -> str:
    """Create schemas pub and adv; return the target's key, which cases write as `{{target}}`."""
    draw = random.Random(seed)
    frames = _frames(draw)
    for name, frame in frames.items():
        connection.register(f"_{name}", frame)
    target = key(TARGET)
    connection.execute(_TABLES_SQL.replace("$target", f"'{target}'"))
    for name in frames:
        connection.unregister(f"_{name}")
    for statement in setup_sql:
        connection.execute(statement.replace("{{target}}", target))
    return target


def _frames(draw: random.Random) -> dict[str, pd.DataFrame]:
    persons = [(key(f"u{i}"), SEGMENTS[i % 3], REGIONS[(i // 3) % 2], f"u{i}@mail.example") for i in range(PERSONS)]
    persons += [(key(f"t{k}"), SEGMENTS[k % 3], "tiny", f"t{k}@mail.example") for k in range(TINY)]
    customers = [(key(f"u{i}"), TIERS[(i // 6) % 3]) for i in range(OVERLAP)]
    customers += [(key(f"t{k}"), TIERS[(k // 3) % 3]) for k in range(TINY_OVERLAP)]
    customers += [(key(f"x{j}"), TIERS[j % 3]) for j in range(3_000)]
    events = _events([hem for hem, *_ in persons], draw)
    for rows in (events, persons, customers):
        draw.shuffle(rows)  # type: ignore[arg-type]
    diagnoses = [(person[0], draw.choice(["flu", "hiv", "none", "none", "none"])) for person in persons]
    return {
        "persons": pd.DataFrame(persons, columns=["hem", "segment", "region", "email"]),
        "events": pd.DataFrame(events, columns=["hem", "campaign", "device", "epoch", "cost_micros"]),
        "customers": pd.DataFrame(customers, columns=["hem", "tier"]),
        "secrets": pd.DataFrame(diagnoses, columns=["hem", "diagnosis"]),
    }


def _events(persons: list[str], draw: random.Random) -> list[_Event]:
    def event(hem: str, campaign: str, device: str, low: int, high: int) -> _Event:
        return (hem, campaign, device, _EPOCH + draw.randint(0, 86_400 * 30), draw.randint(low, high))

    events = [
        event(hem, draw.choice(CAMPAIGNS), draw.choice(DEVICES), 1_000, 9_999)
        for hem in persons
        for _ in range(draw.randint(4, 10))
    ]
    for i in range(0, 120 * 60, 120):
        rows, low, high = (200, 9_000, 12_000) if f"u{i}" == WHALE else (1, 1_000, 9_999)
        events += [event(key(f"u{i}"), "whale", draw.choice(DEVICES), low, high) for _ in range(rows)]
    return events + [event(key(HEAVY), draw.choice(CAMPAIGNS), "one_heavy", 1_000, 9_999) for _ in range(500)]


_TABLES_SQL = """
CREATE SCHEMA pub;
CREATE SCHEMA adv;
CREATE TABLE pub.persons AS SELECT * FROM _persons;
CREATE TABLE pub.secret AS SELECT * FROM _secrets;
CREATE TABLE pub.impressions AS
    SELECT hem, campaign, device, to_timestamp(epoch)::TIMESTAMP AS ts, cost_micros::INTEGER AS cost_micros FROM _events;
CREATE TABLE adv.customers AS SELECT * FROM _customers;
CREATE TABLE adv.dup AS SELECT hem, tier FROM adv.customers, range(100);
CREATE TABLE adv.weighted AS
    FROM adv.customers UNION ALL SELECT hem, tier FROM adv.customers, range(100000) WHERE hem = $target;
CREATE TABLE adv.fake AS SELECT sha256('f' || i) AS hem, 'gold' AS tier FROM range(5000) t(i);
CREATE TABLE adv.probe AS
    SELECT $target AS hem, 'gold' AS tier UNION ALL SELECT sha256('g' || i), 'gold' FROM range(10000) t(i);
CREATE TABLE adv.v1 AS FROM adv.customers WHERE hem[1] IN ('0', '1', '2', '3') OR hem = $target;
CREATE TABLE adv.v2 AS FROM adv.v1 WHERE hem <> $target;
CREATE TABLE adv.known24 AS
    SELECT c.hem, 'gold' AS tier FROM adv.customers c JOIN pub.persons p USING (hem)
    WHERE c.hem <> $target AND p.region = 'big' ORDER BY c.hem LIMIT 24;
CREATE TABLE adv.known24_plus_target AS FROM adv.known24 UNION ALL SELECT $target, 'gold';
"""
