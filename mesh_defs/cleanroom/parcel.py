"""A partial on its way to the join: small, in the tokens' order, and held to what was agreed when it arrives.

    tokens    TOKEN_BYTES of each person, ascending, as they are: nothing compresses them
    rows      how many rows each person has
    columns   codes, counts and sums, in the smallest whole numbers that hold them

A token is cut to 12 bytes: among n persons of both sides together any two meet with a probability of about n² / 2^97 (the
birthday bound). That is 3 in 10^17 for two million persons; with 16 bytes it would be 6 in 10^27, for a third more bytes,
with 8 bytes 1 in 10^7. Where two meet, one person's rows are taken for another's: a wrong count, nobody's row.
"""

import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mesh_defs.cleanroom.extract import Extract
from mesh_defs.cleanroom.join import ONCE
from mesh_defs.errors import AccessDeniedError
from mesh_defs.model.room import Agreement
from mesh_defs.sql.partial import OTHER, ROWS, TOKEN, TOKEN_DIGITS

TOKEN_BYTES = TOKEN_DIGITS // 2
ROWS_MAX = 100_000_000
_SUM = pa.decimal128(38, 0)
_WIDTHS = (pa.int8(), pa.int16(), pa.int32(), pa.int64())


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
    """Return what is stated of a partial (`rows`, `persons`), and its bytes. `token`: TOKEN_DIGITS hexadecimal digits.

    Rows leave in the order of tokens and codes: the order in which they lay says nothing any more.
    """
    high, low, tokens = _keys(_bytes(table.column(TOKEN)))
    columns = {name: _smallest(table.column(name)) for name in layout.names}
    codes = [_within(columns[f"d{n}"], low=OTHER, high=size - 1) for n, size in enumerate(layout.codes)]
    order, starts = _order(high, low, codes)
    counts = np.diff(np.append(starts, len(order)))
    places = pa.array(order, pa.int64())
    sorted_ = pa.Table.from_arrays([each.take(places) for each in columns.values()], names=list(columns))
    stated = {"rows": len(order), "persons": len(starts)}
    rows = pa.Table.from_arrays([_smallest(pa.chunked_array([pa.array(counts)]))], names=["rows"])
    return stated, [tokens[order[starts]].tobytes(), _stream(rows), _stream(sorted_)]


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
        return _checked(np.frombuffer(tokens, dtype="V12"), repeats, found, layout)
    except (KeyError, TypeError, ValueError, pa.ArrowException):
        raise _wrong("it cannot be read") from None


def _checked(tokens: np.ndarray, repeats: np.ndarray, found: pa.Table, layout: Layout) -> pa.Table:
    high, low, _ = _keys(tokens.tobytes())
    if not _ascending([high, low]).all():
        raise _wrong("a person is in it twice, or out of order")
    codes = [_within(found.column(f"d{n}"), low=OTHER, high=size - 1) for n, size in enumerate(layout.codes)]
    places = np.repeat(np.arange(len(tokens)), repeats)
    if not _ascending([places, *codes]).all():
        raise _wrong("a person is in one group twice, or out of order")
    rows = _within(found.column(ROWS), low=1, high=1 if layout.once else None)
    columns = {f"d{n}": pa.array(code.astype("int16")) for n, code in enumerate(codes)} | {ROWS: pa.array(rows)}
    for number in range(layout.measures):
        values = _within(found.column(f"c{number}"), low=0, high=None)
        total = found.column(f"s{number}")
        if not (pa.types.is_integer(total.type) or total.type == _SUM):
            raise _wrong("a sum is no whole number")
        if (values > rows).any() or (np.asarray(pc.is_null(total)) != (values == 0)).any():
            raise _wrong("a sum is not of as many values as it says")
        columns |= {f"s{number}": total, f"c{number}": pa.array(values)}
    persons = pa.Array.from_buffers(pa.binary(TOKEN_BYTES), len(tokens), [None, pa.py_buffer(tokens.tobytes())])
    token = pa.DictionaryArray.from_arrays(pa.array(places.astype("int32")), persons)
    return pa.table({TOKEN: token, **columns}).replace_schema_metadata(ONCE)


