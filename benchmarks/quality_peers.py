"""The engines of benchmarks.quality that are in no lock of ours: see quality-peers.txt. Runs in the peers' interpreter.

Each says a rule in its own words where it has them and in a function or an SQL expression where it takes those; what it
cannot say it leaves out of its verdicts. GX's regex on DuckDB is the only such rule.
"""

import json
import os
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.quality_data import COLUMNS, REGIONS, Data, Rule
from benchmarks.quality_engines import Engine, Evaluate, Verdicts, ephemeral_context, gx_verdicts


def gx_duckdb(data: Data, rules: Sequence[Rule]) -> Evaluate:
    """GX through SQLAlchemy, with a cursor that keeps its rows: GX reads them when the connection is closed (GX #11579)."""
    import duckdb_engine
    import great_expectations as gx

    duckdb_engine.CursorWrapper = _buffered(duckdb_engine.CursorWrapper)
    source = ephemeral_context(gx).data_sources.add_sql(
        "rows",
        connection_string=f"duckdb:///{data.duckdb}",
        kwargs={"connect_args": {"read_only": True}},
    )
    definition = source.add_table_asset("rows", table_name="impressions").add_batch_definition_whole_table("rows")
    said = [rule for rule in rules if rule.name != "regex"]  # "Regex is not supported for dialect duckdb"

    def evaluate() -> Verdicts:
        return gx_verdicts(gx, definition.get_batch(), said)

    return evaluate


def pandera(data: Data, rules: Sequence[Rule]) -> Evaluate:
    """Pandera on a frame that each evaluation reads from Parquet; rules of a whole column are functions."""
    import pandas as pd
    import pandera.pandas as pa

    rows = data.rows
    checks = {
        "region": [
            pa.Check.isin(REGIONS, name="in_set"),
            pa.Check(lambda s: s.notna().mean() >= 0.95, name="mostly_not_null", ignore_na=False),
        ],
        "code": [pa.Check.str_matches(r"^c[0-9]+$", name="regex"), pa.Check.str_length(2, 5, name="lengths")],
        "cost": [
            pa.Check.in_range(0, 100, name="between"),
            pa.Check(lambda s: 49 <= s.mean() <= 51, name="mean"),
            pa.Check(lambda s: 49 * rows <= s.sum() <= 51 * rows, name="sum"),
            pa.Check(_quantiles, name="quantiles"),
        ],
        "viewable_ms": [pa.Check(lambda s: 0 <= s.max() <= 29_000, name="max")],
    }
    columns = {
        name: pa.Column(checks=checks.get(name), nullable=name != "occurred_at", unique=name == "impression_id")
        for name in COLUMNS
    }
    count = pa.Check(lambda frame: len(frame) == rows, name="row_count")
    schema = pa.DataFrameSchema(columns, checks=[count], strict=True, unique=["person_id", "occurred_at"])
    kinds = {"SERIES_CONTAINS_NULLS": "not_null", "SERIES_CONTAINS_DUPLICATES": "unique"}
    kinds |= {"DUPLICATES": "compound_unique", "COLUMN_NOT_IN_SCHEMA": "columns", "COLUMN_NOT_IN_DATAFRAME": "columns"}

    def evaluate() -> Verdicts:
        failed: set[str] = set()
        try:
            schema.validate(pd.read_parquet(data.parquet), lazy=True)
        except pa.errors.SchemaErrors as errors:
            for error in errors.schema_errors:
                failed.add(kinds.get(error.reason_code.name) or error.check.name)
        return {rule.name: rule.name not in failed for rule in rules}

    return evaluate


def pointblank(data: Data, rules: Sequence[Rule]) -> Evaluate:
    """Pointblank on a polars frame that each evaluation reads from Parquet; what it has no step for is `specially`."""
    import pointblank as pb
    import polars as pl

    rows = data.rows
    steps: list[tuple[str, str, dict[str, Any]]] = [
        ("row_count", "row_count_match", {"count": rows}),
        ("columns", "col_exists", {"columns": list(COLUMNS)}),
        ("columns", "col_count_match", {"count": len(COLUMNS)}),
        ("not_null", "col_vals_not_null", {"columns": "occurred_at"}),
        ("mostly_not_null", "specially", {"expr": lambda t: bool(t["region"].is_not_null().mean() >= 0.95)}),
        ("unique", "rows_distinct", {"columns_subset": ["impression_id"]}),
        ("compound_unique", "rows_distinct", {"columns_subset": ["person_id", "occurred_at"]}),
        ("in_set", "col_vals_in_set", {"columns": "region", "set": [*REGIONS, None]}),
        ("between", "col_vals_between", {"columns": "cost", "left": 0, "right": 100}),
        ("regex", "col_vals_regex", {"columns": "code", "pattern": "^c[0-9]+$"}),
        ("lengths", "col_vals_str_len", {"columns": "code", "min_val": 2, "max_val": 5}),
        ("mean", "col_avg_ge", {"columns": "cost", "value": 49}),
        ("mean", "col_avg_le", {"columns": "cost", "value": 51}),
        ("sum", "col_sum_ge", {"columns": "cost", "value": 49 * rows}),
        ("sum", "col_sum_le", {"columns": "cost", "value": 51 * rows}),
        ("max", "specially", {"expr": lambda t: bool(0 <= t["viewable_ms"].max() <= 29_000)}),
        ("quantiles", "specially", {"expr": lambda t: _quantiles(t["cost"])}),
    ]

    def evaluate() -> Verdicts:
        plan = pb.Validate(pl.read_parquet(data.parquet))
        names: list[str] = []
        for name, step, given in steps:
            plan = getattr(plan, step)(**given)
            names += [name] * (len(given["columns"]) if isinstance(given.get("columns"), list) else 1)
        done = plan.interrogate(collect_extracts=False, collect_tbl_checked=False)
        found: dict[str, bool] = {}
        for name, step in zip(names, done.validation_info, strict=True):
            if step.eval_error:
                raise AssertionError(f"pointblank could not judge {name}")
            found[name] = found.get(name, True) and bool(step.all_passed)
        return found

    return evaluate


