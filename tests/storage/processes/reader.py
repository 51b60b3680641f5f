"""Read whatever is current, over and over, until the last generation: python reader.py <place> <last>.

Prints the generation of every answer; fails on a version that is not whole.
"""

import sys

import duckdb

from mesh_defs.storage.open import attach
from tests.storage.places import Place, place_told

ROWS = 5_000


def main(place: Place, last: int) -> None:
    storage, generation = place.storage(), 0
    while generation < last:
        version = storage.current()
        if version is None:
            continue
        pin = storage.pin("events.impressions", version)
        with duckdb.connect(config={"threads": 1}) as connection:
            query = f"SELECT min(g), max(g), count(*), count(DISTINCT i) FROM {attach(connection, pin, place.access)}"
            least, most, count, distinct = connection.execute(query).fetchall()[0]
        assert least == most == version.stamp["generation"], (least, most, version)
        assert count == distinct == pin.rows == ROWS, (count, distinct, version)
        assert version.recovered is None
        assert most >= generation, "went back in time"
        generation = most
        print(generation, flush=True)


main(place_told(sys.argv[1]), int(sys.argv[2]))
