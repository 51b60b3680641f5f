"""Publish own partitions again and again: python partition_writer.py <kind> <place> <times> <partition>..."""

import sys
from pathlib import Path

import duckdb

from mesh_defs.storage.open import storage_at

kind, place, times, *partitions = sys.argv[1:]
storage = storage_at(kind, Path(place))
with duckdb.connect(config={"threads": 1}) as connection:
    for n in range(1, int(times) + 1):
        for partition in partitions:
            candidate = storage.stage(connection, f"SELECT '{partition}' AS p, {n} AS n", partition=partition)
            storage.publish(candidate, stamp={"by": partition, "n": n})
