"""A contract's cut as Dagster's partitions, and the promise that each row lies in the partition it was made for."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import dagster as dg

from mesh_defs.model.contract import Contract
from mesh_defs.model.partition import Partitioning
from mesh_defs.upkeep.audit import IN_PARTITION
from quality_checks import Expectation


def partitions_definition(cut: Partitioning | None) -> dg.PartitionsDefinition[str] | None:
    """Dagster's partitions, with the contract's names: days of UTC, or values."""
    if cut is None:
        return None
    if cut.start is None:
        return dg.StaticPartitionsDefinition(list(cut.values))
    end = _midnight(cut.end) if cut.end else None
    return dg.DailyPartitionsDefinition(start_date=_midnight(cut.start), end_date=end, timezone="UTC")


@contextmanager
def unwarned() -> Iterator[None]:
    """Build specs without Dagster's remarks on what is young in it: whoever loads a domain can do nothing about them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        warnings.simplefilter("ignore", dg.BetaWarning)
        yield


def partition_mapping(cut: Partitioning | None, product: str) -> dg.PartitionMapping | None:
    """Which partitions of an input one partition reads, where that is not Dagster's own guess: the same one, or all."""
    days = cut.lookback_days.get(product) if cut else None
    if days is None:
        return None
    return dg.TimeWindowPartitionMapping(start_offset=-days, allow_nonexistent_upstream_partitions=True)


def declared_expectations(contract: Contract) -> tuple[Expectation, ...]:
    """The same before any partition is known, for the specs of checks: names and order are those of the audit."""
    if contract.partitioning is None:
        return contract.expectations
    declared = Expectation(
        type="expect_column_values_to_be_between"
        if contract.partitioning.is_daily
        else "expect_column_values_to_be_in_set",
        kwargs={"column": contract.partitioning.column},
        meta=IN_PARTITION,
    )
    return (*contract.expectations, declared)


def _midnight(day: object) -> datetime:
    return datetime.fromisoformat(f"{day}T00:00:00").replace(tzinfo=UTC)
