"""Persons: about 60 % of the real CDNOW customer numbers, with a synthetic person behind each.

Real: which customer numbers exist. Synthetic: everything else. Every draw mixes the customer number, so that a rerun
gives the same persons; nothing is taken from the orders, which are another organisation's.
"""

import duckdb
import pandas

from mesh_defs import data_product, package_file

# Four draws of 32 bits per customer: the integer hash of T. Mueller (https://stackoverflow.com/a/12996028), which stays
# within 63 bits. DuckDB's own hash() and random() change between its releases.
# The formulas of person_id and email are agreed with the partner, who applies them to the same customers.
_PERSONS = """
    WITH counted AS (
        SELECT number, 4 * number AS a, 4 * number + 1 AS b, 4 * number + 2 AS c, 4 * number + 3 AS d FROM customers
    ),
    once AS (
        SELECT
            number,
            xor(a, a >> 16) * 73244475 % 4294967296 AS a, xor(b, b >> 16) * 73244475 % 4294967296 AS b,
            xor(c, c >> 16) * 73244475 % 4294967296 AS c, xor(d, d >> 16) * 73244475 % 4294967296 AS d
        FROM counted
    ),
    twice AS (
        SELECT
            number,
            xor(a, a >> 16) * 73244475 % 4294967296 AS a, xor(b, b >> 16) * 73244475 % 4294967296 AS b,
            xor(c, c >> 16) * 73244475 % 4294967296 AS c, xor(d, d >> 16) * 73244475 % 4294967296 AS d
        FROM once
    ),
    drawn AS (
        SELECT number, xor(a, a >> 16) AS a, xor(b, b >> 16) AS b, xor(c, c >> 16) AS c, xor(d, d >> 16) AS d FROM twice
    ),
    persons AS (
        SELECT
            number, a // 100 % 1000 AS region_draw, c, d,
            b % 100 < 86 AS consent_measurement,
            b // 100 % 100 < 62 AS consent_delivery,
            b // 10000 % 100 < 78 AS agrees_to_collaboration,
            DATE '1996-01-01' + CAST(d % 366 AS INTEGER) AS registered_on
        FROM drawn
        WHERE a % 100 < 60
    ),
    names AS (
        SELECT
            string_split('Ada Ben Carla Dan Elena Felix Gina Hugo Iris Jon Kara Leo Mina Olga', ' ') AS first_names,
            string_split('Adler Brook Castle Dale Ember Field Grove Hill Irons Knoll Lake', ' ') AS last_names
    )
    SELECT
        substr(md5('person ' || number), 1, 12) AS person_id,
        'listener' || number * 1566083941 % 2147483647 || '@mail.example' AS email,
        first_names[1 + c % len(first_names)] || ' ' || last_names[1 + c // 1000 % len(last_names)] AS name,
        CASE
            WHEN region_draw < 375 THEN 'south'
            WHEN region_draw < 612 THEN 'west'
            WHEN region_draw < 824 THEN 'midwest'
            WHEN region_draw < 998 THEN 'northeast'
            ELSE 'territories'
        END AS region,
        CAST(1932 + d // 1000 % 24 + d // 100000 % 26 AS INTEGER) AS birth_year,
        registered_on,
        consent_measurement,
        consent_delivery,
        consent_measurement AND agrees_to_collaboration AS consent_collaboration,
        registered_on + CAST(d // 400 % 90 AS INTEGER) AS consented_on
    FROM persons, names
    ORDER BY person_id
"""


@data_product()
def persons(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
    """One row per person, in the order of their ids."""
    source = package_file("lifetimes", "datasets/CDNOW_master.txt")
    lines = pandas.read_csv(source, sep=r"\s+", header=None, skiprows=1, usecols=[0], names=["number"])
    return connection.from_df(lines.drop_duplicates()).query("customers", _PERSONS)
