"""A partial arrives as it was, in few bytes, or not at all."""

import hashlib
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mesh_defs.cleanroom.parcel import TOKEN_BYTES, Layout, unwrapped, wrapped
from mesh_defs.errors import AccessDeniedError
from mesh_defs.sql.partial import TOKEN_DIGITS

LAYOUT = Layout(codes=(3, 200), measures=1, once=False)
UNITS = pa.decimal128(38, 0)


def token(person: int) -> str:
    return hashlib.sha256(str(person).encode()).hexdigest()[:TOKEN_DIGITS]


def a_partial(persons: int = 50, **columns: Any) -> pa.Table:
    rows = [(p, d, 100 + d) for p in range(persons) for d in (-1, 0, 2) if (p + d) % 3]
    counts = [1 + p % 4 for p, *_ in rows]
    given = {
        "token": [token(p) for p, *_ in rows],
        "d0": pa.array([d for _, d, _ in rows], pa.int16()),
        "d1": pa.array([d for *_, d in rows], pa.int16()),
        "n": pa.array(counts, pa.int64()),
        "s0": pa.array([None if p % 7 == 0 else (p - 20) * 10**6 for p, *_ in rows]).cast(UNITS),
        "c0": pa.array([0 if p % 7 == 0 else 1 for p, *_ in rows], pa.int64()),
    }
    return pa.table(given | columns)


def sent(table: pa.Table, layout: Layout = LAYOUT, **stated: int) -> pa.Table:
    told, parts = wrapped(table, layout)
    return unwrapped({**told, **stated}, [memoryview(each) for each in parts], layout)


def rows_of(table: pa.Table) -> list[tuple[Any, ...]]:
    return sorted(zip(*(column.to_pylist() for column in table.columns), strict=True), key=repr)


def test_it_arrives_with_shorter_tokens_and_otherwise_as_it_was() -> None:
    table = a_partial()
    cut = pa.array([bytes.fromhex(each) for each in table["token"].to_pylist()], pa.binary(TOKEN_BYTES))
    found = sent(table)
    assert rows_of(found.cast(table.set_column(0, "token", cut).schema)) == rows_of(table.set_column(0, "token", cut))


def test_it_says_nothing_of_the_order_of_rows() -> None:
    table = a_partial()
    shuffled = table.take(np.random.default_rng(1).permutation(len(table)))
    assert wrapped(table, LAYOUT) == wrapped(shuffled, LAYOUT)


@pytest.mark.parametrize("shared", [0, 7, 15, 16, 23])
def test_persons_whose_tokens_begin_alike_are_kept_apart(shared: int) -> None:
    """Of a million persons a few share the bits that are sorted by first; here all share as many digits."""
    random = np.random.default_rng(shared)
    numbers = random.permutation(16 ** min(3, TOKEN_DIGITS - shared))[:200]
    tokens = ["a" * shared + f"{number:0{TOKEN_DIGITS - shared}x}" for number in numbers]
    rows = [(each, code) for each in tokens for code in (-1, 0, 1, 2)]
    random.shuffle(rows)
    ones = pa.array([1] * len(rows), pa.int64())
    table = pa.table(
        {
            "token": [each for each, _ in rows],
            "d0": pa.array([int(code) for _, code in rows], pa.int16()),
            "d1": pa.array([0] * len(rows), pa.int16()),
            "n": ones,
            "s0": ones.cast(UNITS),
            "c0": ones,
        }
    )
    found = sent(table)
    told = [(each.hex(), code) for each, code in zip(found["token"].to_pylist(), found["d0"].to_pylist(), strict=True)]
    assert told == sorted((each, int(code)) for each, code in rows)


def test_nobody_at_all_arrives_too() -> None:
    assert len(sent(a_partial(0))) == 0


def test_sums_past_eight_bytes_arrive() -> None:
    table = a_partial(1)
    large = table.set_column(4, "s0", pa.array([Decimal(10**30)] * len(table), UNITS))
    assert sent(large.set_column(5, "c0", pa.array([1] * len(table))))["s0"].to_pylist() == [10**30] * len(table)


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
        {"token": [token(1)] * 4, "d0": pa.array([0] * 4, pa.int16())},
    ],
)
def test_what_was_not_agreed_on_is_refused(columns: dict[str, Any]) -> None:
    four = pa.table(
        {
            "token": [token(each) for each in range(4)],
            "d0": pa.array([0] * 4, pa.int16()),
            "d1": pa.array([1] * 4, pa.int16()),
            "n": pa.array([1] * 4),
            "s0": pa.array([1] * 4).cast(UNITS),
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


@pytest.mark.parametrize("digits", [None, "", "ab" * 11, "ab" * 13, "zz" * 12, "é" * 12])
def test_a_row_without_a_token_does_not_leave(digits: str | None) -> None:
    table = a_partial(2)
    tokens = [*table["token"].to_pylist()[:-1], digits]
    with pytest.raises(ValueError):
        wrapped(table.set_column(0, "token", pa.array(tokens)), LAYOUT)


def test_a_million_persons_of_both_sides_fit_in_forty_megabytes() -> None:
    """In proportion: a hundredth of both sides, six events a person in twenty groups."""
    random, persons = np.random.default_rng(1), 10_000
    found, counts = np.unique(random.integers(0, persons * 20, 6 * persons), return_counts=True)
    protected = pa.table(
        {
            "token": [token(int(each)) for each in found // 20],
            "d0": pa.array((found % 20).astype("int16")),
            "n": pa.array(counts),
            "s0": pa.array(counts * random.integers(1, 5_000, len(counts))).cast(UNITS),
            "c0": pa.array(counts),
        }
    )
    asking = pa.table(
        {
            "token": [token(each) for each in range(persons)],
            "d0": pa.array(random.integers(-1, 5, persons).astype("int16")),
            "n": pa.array(np.ones(persons, "int32")),
        }
    )
    parts = wrapped(protected, Layout(codes=(20,), measures=1, once=False))[1]
    parts += wrapped(asking, Layout(codes=(5,), measures=0, once=True))[1]
    assert sum(map(len, parts)) * 100 < 40_000_000
