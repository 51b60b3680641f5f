"""Publish own partitions again and again: python partition_writer.py <place> <times> <partition>..."""

import sys

import duckdb

from tests.storage.places import place_told

place, times, *partitions = sys.argv[1:]
storage = place_told(place).storage()
with duckdb.connect(config={"threads": 1}) as connection:
    for n in range(1, int(times) + 1):
        for partition in partitions:
            candidate = storage.stage(connection, f"SELECT '{partition}' AS p, {n} AS n", partition=partition)
            storage.publish(candidate, stamp={"by": partition, "n": n})