def soda(data: Data, rules: Sequence[Rule]) -> Evaluate:
    """Soda Core's contract on the DuckDB table; quantiles, for which it has no check, are metrics in SQL."""
    os.environ["SODA_CORE_TELEMETRY_ENABLED"] = "false"
    from soda_core.common.yaml import ContractYamlSource, DataSourceYamlSource
    from soda_core.contracts.contract_verification import CheckOutcome, ContractVerificationSession

    source = {"type": "duckdb", "name": "rows", "connection": {"database": str(data.duckdb), "read_only": True}}
    contract = json.dumps(_soda_contract(data.rows))  # JSON is YAML
    passed, judged = CheckOutcome.PASSED, (CheckOutcome.PASSED, CheckOutcome.FAILED)

    def evaluate() -> Verdicts:
        session = ContractVerificationSession.execute(
            contract_yaml_sources=[ContractYamlSource.from_str(contract)],
            data_source_yaml_sources=[DataSourceYamlSource.from_str(json.dumps(source))],
        )
        if session.has_errors:
            raise AssertionError(f"soda did not judge: {session.get_errors_str()}")
        (result,) = session.contract_verification_results
        found: dict[str, bool] = {}
        for each in result.check_results:
            if each.outcome not in judged:
                raise AssertionError(f"soda could not judge {each.check.name}")
            found[each.check.name] = found.get(each.check.name, True) and each.outcome == passed
        return found

    return evaluate


def _soda_contract(rows: int) -> Mapping[str, Any]:
    checks: dict[str, list[dict[str, Any]]] = {
        "impression_id": [{"duplicate": {"name": "unique"}}],
        "occurred_at": [{"missing": {"name": "not_null"}}],
        "region": [
            {"missing": {"name": "mostly_not_null", "threshold": {"metric": "percent", "must_be_less_than": 5}}},
            {"invalid": {"name": "in_set", "valid_values": list(REGIONS)}},
        ],
        "code": [
            {"invalid": {"name": "regex", "qualifier": "a", "valid_format": {"regex": "^c[0-9]+$", "name": "code"}}},
            {"invalid": {"name": "lengths", "qualifier": "b", "valid_min_length": 2, "valid_max_length": 5}},
        ],
        "cost": [
            {"invalid": {"name": "between", "valid_min": 0, "valid_max": 100}},
            _within("aggregate", "mean", (49, 51), function="avg", qualifier="mean"),
            _within("aggregate", "sum", (49 * rows, 51 * rows), function="sum", qualifier="sum"),
            _within("metric", "quantiles", (49, 51), expression="quantile_disc(cost, 0.5)", qualifier="median"),
            _within("metric", "quantiles", (94, 96), expression="quantile_disc(cost, 0.95)", qualifier="late"),
        ],
        "viewable_ms": [_within("aggregate", "max", (0, 29_000), function="max")],
    }
    columns = [{"name": name, **({"checks": checks[name]} if name in checks else {})} for name in COLUMNS]
    of_table: list[dict[str, Any]] = [
        {"schema": {"name": "columns"}},
        {"row_count": {"name": "row_count", "threshold": {"must_be": rows}}},
        {"duplicate": {"name": "compound_unique", "columns": ["person_id", "occurred_at"]}},
    ]
    return {"dataset": "rows/main/impressions", "columns": columns, "checks": of_table}


def _within(check: str, name: str, bounds: tuple[float, float], **given: Any) -> dict[str, Any]:
    low, high = bounds
    threshold = {"must_be_between": {"greater_than_or_equal": low, "less_than_or_equal": high}}
    return {check: {"name": name, "threshold": threshold, **given}}


def _quantiles(series: Any) -> bool:
    """The one spelling of a quantile that pandas and polars share."""
    return bool(49 <= series.quantile(0.5, interpolation="nearest") <= 51) and bool(
        94 <= series.quantile(0.95, interpolation="nearest") <= 96
    )


def _buffered(wrapper: Any) -> Any:
    class Buffered(wrapper):  # type: ignore[misc]
        """Fetches all rows as soon as a statement has run."""

        def execute(self, statement: str, parameters: Any = None, context: Any = None) -> None:
            super().execute(statement, parameters, context)
            self._description = super().__getattr__("description")
            self._rows = deque(super().__getattr__("fetchall")() if self._description else ())

        @property
        def description(self) -> Any:
            return self._description

        def fetchone(self) -> Any:
            return self._rows.popleft() if self._rows else None

        def fetchmany(self, size: int | None = None) -> list[Any]:
            return [self._rows.popleft() for _ in range(min(size or 1, len(self._rows)))]

        def fetchall(self) -> list[Any]:
            return self.fetchmany(len(self._rows))

    return Buffered


ENGINES: Mapping[str, Engine] = {
    "gx_duckdb": gx_duckdb,
    "pandera": pandera,
    "pointblank": pointblank,
    "soda": soda,
}
