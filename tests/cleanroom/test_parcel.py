"""A partial arrives as it was, in few bytes, or not at all."""

import hashlib
import itertools
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mesh_defs.cleanroom.added import TOKEN_BYTES, smallest, token_column
from mesh_defs.cleanroom.parcel import Layout, unwrapped, wrapped
from mesh_defs.errors import AccessDeniedError

LAYOUT = Layout(codes=(3, 200), measures=1, once=False)
UNITS = pa.decimal128(38, 0)


def token(person: int) -> bytes:
    return hashlib.sha256(str(person).encode()).digest()[:TOKEN_BYTES]


def tokens(each: list[bytes]) -> pa.DictionaryArray:
    """The column of these tokens, of which equal ones that follow each other are one person's."""
    runs = [(told, len(list(run))) for told, run in itertools.groupby(each)]
    told = np.frombuffer(b"".join(told for told, _ in runs), f"V{TOKEN_BYTES}")
    return token_column(told, np.array([rows for _, rows in runs], "i8"))


def a_partial(persons: int = 50, **columns: Any) -> pa.Table:
    rows = [(p, d, 100 + d) for p in sorted(range(persons), key=token) for d in (-1, 0, 2) if (p + d) % 3]
    given = {
        "token": tokens([token(p) for p, *_ in rows]),
        "d0": pa.array([d for _, d, _ in rows], pa.int16()),
        "d1": pa.array([d for *_, d in rows], pa.int16()),
        "n": pa.array([1 + p % 4 for p, *_ in rows], pa.int64()),
        "s0": pa.array([None if p % 7 == 0 else (p - 20) * 10**6 for p, *_ in rows], pa.int64()),
        "c0": pa.array([0 if p % 7 == 0 else 1 for p, *_ in rows], pa.int64()),
    }
    return pa.table(given | columns)


def sent(table: pa.Table, layout: Layout = LAYOUT, **stated: int) -> pa.Table:
    told, parts = wrapped(table, layout)
    return unwrapped({**told, **stated}, [memoryview(each) for each in parts], layout)


def test_it_arrives_as_it_was() -> None:
    table = a_partial()
    assert sent(table).equals(table)


def test_nobody_at_all_arrives_too() -> None:
    assert len(sent(a_partial(0))) == 0


def test_sums_past_eight_bytes_arrive() -> None:
    rows = len(a_partial(1))
    large = a_partial(1, s0=pa.array([Decimal(10**30)] * rows, UNITS), c0=pa.array([1] * rows))
    assert sent(large)["s0"].to_pylist() == [10**30] * rows


@pytest.mark.parametrize(
    "columns",
    [
        {"d0": pa.array([3] * 4, pa.int16())},
        {"d0": pa.array([-2] * 4, pa.int16())},
        {"n": pa.array([0] * 4)},
        {"n": pa.array([-1] * 4)},
        {"c0": pa.array([9] * 4)},
        {"c0": pa.array([-1] * 4)},
        {"s0": pa.array([None] * 4, UNITS)},
        {"n": pa.array([None, 1, 1, 1], pa.int64())},
        {"d0": pa.array([None, 0, 1, 2], pa.int16())},
        {"n": pa.array([1] * 4, pa.uint64())},
        {"s0": pa.array([1] * 4, pa.uint64())},
        {"s0": pa.array([1.0] * 4)},
        {"token": tokens([token(1)] * 4)},
        {"token": token_column(np.frombuffer(token(1) * 4, f"V{TOKEN_BYTES}"), np.ones(4, "i8"))},
        {"token": tokens(sorted(map(token, range(4)), reverse=True))},
    ],
)
def test_what_was_not_agreed_on_is_refused(columns: dict[str, Any]) -> None:
    four = pa.table(
        {
            "token": tokens(sorted(map(token, range(4)))),
            "d0": pa.array([0] * 4, pa.int16()),
            "d1": pa.array([1] * 4, pa.int16()),
            "n": pa.array([1] * 4),
            "s0": pa.array([1] * 4),
            "c0": pa.array([1] * 4),
        }
    )
    assert len(sent(four)) == 4
    with pytest.raises((AccessDeniedError, ValueError, pa.ArrowInvalid)):
        sent(pa.table({name: columns.get(name, four[name]) for name in four.column_names}))


@pytest.mark.parametrize("stated", [{"rows": 1}, {"rows": -1}, {"persons": 1}, {"persons": 10**12}, {"rows": 10**12}])
def test_counts_that_are_not_as_stated_are_refused(stated: dict[str, int]) -> None:
    with pytest.raises(AccessDeniedError, match="not as agreed"):
        sent(a_partial(), **stated)


def test_other_columns_are_refused() -> None:
    told, parts = wrapped(a_partial(), LAYOUT)
    for layout in (Layout(codes=(3,), measures=1, once=False), Layout(codes=(3, 200), measures=0, once=False)):
        with pytest.raises(AccessDeniedError, match="columns"):
            unwrapped(told, [memoryview(each) for each in parts], layout)


def test_who_asks_has_each_person_once_in_each_group() -> None:
    told, parts = wrapped(a_partial(), Layout(codes=(3, 200), measures=0, once=False))
    with pytest.raises(AccessDeniedError, match="outside"):
        unwrapped(told, [memoryview(each) for each in parts], Layout(codes=(3, 200), measures=0, once=True))


def test_a_million_persons_of_both_sides_fit_in_forty_megabytes() -> None:
    """In proportion: a hundredth of both sides, six events a person in twenty groups."""
    random, persons = np.random.default_rng(1), 10_000
    found, counts = np.unique(random.integers(0, persons * 20, 6 * persons), return_counts=True)
    protected = pa.table(
        {
            "token": tokens([token(int(each)) for each in found // 20]),
            "d0": smallest(pa.array(found % 20)),
            "n": smallest(pa.array(counts)),
            "s0": smallest(pa.array(counts * random.integers(1, 5_000, len(counts)))),
            "c0": smallest(pa.array(counts)),
        }
    )
    asking = pa.table(
        {
            "token": tokens(list(map(token, range(persons)))),
            "d0": smallest(pa.array(random.integers(-1, 5, persons))),
            "n": smallest(pa.array(np.ones(persons, "i8"))),
        }
    )
    parts = wrapped(protected, Layout(codes=(20,), measures=1, once=False))[1]
    parts += wrapped(asking, Layout(codes=(5,), measures=0, once=True))[1]
    assert sum(map(len, parts)) * 100 < 40_000_000
