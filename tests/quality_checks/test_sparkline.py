"""A history as one line of text."""

from hypothesis import given
from hypothesis import strategies as st

from quality_checks.sparkline import FAILED, LEVELS, NOTHING, sparkline

points = st.none() | st.tuples(st.none() | st.floats(allow_nan=False, allow_infinity=False), st.booleans())


def test_levels_run_from_the_least_to_the_greatest() -> None:
    assert sparkline([(float(n), True) for n in range(8)]) == LEVELS


def test_a_failure_a_gap_and_no_number_are_told_apart() -> None:
    assert sparkline([(0.0, True), (9.0, False), None, (None, True), (9.0, True)]) == "▁✗··█"


def test_what_never_changes_lies_low() -> None:
    assert sparkline([(3.0, True)] * 3) == "▁▁▁"
    assert sparkline([]) == ""


@given(st.lists(points, max_size=40))
def test_each_evaluation_is_one_character(drawn: list[tuple[float | None, bool] | None]) -> None:
    line = sparkline(drawn)
    assert len(line) == len(drawn)
    assert set(line) <= {*LEVELS, FAILED, NOTHING}
    assert [each == FAILED for each in line] == [point is not None and not point[1] for point in drawn]
