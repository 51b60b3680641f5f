"""A partial on its way to the join: small, in the tokens' order, and held to what was agreed when it arrives.

    tokens    TOKEN_BYTES of each person, ascending, as they are: nothing compresses them
    rows      how many rows each person has
    columns   codes, counts and sums, in the smallest whole numbers that hold them

A token is cut to 12 bytes: among n persons of both sides together any two meet with a probability of about n² / 2^97 (the
birthday bound). That is 3 in 10^17 for two million persons; with 16 bytes it would be 6 in 10^27, for a third more bytes,
with 8 bytes 1 in 10^7. Where two meet, one person's rows are taken for another's: a wrong count, nobody's row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mesh_defs.cleanroom.added import SUM, TOKEN_BYTES, smallest, sortable, token_column
from mesh_defs.cleanroom.extract import Extract
from mesh_defs.cleanroom.join import ONCE
from mesh_defs.errors import AccessDeniedError
from mesh_defs.model.room import Agreement
from mesh_defs.sql.partial import OTHER, ROWS, TOKEN

ROWS_MAX = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What columns a party's partial of one extract has: `codes`: size of each dimension's domain. `once`: n is 1."""

    codes: tuple[int, ...]
    measures: int
    once: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns beside the token, in order."""
        sums = [f"{kind}{n}" for n in range(self.measures) for kind in "sc"]
        return (*(f"d{n}" for n in range(len(self.codes))), ROWS, *sums)


def layout_of(extract: Extract, agreement: Agreement, party: str, *, analyst: str) -> Layout:
    """Return what the agreement lets a party send for an extract."""
    names = {table.name for table in extract.of(party, agreement)}
    dimensions = [field for field in extract.dimensions if field.table in names]
    measures = [field for field in extract.measures if field.table in names]
    return Layout(
        codes=tuple(len(agreement.domain(field)) for field in dimensions),
        measures=0 if party == analyst else len(measures),
        once=party == analyst,
    )


def get_ready() -> None:
    """Have pyarrow import what it does when it makes its first array: pandas, a third of a second."""
    pa.array([0])


def wrapped(table: pa.Table, layout: Layout) -> tuple[dict[str, int], list[bytes]]:
    """Return what is stated of a partial (`rows`, `persons`), and its bytes. `table`: as `added` makes it.

    Rows leave in the order of tokens and codes: the order in which they lay says nothing.
    """
    for number, size in enumerate(layout.codes):
        _within(table.column(f"d{number}"), low=OTHER, high=size - 1)
    token: Any = table.column(TOKEN).combine_chunks()
    rows = np.bincount(np.asarray(token.indices), minlength=len(token.dictionary))
    stated = {"rows": len(table), "persons": len(rows)}
    each = pa.table({"rows": smallest(pa.array(rows))})
    return stated, [token.dictionary.buffers()[1].to_pybytes(), _stream(each), _stream(table.select(layout.names))]


def unwrapped(stated: Mapping[str, Any], parts: Sequence[memoryview], layout: Layout) -> pa.Table:
    """Return the partial with `token` (12 bytes, in a dictionary of persons) and its layout's columns.

    AccessDeniedError for anything but what was agreed and stated: other columns, a person or a group of hers twice, other
    counts, codes outside the domain, no token, no number.
    """
    try:
        rows, persons = int(stated["rows"]), int(stated["persons"])
        tokens, counts, columns = parts
        if not 0 <= persons <= rows <= ROWS_MAX or len(tokens) != persons * TOKEN_BYTES:
            raise _wrong("its counts are not those of its tokens")
        found, each = _opened(columns, rows), _opened(counts, persons)
        if tuple(found.column_names) != layout.names or each.column_names != ["rows"]:
            raise _wrong("its columns are not those agreed on")
        repeats = _within(each.column("rows"), low=1, high=rows)
        if int(repeats.sum()) != rows:
            raise _wrong("its rows are not as many as it says")
        return _checked(np.frombuffer(tokens, f"V{TOKEN_BYTES}"), repeats, found, layout)
    except (KeyError, TypeError, ValueError, pa.ArrowException):
        raise _wrong("it cannot be read") from None


def _checked(tokens: np.ndarray, repeats: np.ndarray, found: pa.Table, layout: Layout) -> pa.Table:
    if not _ascending(sortable(tokens)).all():
        raise _wrong("a person is in it twice, or out of order")
    codes = [_within(found.column(f"d{n}"), low=OTHER, high=size - 1) for n, size in enumerate(layout.codes)]
    token = token_column(tokens, repeats)
    if not _ascending([np.asarray(token.indices), *codes]).all():
        raise _wrong("a person is in one group twice, or out of order")
    rows = _within(found.column(ROWS), low=1, high=1 if layout.once else None)
    for number in range(layout.measures):
        values = _within(found.column(f"c{number}"), low=0, high=None)
        total = found.column(f"s{number}")
        if not (pa.types.is_signed_integer(total.type) or total.type == SUM):
            raise _wrong("a sum is no whole number")
        if (values > rows).any() or (np.asarray(pc.is_null(total)) != (values == 0)).any():
            raise _wrong("a sum is not of as many values as it says")
    return found.add_column(0, TOKEN, token).replace_schema_metadata(ONCE)


def _within(column: "pa.ChunkedArray[Any]", *, low: int, high: int | None) -> np.ndarray:
    """Whole numbers between these, without a NULL."""
    if not pa.types.is_signed_integer(column.type) or column.null_count:
        raise _wrong("a number is missing, or is no whole number")
    numbers = np.asarray(column)
    if len(numbers) and (numbers.min() < low or (high is not None and numbers.max() > high)):
        raise _wrong("a number is outside what was agreed on")
    return numbers


def _ascending(keys: Sequence[np.ndarray]) -> np.ndarray:
    """Whether each row is after the one before it, the first key first."""
    after = np.zeros(max(len(keys[0]) - 1, 0), dtype=bool)
    for key in reversed(keys):
        after = (key[1:] > key[:-1]) | ((key[1:] == key[:-1]) & after)
    return after


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _opened(part: memoryview, rows: int) -> pa.Table:
    with pa.ipc.open_stream(pa.py_buffer(part)) as reader:
        batches, seen = [], 0
        for batch in reader:
            seen += batch.num_rows
            if seen > rows:
                break
            batch.validate(full=True)
            batches.append(batch)
        table = pa.Table.from_batches(batches, reader.schema)
    if seen != rows:
        raise _wrong("its rows are not as many as it says")
    return table


def _wrong(what: str) -> AccessDeniedError:
    return AccessDeniedError(f"a partial is not as agreed: {what}", fix="ask its party")
