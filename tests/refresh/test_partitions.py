"""Partitioned products, from contract to storage: days and values, one replaced at a time, windows across domains."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from mesh_defs.errors import DeclarationError, NotFoundError
from mesh_defs.model.partition import Partitioning
from mesh_defs.query.mesh import open_mesh, open_storage
from mesh_defs.refresh.in_process import refresh_in_process
from mesh_defs.refresh.instance import open_instance
from mesh_defs.refresh.outcome import Outcome
from mesh_defs.refresh.partitions import chosen
from mesh_defs.settings import Settings
from tests.meshes import DAY, HITS, NOT_EMPTY, contract, derived, grants, python, rows, settings_of, sql

WEEK = "{property: partitions, value: {start: '2026-11-01', end: '2026-11-08'}}"
TO_BOTH = "{id: both, principals: ['service:shop', ada], purposes: [measurement]}"
# Day n of November has n visits; nobody came on the fifth.
VISITS = """
    SELECT CAST('2026-11-01' AS DATE) + CAST(day AS INTEGER) AS day, visit + 1 AS hits
    FROM range(8) AS days(day), range(8) AS visits(visit)
    WHERE visit <= day AND day <> 4
"""


def visits() -> Mapping[str, str]:
    whole = contract(
        "web.visits",
        columns=("{name: day, logicalType: date, required: true}", HITS),
        granularity="aggregate",
        custom=("{property: grain, value: [day, hits]}",),
    )
    return {**whole, **sql("visits", VISITS), **grants("web.visits", TO_BOTH)}


def daily(**more: object) -> Mapping[str, str]:
    cut = derived("shop.daily", grain="day", columns=(DAY, HITS), granularity="aggregate", custom=(WEEK,), **more)
    select = (
        "SELECT day, count(*) AS hits FROM web.visits WHERE day >= $window_start AND day < $window_end GROUP BY day"
    )
    return {**cut, **sql("daily", select), **grants("shop.daily", TO_BOTH)}


def make(settings: Settings, *selections: str, partitions: str | None = None) -> dict[str, Outcome]:
    outcomes = refresh_in_process(settings, open_mesh(settings), selections=selections, partitions=partitions)
    return {outcome.product: outcome for outcome in outcomes}


def parts(settings: Settings, product: str) -> dict[str | None, str]:
    version = open_storage(open_mesh(settings).products[product], settings).current()
    return {part.partition: part.path for part in version.parts} if version else {}


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Made once, with a rule that the empty fifth of November breaks."""
    domains = {"web": visits(), "shop": daily(quality=(NOT_EMPTY,))}
    return settings_of(Path(tmp_path_factory.mktemp("week")) / "mesh", domains)


@pytest.fixture(scope="module")
def made(week: Settings) -> dict[str, Outcome]:
    return make(week)


def test_a_failed_day_is_named_and_harms_no_other(week: Settings, made: dict[str, Outcome]) -> None:
    assert made["shop.daily"].state == "failed"
    assert "6 of 7 partitions" in made["shop.daily"].told
    assert "2026-11-05: shop.daily: the new version of 2026-11-05 was quarantined" in made["shop.daily"].told
    assert rows(week, "SELECT day, hits FROM shop.daily ORDER BY day") == [
        (date(2026, 11, n), n) for n in (1, 2, 3, 4, 6, 7)
    ]


def test_a_refresh_makes_what_is_missing_and_the_newest(week: Settings, made: dict[str, Outcome]) -> None:
    before = parts(week, "shop.daily")
    again = make(week, "shop.daily")["shop.daily"]
    assert "1 of 2 partitions" in again.told
    after = parts(week, "shop.daily")
    assert {key for key in after if after[key] != before[key]} == {"2026-11-07"}


def test_one_partition_is_replaced_and_the_others_stay(week: Settings, made: dict[str, Outcome]) -> None:
    before = parts(week, "shop.daily")
    assert make(week, partitions="2026-11-02..2026-11-03")["shop.daily"].told == "2 of 2 partitions"
    after = parts(week, "shop.daily")
    assert {key for key in after if after[key] != before[key]} == {"2026-11-02", "2026-11-03"}


def test_dagster_knows_each_partition_and_its_checks(week: Settings, made: dict[str, Outcome]) -> None:
    key = dg.AssetKey(["shop", "daily"])
    with open_instance(week) as instance:
        done = instance.get_materialized_partitions(key)
        assert done == {f"2026-11-0{n}" for n in (1, 2, 3, 4, 6, 7)}
        check = dg.AssetCheckKey(key, "some_rows")
        records = instance.event_log_storage.get_asset_check_execution_history(check, limit=50)
    by_day = {record.partition: record.status.value for record in reversed(records)}
    assert by_day["2026-11-05"] == "FAILED"
    assert by_day["2026-11-04"] == "SUCCEEDED"
    with open_instance(week) as instance:
        event = instance.get_latest_materialization_event(key)
    assert event and event.asset_materialization
    told = {name: value.value for name, value in event.asset_materialization.metadata.items()}
    assert (told["mesh/whole_checks"], told["mesh/whole_failed"]) == (3, ""), "judged from what is kept of each day"


