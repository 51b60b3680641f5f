"""A domain's expectations of other domains' products, as Dagster checks of its own location on their published versions.

They ask through the door as the domain's service principal, so that only counts cross. They block nobody: what is
published is published, and its readers learn whose expectations it does not meet.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

import dagster as dg
import duckdb
import pyarrow as pa

from mesh_defs.authoring.metadata import SEVERITY, check_metadata, described
from mesh_defs.authoring.partitions import unwarned
from mesh_defs.authoring.step import asset_key
from mesh_defs.documents.observed import expected_file, store_observation
from mesh_defs.documents.snapshot import dump_expected
from mesh_defs.errors import DeclarationError, EngineError, Finding, QueryRejectedError, StorageError, nearest
from mesh_defs.model.access import service_of
from mesh_defs.model.expected import Expected
from mesh_defs.model.observation import Observation
from mesh_defs.model.query import QueryRequest
from mesh_defs.query.platform import Platform, open_platform
from mesh_defs.query.run import run_query
from mesh_defs.settings import Settings
from quality_checks import QualityError, Result, evaluate

EXPECTED_KEY = "mesh/expected"
# A version that is replaced while it is judged: the judgement starts again, this often.
_CUTS_MAX = 3


def job_name(domain: str) -> str:
    """The job that looks at all of a domain's expectations of others."""
    return f"{domain}_expectations"


def expected_checks(declared: Sequence[Expected], settings: Settings) -> list[dg.AssetChecksDefinition]:
    """Checks on other domains' assets, one step for each product; they run when the product or what it is compared with
    is new."""
    return [_checks(each, settings) for each in declared]


def expectations_job(domain: str, declared: Sequence[Expected]) -> Any:
    """Looks at all of them; operators start it, and so does a refresh in process."""
    keys = [dg.AssetCheckKey(asset_key(each.product), name) for each in declared for name in each.check_names]
    return dg.define_asset_job(job_name(domain), selection=dg.AssetSelection.checks(*keys))


def judge(expected: Expected, platform: Platform) -> tuple[list[Result], str]:
    """Evaluate the expectations on one published version of every product they name; return that version, too.

    Raises MeshError when the door refuses or a product has no version.
    """
    for _ in range(_CUTS_MAX):
        asked = _Door(expected, platform)
        try:
            results = evaluate(
                cast(duckdb.DuckDBPyConnection, asked),
                expected.product,
                expected.expectations,
                tables={name: name for name in expected.tables},
            )
        except QualityError as error:
            fix = f"mend the rule, or ask the owner of {expected.product}"
            raise DeclarationError([Finding(where=expected.file, what=str(error), fix=fix)]) from None
        if all(len(versions) == 1 for versions in asked.versions.values()):
            return results, next(iter(asked.versions.get(expected.product, {""})))
    what = f"{expected.product} was replaced {_CUTS_MAX} times while {expected.consumer} looked at it"
    raise StorageError(what, fix="run the check again")


@dataclass
class _Door:
    """What an evaluation asks instead of a DuckDB connection: every query passes the door. `versions` tells what it saw."""

    expected: Expected
    platform: Platform
    versions: dict[str, set[str]] = field(default_factory=dict)
    _answer: pa.Table | None = None

    def execute(self, query: str) -> "_Door":
        """Answer a SELECT through the door; DESCRIBE from the contract, as what it promises is what may be relied on."""
        self._answer = self._described() if query.startswith("DESCRIBE ") else self._asked(query)
        return self

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows of the last answer, by place: aggregates that nobody named may share a name."""
        columns = self.to_arrow_table().columns
        return list(zip(*(map(_plain, column.to_pylist()) for column in columns), strict=True))

    def to_arrow_table(self) -> pa.Table:
        """The last answer whole, for what GX decides in memory."""
        assert self._answer is not None, "nothing was asked"
        return self._answer

    def _described(self) -> pa.Table:
        products = self.platform.mesh.products
        if self.expected.product not in products:
            what, fix = f"no product '{self.expected.product}'", nearest(self.expected.product, products)
            raise DeclarationError([Finding(where=self.expected.file, what=what, fix=fix)])
        columns = products[self.expected.product].contract.columns
        return pa.table({"name": [c.name for c in columns], "type": [c.type for c in columns]})

    def _asked(self, query: str) -> pa.Table:
        asked = QueryRequest(sql=query, principal=service_of(self.expected.consumer), purpose=self.expected.purpose)
        try:
            with run_query(asked, self.platform) as answer:
                table = answer.table()
        except (EngineError, QueryRejectedError) as error:
            if error.retryable:
                raise
            # As DuckDB itself would say it: that one expectation has failed, the others are judged.
            raise duckdb.InvalidInputException(error.code) from None
        for pin in answer.pins:
            self.versions.setdefault(pin.product, set()).add(pin.version)
        return table


def _plain(value: Any) -> Any:
    """Arrow has no 128-bit integers: DuckDB's counts come as decimals."""
    return int(value) if isinstance(value, Decimal) and value.as_tuple().exponent == 0 else value


def _checks(expected: Expected, settings: Settings) -> dg.AssetChecksDefinition:
    with unwarned():
        specs = [
            dg.AssetCheckSpec(
                name,
                asset=asset_key(expected.product),
                additional_deps=[asset_key(each) for each in expected.tables if each != expected.product],
                description=f"{expected.consumer} expects: {described(expectation)}",
                automation_condition=dg.AutomationCondition.eager(),
                metadata={EXPECTED_KEY: dg.MetadataValue.json(dump_expected(expected))},
            )
            for name, expectation in zip(expected.check_names, expected.expectations, strict=True)
        ]
        name = f"{expected.consumer}_expects_of_{expected.product.replace('.', '__')}"
        return dg.multi_asset_check(name=name, specs=specs)(_step(expected, settings))


def _step(expected: Expected, settings: Settings) -> Callable[..., Iterator[dg.AssetCheckResult]]:
    def step() -> Iterator[dg.AssetCheckResult]:
        platform = open_platform(settings)
        results, version = judge(expected, platform)
        _record(expected, results, version, platform)
        for name, result in zip(expected.check_names, results, strict=True):
            yield dg.AssetCheckResult(
                asset_key=asset_key(expected.product),
                check_name=name,
                passed=result.success,
                severity=SEVERITY[result.expectation.severity],
                metadata=check_metadata(result, version),
            )

    return step


def _record(expected: Expected, results: Sequence[Result], version: str, platform: Platform) -> None:
    """For the catalog: the provider sees who expects what, and whether it holds."""
    checks = [
        {"name": name, "passed": result.success, "severity": result.expectation.severity, "told": result.error or ""}
        for name, result in zip(expected.check_names, results, strict=True)
    ]
    seen = Observation(
        format=1,
        product=expected.product,
        observed_at=platform.clock(),
        contract_version=platform.mesh.products[expected.product].contract.version,
        passed=all(result.success for result in results),
        version=version,
        checks=tuple(checks),
    )
    store_observation(expected_file(platform.settings.home, expected.product, expected.consumer), seen)
