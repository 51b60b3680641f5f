"""The document that names a version: what is written is what is read."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_defs.model.version import Part, Version
from mesh_defs.storage.manifest import Damage, Record, decode, encode

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
PARTS = st.builds(
    Part,
    path=st.from_regex(r"parts/[a-zA-Z0-9_-]+/[a-z0-9][a-z0-9.]*", fullmatch=True),
    rows=st.integers(0),
    bytes=st.integers(0),
    partition=st.none() | st.text(),
)
ZONES = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))
VERSIONS = st.builds(
    Version,
    id=st.text(min_size=1),
    parts=st.lists(PARTS, min_size=1, max_size=5).map(tuple),
    columns=st.dictionaries(st.text(), st.text(), max_size=5),
    published_at=st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=ZONES),
    stamp=st.dictionaries(st.text(), JSON, max_size=4),
    recovered=st.none(),
)


@settings(max_examples=50, deadline=None)
@given(version=VERSIONS, sequence=st.integers(1))
def test_every_version_reads_back_as_it_was_written(version, sequence) -> None:
    record = Record(sequence=sequence, version=version)
    read = decode(encode(record, "parquet"), "parquet", Path("manifest.json"))
    assert read == record
    assert list(read.version.columns) == list(version.columns)
    assert read.version.published_at.tzinfo == UTC


@settings(max_examples=50, deadline=None)
@given(content=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_but_our_own_are_believed(content) -> None:
    assert isinstance(decode(content, "parquet", Path("manifest.json")), Damage)
