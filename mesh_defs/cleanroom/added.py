"""A party's own rows, added up: one for each person and combination of codes, in the order of tokens and codes.

The engine sorts and this adds up what is in order, exactly, for as many rows as fit a partial (`parcel.ROWS_MAX`). The tables:

    token      TOKEN_BYTES of each person, in a dictionary of persons
    d0, d1, …  codes
    n          how many rows
    s0, s1, …  sums in units of the last decimal place, NULL where there are no values
    c0, c1, …  how many values

Numbers are the smallest whole ones that hold all of a column; sums past 8 bytes are decimals.
"""

import binascii
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mesh_defs.sql.partial import NUMBER, ROWS, TOKEN, TOKEN_DIGITS, Own

TOKEN_BYTES = TOKEN_DIGITS // 2
SUM = pa.decimal128(38, 0)
_WIDTHS = (pa.int8(), pa.int16(), pa.int32(), pa.int64())
_HALF = 32
_LOW = (1 << _HALF) - 1
# So many rows at least are added up at a time.
_BLOCK_ROWS = 500_000


def told_apart(persons: pa.Table) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Give those of `persons_sql`'s persons who share a number one of their own.

    Returns numbers and tokens in the order of the numbers, and the shared ones, for `rows_sql`.
    """
    numbers, tokens = np.asarray(persons.column(NUMBER)), _tokens(persons.column(TOKEN))
    first = differ([numbers])
    shared = ~(first & np.append(first[1:], True))
    own = np.where(shared, sortable(tokens)[0], numbers)
    order = np.argsort(own)
    return own[order], tokens[order], np.unique(numbers[shared]).tolist()


def by_number(numbers: np.ndarray, tokens: np.ndarray, rows: pa.RecordBatchReader, own: Own) -> pa.Table | None:
    """Add up `rows_sql`'s rows under the tokens of their persons. None where they are not of just these persons."""
    found, counts, tables = zip(*(_added_up(block, own) for block in _blocks(rows)), strict=True)
    if not np.array_equal(np.concatenate(found), numbers):
        return None
    columns = pa.concat_tables(tables, promote_options="permissive")
    each, order = np.concatenate(counts), token_order(tokens)
    begins, repeats = np.cumsum(each) - each, each[order]
    places = np.repeat(begins[order] - np.cumsum(repeats) + repeats, repeats) + np.arange(len(columns))
    return _partial(tokens[order], repeats, columns, places)


def by_token(table: pa.Table, own: Own) -> pa.Table:
    """Put `partial_sql`'s answer in order, as a partial."""
    tokens = _tokens(table.column(TOKEN))
    order = np.arange(len(table))
    for name in reversed(own.codes):
        order = order[np.argsort(np.asarray(table.column(name))[order], kind="stable")]
    order = order[token_order(tokens[order], stable=bool(own.codes))]
    columns: dict[str, Any] = {name: table.column(name).combine_chunks() for name in table.column_names[1:]}
    for number in range(len(own.measures)):
        columns[f"s{number}"] = _sums(*_halves(columns[f"s{number}"]), np.asarray(columns[f"c{number}"]))
    starts = np.flatnonzero(differ([tokens[order]]))
    rows = np.diff(np.append(starts, len(table)))
    return _partial(tokens[order][starts], rows, _narrow(columns), order)


def token_column(tokens: np.ndarray, rows: np.ndarray) -> "pa.DictionaryArray[Any, Any]":
    """The column of tokens: TOKEN_BYTES of each person, and for each of her `rows` her place among them."""
    each = pa.Array.from_buffers(pa.binary(TOKEN_BYTES), len(tokens), [None, pa.py_buffer(tokens.tobytes())])
    return pa.DictionaryArray.from_arrays(pa.array(np.repeat(np.arange(len(tokens), dtype="i4"), rows)), each)


def smallest(column: "pa.Array[Any]") -> "pa.Array[Any]":
    """The same whole numbers in as few bytes as hold them all; sums past 8 bytes stay decimals."""
    least, most = (int(pc.min_max(column)[name].as_py() or 0) for name in ("min", "max"))
    for width in _WIDTHS:
        if -(1 << width.bit_width - 1) <= least and most < 1 << width.bit_width - 1:
            return column.cast(width)
    return column.cast(SUM)


