"""The interval of a lift: against published figures, and at its edges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh_defs.cleanroom.lift import lift_of


@pytest.mark.parametrize(
    ("counts", "interval"),
    [
        # Newcombe 1998, table II, method 10.
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((0, 10, 0, 10), (-0.2775, 0.2775)),
        ((10, 10, 0, 10), (0.6075, 1.0)),
    ],
)
def test_gives_the_published_intervals(counts: tuple[int, int, int, int], interval: tuple[float, float]) -> None:
    lift = lift_of(*counts)
    assert (lift.low, lift.high) == pytest.approx(interval, abs=5e-5)


@pytest.mark.parametrize("counts", [(0, 0, 1, 2), (1, 2, 0, 0), (3, 2, 1, 2), (-1, 2, 1, 2)])
def test_refuses_what_is_no_share(counts: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="is no share"):
        lift_of(*counts)


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.data())
def test_the_interval_holds_the_difference_and_stays_within_one(n: int, m: int, data: st.DataObject) -> None:
    lift = lift_of(data.draw(st.integers(0, n)), n, data.draw(st.integers(0, m)), m)
    assert -1 - 1e-9 <= lift.low <= lift.difference <= lift.high <= 1 + 1e-9
