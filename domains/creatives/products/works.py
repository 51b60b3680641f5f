"""Creative works: the films of Wikidata, read from SQLite, where the source lies. Nothing here is invented."""

import sqlite3
from pathlib import Path

import duckdb
import pandas

from mesh_defs import data_product, package_file

# Missing text is '' in the source. A work is named by its Wikidata item; its first file is the master.
_SOURCE = """
    SELECT
        'Q' || film.ID AS work_id, 'Q' || film.ID || '.1' AS creative_file_id, film.imdbID AS imdb_id,
        film.Title AS title, film.Year AS year, film.Released AS released_on,
        CAST(film.Runtime AS INTEGER) AS runtime_minutes, film.Genre AS genres,
        film.Language AS languages, film.Country AS countries, film.Director AS directors,
        film.Rating AS age_rating, press.Reviews AS review_count, press.Meter AS critics_score, film.Oscars AS oscars,
        CAST(press.BoxOffice AS INTEGER) AS box_office_usd
    FROM omdb AS film JOIN tomatoes AS press ON press.ID = film.ID
    ORDER BY film.ID
"""

_SHAPE = """
    SELECT
        work_id, creative_file_id, imdb_id, title,
        CAST(year AS INTEGER) AS year, CAST(released_on AS DATE) AS released_on,
        CAST(runtime_minutes AS INTEGER) AS runtime_minutes, nullif(split_part(genres, ', ', 1), '') AS genre,
        nullif(genres, '') AS genres, nullif(languages, '') AS languages, nullif(countries, '') AS countries,
        nullif(directors, '') AS directors, nullif(age_rating, '') AS age_rating,
        CAST(review_count AS INTEGER) AS review_count, CAST(critics_score AS INTEGER) AS critics_score,
        CAST(oscars AS INTEGER) AS oscars, CAST(box_office_usd AS BIGINT) AS box_office_usd
    FROM films
"""


@data_product()
def works(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
    """One row per film, in the order of the Wikidata items' numbers."""
    films = _films(package_file("bokeh_sampledata", "_data/movies.db"))
    return connection.from_df(films).query("films", _SHAPE)


def _films(path: Path) -> pandas.DataFrame:
    source = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    try:
        return pandas.read_sql_query(_SOURCE, source, dtype_backend="pyarrow")
    finally:
        source.close()