def sortable(tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two numbers for each token, which sort as its bytes do."""
    told = tokens.view([("high", ">u8"), ("low", ">u4")])
    return told["high"].astype("u8"), told["low"].astype("u4")


def token_order(tokens: np.ndarray, *, stable: bool = False) -> np.ndarray:
    """The places of tokens in their order. `stable`: equal ones as they are, which is soon done where they are in order.

    Hardly any two that are not equal have their first number in common.
    """
    high, low = sortable(tokens)
    order = np.argsort(high, kind="stable" if stable else None)
    high, rest = high[order], low[order]
    if ((high[1:] == high[:-1]) & (rest[1:] != rest[:-1])).any():
        order = np.lexsort((low, high))
    return order


def differ(keys: Sequence[np.ndarray]) -> np.ndarray:
    """Whether each row is of other keys than the one before it."""
    found = np.zeros(len(keys[0]), bool)
    found[:1] = True
    for key in keys:
        found[1:] |= key[1:] != key[:-1]
    return found


def _blocks(rows: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """All rows, those of a person in one block."""
    waiting, enough = [pa.RecordBatch.from_pylist([], rows.schema)], _BLOCK_ROWS
    for batch in rows:
        waiting.append(batch)
        if sum(map(len, waiting)) >= enough:
            table = pa.Table.from_batches(waiting)
            numbers = np.asarray(table.column(NUMBER))
            last = int(np.searchsorted(numbers, numbers[-1]))
            yield table.slice(0, last)
            waiting, enough = table.slice(last).to_batches(), max(_BLOCK_ROWS, 2 * (len(table) - last))
    yield pa.Table.from_batches(waiting, rows.schema)


def _added_up(rows: pa.Table, own: Own) -> tuple[np.ndarray, np.ndarray, pa.Table]:
    """Add up rows of one person and codes, which follow each other. `once`: she is there, or is not.

    Returns numbers of persons, how many rows each has now, and these.
    """
    keys = [np.asarray(rows.column(name)) for name in (NUMBER, *own.codes)]
    starts = np.flatnonzero(differ(keys))
    numbers, *codes = (key[starts] for key in keys)
    counts = np.diff(np.append(starts, len(rows)))
    columns: dict[str, Any] = dict(zip(own.codes, codes, strict=True))
    columns[ROWS] = np.ones_like(counts) if own.once else counts
    for number in range(len(own.measures)):
        measure = rows.column(f"m{number}").combine_chunks()
        high, low = (_added(half, starts) for half in _halves(measure))
        valid = _added(np.asarray(measure.is_valid()).astype("i8"), starts) if measure.null_count else counts
        columns |= {f"s{number}": _sums(high, low, valid), f"c{number}": valid}
    first = np.flatnonzero(differ([numbers]))
    return numbers[first], np.diff(np.append(first, len(numbers))), _narrow(columns)


def _added(column: np.ndarray, starts: np.ndarray) -> np.ndarray:
    return np.add.reduceat(column, starts) if len(starts) else column


def _halves(column: "pa.Array[Any]") -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers, or decimals as units of their last place, as high * 2^32 + low; 0 for NULL.

    Of a billion numbers of 19 digits, or sums of so many, both halves add up within 8 bytes.
    """
    if pa.types.is_decimal128(column.type):
        pairs = np.frombuffer(memoryview(column.buffers()[1] or b""), "u8").reshape(-1, 2)[column.offset :][
            : len(column)
        ]
        valid = np.asarray(column.is_valid())
        low, above = pairs[:, 0] * valid, pairs[:, 1].view("i8") * valid
        return (low >> np.uint64(_HALF)).view("i8") + (above << _HALF), (low & np.uint64(_LOW)).view("i8")
    whole = np.asarray(column.fill_null(0))
    if whole.dtype == np.uint64:
        return (whole >> np.uint64(_HALF)).view("i8"), (whole & np.uint64(_LOW)).view("i8")
    return whole.astype("i8") >> _HALF, whole.astype("i8") & _LOW


def _narrow(columns: Mapping[str, Any]) -> pa.Table:
    return pa.table({name: smallest(pa.array(column)) for name, column in columns.items()})


def _partial(tokens: np.ndarray, rows: np.ndarray, columns: pa.Table, places: np.ndarray) -> pa.Table:
    """Of each of these tokens so many rows, which are found at these places."""
    found = columns.combine_chunks().take(pa.array(places))
    return found.add_column(0, TOKEN, token_column(tokens, rows))


def _sums(high: np.ndarray, low: np.ndarray, counts: np.ndarray) -> "pa.Array[Any]":
    high = high + (low >> _HALF)
    low = (high << _HALF) | (low & _LOW)
    sums: pa.Array[Any] = pa.array(low, mask=counts == 0)
    if (high != low >> _HALF).any():
        pairs = pa.py_buffer(np.stack([low, high >> _HALF], axis=1).tobytes())
        sums = pa.Array.from_buffers(SUM, len(low), [pa.array(counts > 0).buffers()[1], pairs])
    return sums


def _tokens(column: "pa.ChunkedArray[Any]") -> np.ndarray:
    """Tokens as bytes. ValueError for what is none, or of another length."""
    if column.null_count:
        raise ValueError("a token is missing")
    pieces = []
    for chunk in column.cast(pa.string()).chunks:
        _, places, digits = (memoryview(each or bytes(4)) for each in chunk.buffers())
        ends = np.frombuffer(places, "i4")[chunk.offset : chunk.offset + len(chunk) + 1]
        if (np.diff(ends) != TOKEN_DIGITS).any():
            raise ValueError("a token is of another length")
        pieces.append(binascii.unhexlify(digits[ends[0] : ends[-1]]))
    return np.frombuffer(b"".join(pieces), f"V{TOKEN_BYTES}")
