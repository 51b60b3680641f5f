"""A reader that polls all the time, in a process of its own, until its standard input ends: then it says what it saw.

    python -m drills.reader '{"place": …}' or '{"root": …, "products": […]}'

Through the storage, or through the door. An answer counts as wrong when it mixes generations, lacks rows, has some twice, or is
older than one before it; so does an error, unless the drill breaks what is read from (`may_fail`).
"""

import json
import select
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb

from drills.stops import ROWS, SELECTED
from mesh_defs.errors import MeshError
from mesh_defs.model.query import QueryRequest
from mesh_defs.query.platform import open_platform
from mesh_defs.query.run import run_query
from mesh_defs.settings import load_settings
from mesh_defs.storage.open import attach
from tests.storage.places import Place, place_told

PAUSE_SECONDS = 0.01
Sums = tuple[int, int, int, int]


def polled(reads: Mapping[str, Callable[[], Sums]], rows_min: int, *, may_fail: bool) -> dict[str, Any]:
    """Read everything in turn until the drill is over, and once more then: what a drill leaves is seen."""
    newest = dict.fromkeys(reads, 0)
    seen: dict[str, Any] = {"reads": 0, "unanswered": 0, "wrong": [], "generations": 0}
    over, looked = False, False
    while not over:
        over = _is_over()
        for name, read in reads.items():
            try:
                least, most, count, distinct = read()
            except Exception as error:  # noqa: BLE001  the drill judges it
                seen["unanswered"] += 1
                if not may_fail or not isinstance(error, (MeshError, duckdb.Error)):
                    seen["wrong"].append(f"{name}: {type(error).__name__}: {error}"[:400])
                continue
            seen["reads"] += 1
            if least != most or count != distinct or not rows_min <= count <= ROWS or most < newest[name]:
                told = f"generations {least} to {most} after {newest[name]}, {count} rows, {distinct} persons"
                seen["wrong"].append(f"{name}: {told}")
            seen["generations"] += most > newest[name]
            newest[name] = max(newest[name], most)
        if not looked:
            sys.stdout.write("reading\n")
            sys.stdout.flush()
            looked = True
    return seen


def through_storage(place: Place) -> Sums:
    """Read what is current at a place."""
    storage = place.storage()
    version = storage.current()
    if version is None:
        raise MeshError("nothing is published")
    pin = storage.pin("people.drilled", version)
    with duckdb.connect(config={"threads": 1}) as connection:
        relation = attach(connection, pin, place.access)
        [row] = connection.execute(f"SELECT {SELECTED} FROM {relation}").fetchall()
    least, most, count, distinct = row
    if count != version.rows:
        return least, most, count, -1
    return least, most, count, distinct


def through_the_door(root: str) -> Callable[[str], Sums]:
    """Read products as a person does."""
    platform = open_platform(load_settings({"MESH_ROOT": root}), build=False)

    def ask(product: str) -> Sums:
        request = QueryRequest(sql=f"SELECT {SELECTED} FROM {product}", principal="ada", purpose="measurement")
        table = run_query(request, platform).table()
        least, most, count, distinct = (column[0].as_py() for column in table.columns)
        return least, most, count, distinct

    return ask


def _is_over() -> bool:
    """After a pause: the drills' own work needs the processor, too."""
    return bool(select.select([sys.stdin], [], [], PAUSE_SECONDS)[0])


def main(told: dict[str, Any]) -> None:
    """Read as told, and print what was seen."""
    if "place" in told:
        place = place_told(told["place"])
        reads: dict[str, Callable[[], Sums]] = {"current": lambda: through_storage(place)}
    else:
        ask = through_the_door(str(Path(told["root"])))
        reads = {name: lambda name=name: ask(name) for name in told["products"]}  # type: ignore[misc]
    seen = polled(reads, told.get("rows_min", ROWS), may_fail=told.get("may_fail", False))
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
