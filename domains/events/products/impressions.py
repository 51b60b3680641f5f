"""Impressions: a deterministic stand-in for an ad server's log, over the real films and the mesh's persons.

Counter-based: each row is a function of its number and of the inputs' content, so that a rerun gives the same rows,
in bounded memory, at any scale. Absent: who buys. Nothing here knows the orders, so a lift measured here is chance.
"""

from dagster import Config
from pydantic import Field

from mesh_defs import data_product


class Scale(Config):
    """How much to generate. Another number gives another log, not a longer one: the window stays the same."""

    impressions: int = Field(default=200_000, ge=1, le=1_000_000_000)


# Persons and files are numbered by rank and drawn by the square of a uniform number, so that few of them get much; days
# and hours are numbered as often as they weigh. Only films that were out when the window opens are shown.
# The three draws per row are 32 bits each, by the integer hash of T. Mueller (https://stackoverflow.com/a/12996028),
# which stays within 63 bits; DuckDB's own hash() and random() change between its releases.
_LOG = """
    WITH people AS (
        SELECT person_id, row_number() OVER (ORDER BY md5(person_id)) - 1 AS place
        FROM audiences.persons
        WHERE consent_measurement
    ),
    ads AS (
        SELECT creative_file_id, row_number() OVER (ORDER BY rotation_weight DESC, md5(creative_file_id)) - 1 AS place
        FROM creatives.files
        WHERE available_on < DATE '1997-01-01'
    ),
    day_weights AS (
        SELECT
            DATE '1997-01-01' + CAST(n AS INTEGER) AS day,
            12 + n // 60 + n * 7919 % 4 + CASE WHEN (n + 2) % 7 > 4 THEN 4 ELSE 0 END AS weight
        FROM range(546) AS r(n)
    ),
    days AS (
        SELECT day, row_number() OVER (ORDER BY day) - 1 AS place
        FROM (SELECT day, unnest(range(weight)) AS turn FROM day_weights) AS turns
    ),
    hour_weights AS (
        SELECT
            n AS hour,
            [4, 3, 2, 1, 1, 1, 2, 4, 7, 9, 10, 11, 12, 11, 10, 9, 9, 10, 12, 15, 17, 17, 14, 9][n + 1] AS weight
        FROM range(24) AS r(n)
    ),
    hours AS (
        SELECT hour, row_number() OVER (ORDER BY hour) - 1 AS place
        FROM (SELECT hour, unnest(range(weight)) AS turn FROM hour_weights) AS turns
    ),
    sizes AS (
        SELECT
            (SELECT count(*) FROM people) AS people,
            (SELECT count(*) FROM ads) AS ads,
            (SELECT count(*) FROM days) AS days,
            (SELECT count(*) FROM hours) AS hours
    ),
    counted AS (
        SELECT n, 3 * n AS a, 3 * n + 1 AS b, 3 * n + 2 AS c FROM range({rows}) AS r(n)
    ),
    once AS (
        SELECT
            n,
            xor(a, a >> 16) * 73244475 % 4294967296 AS a,
            xor(b, b >> 16) * 73244475 % 4294967296 AS b,
            xor(c, c >> 16) * 73244475 % 4294967296 AS c
        FROM counted
    ),
    twice AS (
        SELECT
            n,
            xor(a, a >> 16) * 73244475 % 4294967296 AS a,
            xor(b, b >> 16) * 73244475 % 4294967296 AS b,
            xor(c, c >> 16) * 73244475 % 4294967296 AS c
        FROM once
    ),
    mixed AS (
        SELECT n, xor(a, a >> 16) AS a, xor(b, b >> 16) AS b, xor(c, c >> 16) AS c FROM twice
    ),
    drawn AS (
        SELECT
            n,
            ((a >> 12) * (a >> 12) >> 20) * people >> 20 AS person_place,
            ((b >> 12) * (b >> 12) >> 20) * ads >> 20 AS ad_place,
            n * days // {rows} AS day_place,
            c % hours AS hour_place,
            c // hours % 3600 AS second,
            c // (hours * 3600) % 1000 AS bid,
            a % 4096 < 2950 AS viewable,
            CASE
                WHEN b % 4096 < 1800 THEN 'home'
                WHEN b % 4096 < 2900 THEN 'search'
                WHEN b % 4096 < 3700 THEN 'category'
                ELSE 'newsletter'
            END AS placement
        FROM mixed, sizes
    )
    SELECT
        d.n + 1 AS impression_id,
        CAST(days.day AS TIMESTAMP) + to_seconds(hours.hour * 3600 + d.second) AS occurred_at,
        people.person_id AS person_id,
        ads.creative_file_id AS creative_file_id,
        d.placement AS placement,
        d.viewable AS viewable,
        d.bid + CASE d.placement
            WHEN 'home' THEN 6000
            WHEN 'search' THEN 8500
            WHEN 'category' THEN 4000
            ELSE 2500
        END AS cost_micros
    FROM drawn AS d
    JOIN people ON people.place = d.person_place
    JOIN ads ON ads.place = d.ad_place
    JOIN days ON days.place = d.day_place
    JOIN hours ON hours.place = d.hour_place
"""


@data_product("audiences.persons", "creatives.files")
def impressions(config: Scale) -> str:
    """One row per ad shown; `config.impressions` of them, spread over the days of the window."""
    return _LOG.format(rows=config.impressions)
