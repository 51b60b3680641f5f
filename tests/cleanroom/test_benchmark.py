"""The benchmark of the privacy level measures what its targets name. Nothing here looks at a time."""

from benchmarks.room_privacy import TARGETS, measured


def test_measures_what_has_a_target() -> None:
    figures = measured(persons=5_000, rows=30_000, repeats=1)
    assert set(TARGETS) <= set(figures)
    assert figures["privacy_clipped_percent"] <= figures["privacy_clipped_percent_narrow_bounds"]