def test_partitions_leave_out_what_is_not_cut_so(week: Settings, made: dict[str, Outcome]) -> None:
    assert set(make(week, partitions="2026-11-01")) == {"shop.daily"}
    with pytest.raises(NotFoundError, match="none of these products is partitioned"):
        make(week, "web", partitions="2026-11-01")
    with pytest.raises(NotFoundError, match="name a day from 2026-11-01 to 2026-11-07"):
        make(week, partitions="2026-12-01")


def test_a_row_of_another_day_is_refused(tmp_path: Path) -> None:
    select = "SELECT day, count(*) AS hits FROM web.visits WHERE day <= $window_start GROUP BY day"
    settings = settings_of(tmp_path / "mesh", {"web": visits(), "shop": {**daily(), **sql("daily", select)}})
    outcome = (
        make(
            settings,
            partitions="2026-11-01..2026-11-02",
        )["shop.daily"]
        if make(settings, "web")
        else None
    )
    assert outcome is not None
    assert "in_its_partition" in outcome.told
    assert set(parts(settings, "shop.daily")) == {"2026-11-01"}


def test_values_cut_a_product_too(tmp_path: Path) -> None:
    region = "{name: region, logicalType: string, required: true, partitioned: true}"
    custom = "{property: partitions, value: {values: [north, south]}}"
    cut = contract(
        "shop.regions",
        columns=(region, HITS),
        granularity="aggregate",
        custom=("{property: grain, value: [region]}", custom),
    )
    files = {**cut, **sql("regions", "SELECT $partition AS region, 1 AS hits"), **grants("shop.regions", TO_BOTH)}
    settings = settings_of(tmp_path / "mesh", {"shop": files})
    assert make(settings)["shop.regions"].told == "2 of 2 partitions"
    assert rows(settings, "SELECT region FROM shop.regions ORDER BY 1") == [("north",), ("south",)]
    assert make(settings, partitions="south")["shop.regions"].told == "1 of 1 partitions"


def test_a_function_gets_the_window_of_a_partitioned_input_and_its_lookback(tmp_path: Path) -> None:
    back = "{property: partitions, value: {start: '2026-11-01', end: '2026-11-08', lookback_days: {shop.daily: 2}}}"
    cut = derived("shop.recent", grain="day", columns=(DAY, HITS), granularity="aggregate", custom=(back,))
    body = (
        "@data_product('shop.daily')\ndef recent(daily, partition):\n"
        "    return daily.aggregate(f\"DATE '{partition.start}' AS day, sum(hits)::BIGINT AS hits\")"
    )
    recent = {**cut, **python("recent", body), **grants("shop.recent", TO_BOTH)}
    settings = settings_of(tmp_path / "mesh", {"web": visits(), "shop": {**daily(), **recent}})
    make(settings)
    assert rows(settings, "SELECT day, hits FROM shop.recent ORDER BY day")[:4] == [
        (date(2026, 11, 1), 1),
        (date(2026, 11, 2), 3),
        (date(2026, 11, 3), 6),
        (date(2026, 11, 4), 9),
    ]


@pytest.mark.parametrize(
    ("select", "cut", "told"),
    [
        ("SELECT day, hits FROM web.visits", (WEEK,), "names neither window nor partition"),
        ("SELECT day, hits FROM web.visits WHERE day = $window_start", (), "has no value, since shop.daily is not"),
    ],
)
def test_a_select_and_its_contract_must_agree_on_the_cut(
    tmp_path: Path, select: str, cut: tuple[str, ...], told: str
) -> None:
    day = DAY if cut else "{name: day, logicalType: date, required: true}"
    files = {
        **derived("shop.daily", grain="day", columns=(day, HITS), granularity="aggregate", custom=cut),
        **sql("daily", select),
    }
    settings = settings_of(tmp_path / "mesh", {"web": visits(), "shop": files})
    from mesh_defs.authoring.folder import read_folder

    with pytest.raises(DeclarationError, match=told):
        read_folder(settings.root / "domains" / "shop", root=settings.root)


NOON = datetime(2026, 11, 4, 12, tzinfo=UTC)
OPEN = Partitioning(column="day", start=date(2026, 11, 1))


@pytest.mark.parametrize(
    ("asked", "published", "keys"),
    [
        (None, (), ("2026-11-01", "2026-11-02", "2026-11-03")),
        (None, ("2026-11-01", "2026-11-03"), ("2026-11-02", "2026-11-03")),
        ("all", ("2026-11-01",), ("2026-11-01", "2026-11-02", "2026-11-03")),
        ("2026-11-02", (), ("2026-11-02",)),
        ("2026-11-01..2026-11-02", ("2026-11-01",), ("2026-11-01", "2026-11-02")),
    ],
)
def test_what_is_made_when(asked: str | None, published: tuple[str, ...], keys: tuple[str, ...]) -> None:
    assert chosen(OPEN, asked, published=published, now=NOON) == keys
