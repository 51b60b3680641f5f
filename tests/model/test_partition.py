from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from mesh_defs.errors import NotFoundError
from mesh_defs.model.partition import Partitioning

DAILY = Partitioning(column="day", start=date(2026, 11, 1))
BOUNDED = Partitioning(column="day", start=date(2026, 11, 1), end=date(2026, 11, 4))
VALUES = Partitioning(column="region", values=("north", "south"))
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def test_a_day_can_be_made_when_it_is_over() -> None:
    assert DAILY.keys(NOON) == ("2026-11-01", "2026-11-02")
    assert DAILY.keys(datetime(2026, 11, 1, 23, tzinfo=UTC)) == ()
    assert DAILY.keys(datetime(2026, 10, 1, tzinfo=UTC)) == ()


def test_days_are_those_of_utc() -> None:
    assert DAILY.keys(datetime(2026, 11, 3, 1, tzinfo=timezone(timedelta(hours=5)))) == ("2026-11-01",)


def test_no_day_is_made_after_the_end() -> None:
    assert BOUNDED.keys(datetime(2027, 1, 1, tzinfo=UTC)) == ("2026-11-01", "2026-11-02", "2026-11-03")


def test_values_can_be_made_at_once() -> None:
    assert VALUES.keys(NOON) == ("north", "south")


def test_a_day_knows_its_window() -> None:
    found = DAILY.partition("2026-11-01")
    assert (found.start, found.end) == (date(2026, 11, 1), date(2026, 11, 2))
    assert dict(found.parameters) == {"partition": "2026-11-01", "window_start": found.start, "window_end": found.end}
    assert dict(VALUES.partition("north").parameters) == {"partition": "north"}


@pytest.mark.parametrize("key", ["2026-10-31", "2026-11-4", "20261101", "today", "", "2026-11-31"])
def test_an_unknown_day_is_not_found(key: str) -> None:
    with pytest.raises(NotFoundError):
        DAILY.partition(key)


def test_an_unknown_value_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="did you mean 'north'"):
        VALUES.partition("North")


def test_a_range_includes_both_ends() -> None:
    assert BOUNDED.between("2026-11-01", "2026-11-02", NOON) == ("2026-11-01", "2026-11-02")


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        ("2026-11-02", "2026-11-01", "write 2026-11-01..2026-11-02"),
        ("2026-11-01", "2026-11-03", "not over yet"),
        ("2026-10-01", "2026-11-01", "no partition '2026-10-01'"),
    ],
)
def test_a_wrong_range_is_refused(first: str, last: str, told: str) -> None:
    with pytest.raises(NotFoundError, match=told):
        DAILY.between(first, last, NOON)
