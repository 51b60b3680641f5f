"""Combinations of counts that come down to few persons, against a search through small whole-number combinations."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_defs.cleanroom.combining import TooManyError, tells_of_few

K = 5
CLASSES = st.dictionaries(
    st.frozensets(st.integers(0, 3), min_size=1).map(lambda cells: tuple(sorted(cells))),
    st.integers(1, 12),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize(
    ("classes", "told"),
    [
        ([((0, 1), 100), ((1,), 3)], True),  # a total, and the total of all but three
        ([((0, 1), 100), ((1,), 9)], False),
        ([((0, 2), 50), ((1, 2), 50), ((2,), 3)], True),  # two parts and the whole
        ([((0, 2), 50), ((1, 2), 50)], False),
        ([((0,), 50), ((1,), 50)], False),
        ([((0, 1), 100)], False),  # twice the same
        ([((0, 3), 40), ((1, 3), 40), ((2, 3), 40), ((3,), 1)], True),
    ],
)
def test_what_counts_tell_together(classes: list[tuple[tuple[int, ...], int]], told: bool) -> None:
    cells = 1 + max(max(covered) for covered, _ in classes)
    assert tells_of_few(classes, cells, K) is told


@given(CLASSES)
@settings(max_examples=200, deadline=None)
def test_what_a_pair_of_counts_tells_is_found(classes: dict[tuple[int, ...], int]) -> None:
    """Whatever one subtraction of two counts tells of fewer than K persons, of all whom the classes hold."""
    found = tells_of_few(list(classes.items()), 4, K)
    for one, other in product(range(4), repeat=2):
        apart = sum(size for cells, size in classes.items() if (one in cells) != (other in cells))
        together = sum(size for cells, size in classes.items() if one in cells and other in cells)
        if 0 < apart < K <= together:
            assert found


def test_too_much_is_not_compared_at_all() -> None:
    with pytest.raises(TooManyError):
        tells_of_few([((0,), 1)] * 7_000, 10_000, K)
