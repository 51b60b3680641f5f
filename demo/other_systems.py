"""Two systems that are not of the mesh and write where they please: `python -m demo.other_systems`.

A statistics feed fills two tables in the audiences' Postgres; a weather service keeps a Delta table in the events' storage.
All of it is real, public domain, and read from an installed package (docs/data-sources.md).
"""

import csv
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import bokeh_sampledata
import psycopg
import pyarrow as pa
from deltalake import write_deltalake

from mesh_defs.errors import UnreachableError
from mesh_defs.query.mesh import open_mesh
from mesh_defs.settings import Settings, load_settings

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def write_unemployment(url: str) -> None:
    """Fill feeds.us_unemployment: one row per month since 1948, with the share of the labour force without work."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS feeds")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS feeds.us_unemployment (month date PRIMARY KEY, percent numeric(4, 1) NOT NULL)"
        )
        connection.execute("TRUNCATE feeds.us_unemployment")
        with connection.cursor().copy("COPY feeds.us_unemployment FROM STDIN") as copy:
            for month, percent in _unemployment():
                copy.write_row((month, percent))


def write_weather(folder: Path) -> None:
    """Overwrite a Delta table: one row per day of 2016 in Lincoln, Nebraska."""
    rows = [
        {"day": date.fromisoformat(row["DATE"]), "high_f": int(row["TMAX"]), "low_f": int(row["TMIN"])}
        for row in _read("lincoln_weather.csv")
        if row["TMAX"]
    ]
    schema = pa.schema([("day", pa.date32()), ("high_f", pa.int32()), ("low_f", pa.int32())])
    write_deltalake(str(folder), pa.Table.from_pylist(rows, schema), mode="overwrite")


def write_marriages(url: str) -> None:
    """Fill feeds.us_marriages, a table that no contract names: `mesh inventory audiences` finds it."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS feeds.us_marriages (year int PRIMARY KEY, marriages int)")
        connection.execute("TRUNCATE feeds.us_marriages")
        with connection.cursor().copy("COPY feeds.us_marriages FROM STDIN") as copy:
            for row in _read("us_marriages_divorces.csv"):
                copy.write_row((row["Year"], row["Marriages"] or None))


def _unemployment() -> Iterator[tuple[date, str]]:
    for row in _read("unemployment1948.csv"):
        for number, name in enumerate(_MONTHS, start=1):
            yield date(int(row["Year"]), number, 1), row[name]


def _read(name: str) -> Iterator[dict[str, str]]:
    with (Path(bokeh_sampledata.__file__).parent / "_data" / name).open(encoding="utf-8") as file:
        yield from csv.DictReader(file)


def main(settings: Settings) -> None:
    """Write everything."""
    mesh = open_mesh(settings)
    audiences, events = mesh.domains["audiences"], mesh.domains["events"]
    url = settings.access("audiences", audiences.storage, write=True).postgres
    if url is None:
        raise UnreachableError("audiences has no Postgres", fix="run `mesh postgres start`")
    write_unemployment(url)
    write_marriages(url)
    folder = settings.access("events", events.storage, write=True).root / "feeds" / "lincoln_weather"
    folder.mkdir(parents=True, exist_ok=True)
    write_weather(folder)


if __name__ == "__main__":
    main(load_settings())