def _within(column: "pa.ChunkedArray[Any]", *, low: int, high: int | None) -> np.ndarray:
    """Whole numbers between these, without a NULL, as int64."""
    if not pa.types.is_integer(column.type) or column.null_count:
        raise _wrong("a number is missing, or is no whole number")
    numbers = _numbers(column)
    if len(numbers) and (numbers.min() < low or (high is not None and numbers.max() > high)):
        raise _wrong("a number is outside what was agreed on")
    return numbers


def _ascending(keys: Sequence[np.ndarray]) -> np.ndarray:
    """Whether each row is after the one before it, the first key first."""
    after = np.zeros(max(len(keys[0]) - 1, 0), dtype=bool)
    for key in reversed(keys):
        after = (key[1:] > key[:-1]) | ((key[1:] == key[:-1]) & after)
    return after


def _first(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Whether each row is the first of its person."""
    first = np.ones(len(high), dtype=bool)
    first[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    return first


def _keys(tokens: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tokens as two numbers each, which sort as their bytes do, and as they are."""
    told = np.frombuffer(tokens, dtype=[("high", ">u8"), ("low", ">u4")])
    return told["high"].astype("u8"), told["low"].astype("u4"), np.frombuffer(tokens, dtype="V12")


def _order(high: np.ndarray, low: np.ndarray, codes: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The places of all rows in the order of tokens, then of codes; and where in it each person begins.

    One number a row is sorted, a fifth of the work of sorting places by several: a token's first bits, the codes, the row's
    place. Where persons share those bits, as a few do, their rows are sorted by all keys.
    """
    together, sizes = np.zeros(len(high), "u8"), 1
    for code in codes:
        size = int(code.max(initial=OTHER)) - OTHER + 1
        together *= np.uint64(size)
        together += (code - OTHER).view("u8")
        sizes *= size
    behind = len(high).bit_length(), (sizes - 1).bit_length()
    if sum(behind) >= 64:
        order = np.lexsort((*reversed(codes), low, high))
        return order, np.flatnonzero(_first(high[order], low[order]))
    shift, places = np.uint64(sum(behind)), np.uint64(behind[0])
    together <<= places
    together |= np.arange(len(high), dtype="u8")
    together |= high >> shift << shift
    together.sort()
    order = (together & ((np.uint64(1) << places) - np.uint64(1))).view("i8")
    return order, _told_apart(order, together >> shift, high, low, codes)


def _told_apart(
    order: np.ndarray, bits: np.ndarray, high: np.ndarray, low: np.ndarray, codes: Sequence[np.ndarray]
) -> np.ndarray:
    """Where each person begins, once the rows of those whose tokens share their first `bits` are sorted, in place."""
    first = _first(high[order], low[order])
    shared = np.unique(bits[1:][first[1:] & (bits[1:] == bits[:-1])])
    ends = zip(np.searchsorted(bits, shared), np.searchsorted(bits, shared, side="right"), strict=True)
    those = np.concatenate([np.empty(0, "i8"), *(np.arange(*each) for each in ends)])
    rows = order[those]
    order[those] = rows = rows[np.lexsort([each[rows] for each in (*reversed(codes), low, high)])]
    first[those] = _first(high[rows], low[rows])
    return np.flatnonzero(first)


def _bytes(column: "pa.ChunkedArray[Any]") -> bytes:
    """Tokens one after the other. ValueError for what is none, or of another length."""
    if column.null_count:
        raise ValueError("a token is missing")
    pieces = []
    for chunk in column.cast(pa.string()).chunks:
        _, places, digits = (memoryview(each or bytes(4)) for each in chunk.buffers())
        ends = np.frombuffer(places, "i4")[chunk.offset : chunk.offset + len(chunk) + 1]
        if (np.diff(ends) != TOKEN_DIGITS).any():
            raise ValueError("a token is of another length")
        pieces.append(binascii.unhexlify(digits[ends[0] : ends[-1]]))
    return b"".join(pieces)


def _numbers(column: "pa.ChunkedArray[Any]") -> np.ndarray:
    return np.asarray(column.cast(pa.int64()))


def _smallest(column: "pa.ChunkedArray[Any]") -> "pa.ChunkedArray[Any]":
    """The same whole numbers in as few bytes as hold them all; sums past 8 bytes stay decimals."""
    least, most = (int(pc.min_max(column)[name].as_py() or 0) for name in ("min", "max"))
    for width in _WIDTHS:
        if -(1 << width.bit_width - 1) <= least and most < 1 << width.bit_width - 1:
            return column.cast(width)
    return column.cast(_SUM)


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
