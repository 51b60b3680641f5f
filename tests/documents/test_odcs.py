"""ODCS contracts: what they become, and everything that is refused, with file, line, field and mend."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesh_defs.documents.odcs import read_contract
from mesh_defs.documents.reading import VALUES_MAX
from mesh_defs.documents.snapshot import dump_product, parse_product
from mesh_defs.documents.standards import read_standards
from mesh_defs.errors import DeclarationError
from mesh_defs.model.contract import Contract, Server, ServiceLevel
from quality_checks import Expectation, check_names
from tests.factories import a_product, a_standards, contract_text, findings_of, line_of, write

ROOT = Path(__file__).parents[2]
DEMO = sorted(ROOT.glob("domains/*/contracts/*.odcs.yaml"))
COLUMN = "schema.0.properties.2"
Changes = dict[str, Any]


def read(tmp_path: Path, text: str | bytes) -> Contract:
    return read_contract(write(tmp_path, "c.yaml", text), a_standards(), root=tmp_path)


def accepted(tmp_path: Path, changes: Changes | None = None, *, without: tuple[str, ...] = ()) -> Contract:
    return read(tmp_path, contract_text(changes, without=without))


def refused(tmp_path: Path, text: str | bytes) -> list[str]:
    with pytest.raises(DeclarationError) as caught:
        read(tmp_path, text)
    return findings_of(caught.value)


def changed(tmp_path: Path, changes: Changes | None = None, *, without: tuple[str, ...] = ()) -> list[str]:
    return refused(tmp_path, contract_text(changes, without=without))


def custom(name: str, value: Any) -> Changes:
    return {"customProperties.1": {"property": name, "value": value}}


def rule(**changes: Any) -> dict[str, Any]:
    body = {"type": "expect_column_values_to_not_be_null", "kwargs": {}}
    return {"type": "custom", "engine": "greatExpectations", "implementation": body, **changes}


def written(type: str, **kwargs: Any) -> dict[str, Any]:
    return rule(implementation={"type": type, "kwargs": kwargs})


def types_of(contract: Contract) -> list[tuple[str, tuple[str, ...]]]:
    return [(each.type, each.columns) for each in contract.expectations]


# What a contract becomes


@pytest.mark.parametrize("file", DEMO, ids=lambda file: f"{file.parts[-3]}.{file.name.partition('.')[0]}")
def test_the_demos_contracts_are_sound(file: Path) -> None:
    contract = read_contract(file, read_standards(ROOT), root=ROOT)
    assert contract.product == f"{file.parts[-3]}.{file.name.partition('.')[0]}"
    assert contract.file == str(file.relative_to(ROOT))
    assert len(set(check_names(contract.expectations))) == len(contract.expectations)


def test_there_is_a_demo() -> None:
    assert len(DEMO) >= 12


def test_reads_a_contract_whole(tmp_path: Path) -> None:
    contract = accepted(tmp_path)
    assert (contract.product, contract.version, contract.status, contract.owner) == (
        "events.clicks",
        "1.0.0",
        "active",
        "ad-events",
    )
    assert contract.column_names == ("click_id", "clicked_at", "placement")
    assert [column.type for column in contract.columns] == ["BIGINT", "TIMESTAMP", "VARCHAR"]
    assert [column.required for column in contract.columns] == [True, True, False]
    assert contract.servers == (Server(environment="local", kind="parquet", place="clicks"),)
    assert contract.service_level == ServiceLevel(freshness_hours_max=24.0)
    assert contract.tags == {"origin": "synthetic"}
    assert contract.file == "c.yaml"


def test_status_and_classification_have_defaults(tmp_path: Path) -> None:
    contract = accepted(tmp_path, without=("status",))
    assert contract.status == "draft"
    assert {column.classification for column in contract.columns} == {"internal"}


def test_properties_of_other_tools_pass(tmp_path: Path) -> None:
    vendor = {"property": "costCentre", "value": {"id": 7}, "vendor": "acme"}
    assert accepted(tmp_path, {"customProperties.1": vendor, f"{COLUMN}.customProperties": [vendor]})


@pytest.mark.parametrize(
    ("logical", "physical", "type"),
    [
        ("string", None, "VARCHAR"),
        ("integer", None, "BIGINT"),
        ("number", None, "DOUBLE"),
        ("boolean", None, "BOOLEAN"),
        ("date", None, "DATE"),
        ("timestamp", None, "TIMESTAMP"),
        ("time", None, "TIME"),
        ("integer", "smallint", "SMALLINT"),
        ("integer", "DECIMAL(20, 0)", "DECIMAL(20,0)"),
        ("number", "decimal(12,2)", "DECIMAL(12,2)"),
        ("string", "uuid", "UUID"),
        ("timestamp", "timestamptz", "TIMESTAMP WITH TIME ZONE"),
        ("array", "VARCHAR[]", "VARCHAR[]"),
        ("object", "STRUCT(a BIGINT, b VARCHAR)", "STRUCT(a BIGINT, b VARCHAR)"),
        ("object", "JSON", "JSON"),
    ],
)
def test_a_column_has_one_duckdb_type(tmp_path: Path, logical: str, physical: str | None, type: str) -> None:
    column = {"name": "placement", "logicalType": logical, **({"physicalType": physical} if physical else {})}
    assert accepted(tmp_path, {COLUMN: column}).columns[2].type == type


@pytest.mark.parametrize(
    ("value", "unit", "hours"),
    [(30, "h", 30.0), (2, "days", 48.0), (90, "m", 1.5), (0.5, "d", 12.0), (5, "min", 1 / 12)],
)
def test_freshness_is_kept_in_hours(tmp_path: Path, value: float, unit: str, hours: float) -> None:
    promise = {"property": "latency", "value": value, "unit": unit}
    assert accepted(tmp_path, {"slaProperties": [promise]}).service_level.freshness_hours_max == pytest.approx(hours)


@pytest.mark.parametrize("cron", ["0 5 * * *", "*/15 0-6 1,15 jan-mar MON", "0 0 31 12 7"])
def test_a_schedule_is_cron(tmp_path: Path, cron: str) -> None:
    promise = {"property": "frequency", "value": 1, "unit": "d", "scheduler": "cron", "schedule": cron}
    assert accepted(tmp_path, {"slaProperties": [promise]}).service_level.schedule == cron


# Keys, options, rules and the grain become expectations


def test_keys_and_required_columns_are_checked(tmp_path: Path) -> None:
    contract = accepted(tmp_path, {f"{COLUMN}.unique": True})
    assert types_of(contract) == [
        ("expect_column_values_to_not_be_null", ("click_id",)),
        ("expect_column_values_to_be_unique", ("click_id",)),
        ("expect_column_values_to_not_be_null", ("clicked_at",)),
        ("expect_column_values_to_be_unique", ("placement",)),
    ]


def test_the_key_follows_its_positions_not_the_columns(tmp_path: Path) -> None:
    contract = accepted(
        tmp_path,
        {
            "schema.0.properties.0.primaryKeyPosition": 2,
            f"{COLUMN}.primaryKey": True,
            f"{COLUMN}.primaryKeyPosition": 1,
        },
    )
    assert ("expect_compound_columns_to_be_unique", ("placement", "click_id")) in types_of(contract)
    assert contract.columns[2].required


@pytest.mark.parametrize(
    ("grain", "added"),
    [
        (["click_id"], []),
        ("click_id", []),
        (["placement"], ["not_null__placement", "unique__placement"]),
        (["clicked_at", "placement"], ["not_null__placement", "unique__clicked_at__placement"]),
        (["click_id", "placement"], ["not_null__placement", "unique__click_id__placement"]),
    ],
)
def test_a_stated_grain_is_checked_like_a_key(tmp_path: Path, grain: Any, added: list[str]) -> None:
    before = accepted(tmp_path)
    contract = accepted(tmp_path, custom("grain", grain))
    assert list(check_names(contract.expectations)) == [*check_names(before.expectations), *added]
    assert {each.severity for each in contract.expectations} == {"critical"}


def test_a_compound_key_in_another_order_is_the_same_grain(tmp_path: Path) -> None:
    keyed = {f"{COLUMN}.primaryKey": True}
    assert (
        accepted(tmp_path, keyed).expectations
        == accepted(tmp_path, {**keyed, **custom("grain", ["placement", "click_id"])}).expectations
    )


def test_stating_a_grain_renames_no_written_check(tmp_path: Path) -> None:
    quality = {
        f"{COLUMN}.quality": [rule(implementation={"type": "expect_column_values_to_be_unique"}, severity="warning")]
    }
    before, after = accepted(tmp_path, quality), accepted(tmp_path, {**quality, **custom("grain", ["placement"])})
    assert check_names(after.expectations)[: len(before.expectations)] == check_names(before.expectations)
    assert [each.severity for each in after.expectations if each.columns == ("placement",)] == [
        "warning",
        "critical",
        "critical",
    ]


@pytest.mark.parametrize(
    ("logical", "options", "kwargs"),
    [
        ("integer", {"minimum": 0}, {"min_value": 0}),
        ("integer", {"minimum": 0, "exclusiveMaximum": 9}, {"min_value": 0, "max_value": 9, "strict_max": True}),
        ("number", {"exclusiveMinimum": -0.5}, {"min_value": -0.5, "strict_min": True}),
        ("integer", {"minimum": 0, "maximum": 0}, {"min_value": 0, "max_value": 0}),
        ("date", {"minimum": "1997-01-01"}, {"min_value": "1997-01-01"}),
        ("timestamp", {"maximum": "1997-01-01T00:00:00"}, {"max_value": "1997-01-01T00:00:00"}),
    ],
)
def test_bounds_are_checked(tmp_path: Path, logical: str, options: Changes, kwargs: Changes) -> None:
    contract = accepted(
        tmp_path, {f"{COLUMN}.logicalType": logical, f"{COLUMN}.logicalTypeOptions": {"format": "x", **options}}
    )
    assert contract.expectations[-1] == Expectation(
        type="expect_column_values_to_be_between", kwargs={"column": "placement", **kwargs}
    )


def test_dates_may_stand_without_quotes(tmp_path: Path) -> None:
    text = contract_text({f"{COLUMN}.logicalType": "date", f"{COLUMN}.logicalTypeOptions": {"minimum": "DAY"}})
    assert read(tmp_path, text.replace("DAY", "1997-01-01")).expectations[-1].kwargs["min_value"] == "1997-01-01"


def test_patterns_are_checked(tmp_path: Path) -> None:
    contract = accepted(tmp_path, {f"{COLUMN}.logicalTypeOptions": {"pattern": "^a+$"}})
    assert contract.expectations[-1].kwargs == {"column": "placement", "regex": "^a+$"}


def test_written_rules_keep_their_name_severity_and_words(tmp_path: Path) -> None:
    told = rule(
        name="known placement",
        description="One of two.",
        severity="warning",
        dimension="conformity",
        implementation={"type": "expect_column_values_to_be_in_set", "kwargs": {"value_set": ["a", "b"]}, "meta": {}},
    )
    found = accepted(tmp_path, {f"{COLUMN}.quality": [told]}).expectations[-1]
    assert found == Expectation(
        type="expect_column_values_to_be_in_set",
        kwargs={"column": "placement", "value_set": ["a", "b"]},
        severity="warning",
        meta={"name": "known placement", "description": "One of two.", "dimension": "conformity"},
    )
    assert found.name == "known_placement"


def test_rules_of_the_table_and_of_other_columns_are_read(tmp_path: Path) -> None:
    rules = [
        written("expect_table_row_count_to_be_between", min_value=1),
        written("expect_column_values_to_not_be_null", column="placement"),
        {"type": "text", "description": "Read by people."},
    ]
    contract = accepted(tmp_path, {"schema.0.quality": rules})
    assert types_of(contract)[-2:] == [
        ("expect_table_row_count_to_be_between", ()),
        ("expect_column_values_to_not_be_null", ("placement",)),
    ]


METRICS: dict[str, tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]] = {
    "no nulls": ({"metric": "nullValues", "mustBe": 0}, [("expect_column_values_to_not_be_null", {})]),
    "less than one null": (
        {"metric": "nullValues", "mustBeLessThan": 1},
        [("expect_column_values_to_not_be_null", {})],
    ),
    "a share of nulls": (
        {"metric": "nullValues", "mustBeLessOrEqualTo": 5, "unit": "percent"},
        [("expect_column_values_to_not_be_null", {"mostly": 0.95})],
    ),
    "less than a share": (
        {"metric": "nullValues", "mustBeLessThan": 50, "unit": "percent"},
        [("expect_column_values_to_not_be_null", {"mostly": 0.5000000000000001})],
    ),
    "what stands for nothing": (
        {"metric": "missingValues", "mustBe": 0, "arguments": {"missingValues": [None, "", "N/A"]}},
        [
            ("expect_column_values_to_not_be_null", {}),
            ("expect_column_values_to_not_be_in_set", {"value_set": ["", "N/A"]}),
        ],
    ),
    "valid values": (
        {"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": ["a", "b"]}},
        [("expect_column_values_to_be_in_set", {"value_set": ["a", "b"]})],
    ),
    "a pattern": (
        {"type": "library", "rule": "invalidValues", "mustBe": 0, "arguments": {"pattern": "^[a-z]+$"}},
        [("expect_column_values_to_match_regex", {"regex": "^[a-z]+$"})],
    ),
    "duplicates": ({"metric": "duplicateValues", "mustBe": 0}, [("expect_column_values_to_be_unique", {})]),
}


@pytest.mark.parametrize("name", METRICS)
def test_odcs_own_metrics_are_said_in_gx_words(tmp_path: Path, name: str) -> None:
    rule, said = METRICS[name]
    contract = accepted(tmp_path, {f"{COLUMN}.quality": [{"severity": "warning", **rule}]})
    found = [each for each in contract.expectations if each.severity == "warning"]
    assert [(each.type, each.kwargs) for each in found] == [
        (type, {"column": "placement"} | more) for type, more in said
    ]


@pytest.mark.parametrize(
    ("operators", "kwargs"),
    [
        ({"mustBe": 7}, {"min_value": 7, "max_value": 7}),
        ({"mustBeGreaterThan": 0}, {"min_value": 0, "strict_min": True}),
        ({"mustBeGreaterOrEqualTo": 1, "mustBeLessThan": 9}, {"min_value": 1, "max_value": 9, "strict_max": True}),
        ({"mustBeBetween": [1, 9]}, {"min_value": 1, "max_value": 9}),
    ],
)
def test_a_row_count_is_compared_as_odcs_has_it(
    tmp_path: Path, operators: dict[str, Any], kwargs: dict[str, Any]
) -> None:
    contract = accepted(tmp_path, {"schema.0.quality": [{"metric": "rowCount", **operators}]})
    (found,) = (each for each in contract.expectations if each.type == "expect_table_row_count_to_be_between")
    assert found.kwargs == kwargs


def test_words_alone_are_no_check(tmp_path: Path) -> None:
    words = [{"type": "text", "description": "Rather complete."}]
    assert accepted(tmp_path, {f"{COLUMN}.quality": words}).expectations == accepted(tmp_path).expectations


# What is refused. Each case: a change, the line's beginning where the finding stands, the field, and words of it.

REFUSED: dict[str, tuple[Changes, str, str, str]] = {
    "unknown field": ({"verson": "1"}, "verson:", "verson", "unknown field — did you mean 'version'?"),
    "unknown nested": ({"team.nme": "x"}, "nme:", "team.nme", "unknown field — did you mean 'name'?"),
    "unknown in list": (
        {f"{COLUMN}.requird": True},
        "requird:",
        "schema[0].properties[2].requird",
        "did you mean 'required'?",
    ),
    "unknown in rule": (
        {f"{COLUMN}.quality": [rule(sevrity="x")]},
        "sevrity:",
        "schema[0].properties[2].quality[0].sevrity",
        "did you mean 'severity'?",
    ),
    "wrong type": ({"servers.0.path": 5}, "path:", "servers[0].path", "found 5, wanted text — put it in quotes"),
    "a float for a version": ({"version": 1.0}, "version:", "version", "found 1.0, wanted text"),
    "a number for a product": ({"dataProduct": 7}, "dataProduct:", "dataProduct", "found 7, wanted text"),
    "a list for a mapping": ({"description": ["x"]}, "description:", "description", "found a list, wanted a mapping"),
    "words for a flag": ({f"{COLUMN}.required": "often"}, "required: often", "required", "wanted true or false"),
    "kind": ({"kind": "Contract"}, "kind:", "kind", "write `kind: DataContract`"),
    "old standard": ({"apiVersion": "v2.2.2"}, "apiVersion:", "apiVersion", "write `apiVersion: v3.1.0`"),
    "two numbers": ({"version": "1.0"}, "version:", "version", "write a semantic version"),
    "a v": ({"version": "v1.0.0"}, "version:", "version", "found 'v1.0.0'"),
    "a leading zero": ({"version": "01.0.0"}, "version:", "version", "semantic version"),
    "arabic digits": ({"version": "١.0.0"}, "version:", "version", "semantic version"),
    "a huge version": ({"version": f"{'9' * 5000}.0.0"}, "version:", "version", "semantic version"),
    "status": ({"status": "actve"}, "status:", "status", "did you mean 'active'?"),
    "domain": ({"domain": "Events"}, "domain:", "domain", "lower case letters"),
    "product": ({"dataProduct": "my-clicks"}, "dataProduct:", "dataProduct", "lower case letters"),
    "schema name": ({"schema.0.name": "click"}, "name: click", "schema[0].name", "write `name: clicks`"),
    "schema physical": ({"schema.0.physicalName": "t1"}, "physicalName:", "schema[0].physicalName", "leave it out"),
    "owner": ({"team.name": "Ad Events!"}, "name: Ad", "team.name", "found owner 'Ad Events!'"),
    "tag": ({"tags.1": "personal data"}, "personal data", "tags[1]", "write key or key:value"),
    "tag twice": ({"tags.1": "origin:real"}, "origin:real", "tags[1]", "'origin' is taken"),
    "tag of ours": ({"tags.1": "status:best"}, "status:best", "tags[1]", "'status' is taken"),
    "column name": ({f"{COLUMN}.name": "Placement"}, "name: Placement", "name", "lower case letters"),
    "column twice": ({f"{COLUMN}.name": "click_id"}, "name: click_id", "properties[2].name", "a second column"),
    "logical type": ({f"{COLUMN}.logicalType": "strng"}, "logicalType: strng", "logicalType", "did you mean 'string'?"),
    "logical case": ({f"{COLUMN}.logicalType": "String"}, "logicalType: String", "logicalType", "mean 'string'?"),
    "physical type": ({f"{COLUMN}.physicalType": "STRNG(9)"}, "physicalType:", "physicalType", "unknown column type"),
    "types at odds": ({f"{COLUMN}.physicalType": "BIGINT"}, "physicalType:", "physicalType", "'BIGINT' is no string"),
    "array of what": (
        {f"{COLUMN}.logicalType": "array"},
        "name: placement",
        "physicalType",
        "missing for logicalType",
    ),
    "physical name": ({f"{COLUMN}.physicalName": "c3"}, "physicalName:", "physicalName", "stored under its name"),
    "nested columns": (
        {f"{COLUMN}.logicalType": "object", f"{COLUMN}.physicalType": "JSON", f"{COLUMN}.properties": [{"name": "x"}]},
        "properties:\n- name: x",
        "properties[2].properties",
        "not supported yet — write the nested type in physicalType",
    ),
    "enum": ({f"{COLUMN}.enum": [{"value": "a"}]}, "enum:", "properties[2].enum", "expect_column_values_to_be_in_set"),
    "partitioned": ({f"{COLUMN}.partitioned": True}, "customProperties", "partitions", "2026-11-01"),
    "classification": ({f"{COLUMN}.classification": "secret"}, "classification:", "classification", "restricted"),
    "classification slip": (
        {f"{COLUMN}.classification": "Confidential"},
        "classification:",
        "classification",
        "did you mean 'confidential'?",
    ),
    "identifies": (
        {f"{COLUMN}.customProperties": [{"property": "identifies", "value": "persn"}]},
        "property: identifies\n  value: persn",
        "customProperties.identifies",
        "did you mean 'person'?",
    ),
    "samples": (
        {f"{COLUMN}.customProperties": [{"property": "samples", "value": "yes please"}]},
        "property: samples\n  value: yes please",
        "customProperties.samples",
        "write true",
    ),
    "sources": (
        {f"{COLUMN}.transformSourceObjects": ["events.impressions"]},
        "events.impressions",
        "transformSourceObjects[0]",
        "write domain.product.column",
    ),
    "half a key": (
        {"schema.0.properties.0.primaryKeyPosition": 1, f"{COLUMN}.primaryKey": True},
        "name: placement",
        "properties[2].primaryKeyPosition",
        "missing — number the key's columns 1 to 2",
    ),
    "a key from 0": (
        {"schema.0.properties.0.primaryKeyPosition": 0},
        "primaryKeyPosition: 0",
        "primaryKeyPosition",
        "number the key's columns 1 to 1",
    ),
    "a position alone": (
        {f"{COLUMN}.primaryKeyPosition": 1},
        "primaryKeyPosition: 1",
        "primaryKeyPosition",
        "add `primaryKey: true`",
    ),
    "server type": ({"servers.0.type": "oracle"}, "type: oracle", "servers[0].type", "known: duckdb, local"),
    "format": ({"servers.0.format": "csv"}, "format: csv", "servers[0].format", "write `format: parquet`"),
    "two places": (
        {"servers.1": {"type": "duckdb", "environment": "local", "database": "x"}},
        "type: duckdb",
        "servers[1]",
        "a second server for 'local'",
    ),
    "multipleOf": (
        {f"{COLUMN}.logicalTypeOptions": {"multipleOf": 3}},
        "multipleOf:",
        "logicalTypeOptions.multipleOf",
        "an option that is not checked yet",
    ),
    "minLength above maxLength": (
        {f"{COLUMN}.logicalTypeOptions": {"minLength": 3, "maxLength": 2}},
        "minLength:",
        "logicalTypeOptions.minLength",
        "above",
    ),
    "min above max": (
        {f"{COLUMN}.logicalType": "integer", f"{COLUMN}.logicalTypeOptions": {"minimum": 9, "maximum": 1}},
        "minimum: 9",
        "logicalTypeOptions.minimum",
        "above",
    ),
    "two minimums": (
        {f"{COLUMN}.logicalType": "integer", f"{COLUMN}.logicalTypeOptions": {"minimum": 9, "exclusiveMinimum": 1}},
        "exclusiveMinimum:",
        "logicalTypeOptions.exclusiveMinimum",
        "keep one of the two",
    ),
    "bound of another kind": (
        {f"{COLUMN}.logicalType": "integer", f"{COLUMN}.logicalTypeOptions": {"minimum": "low"}},
        "minimum: low",
        "logicalTypeOptions.minimum",
        "numbers",
    ),
    "a flag for a bound": (
        {f"{COLUMN}.logicalType": "integer", f"{COLUMN}.logicalTypeOptions": {"exclusiveMinimum": True}},
        "exclusiveMinimum: true",
        "logicalTypeOptions.exclusiveMinimum",
        "True",
    ),
    "no bound": ({f"{COLUMN}.logicalTypeOptions": {"minimum": None}}, "minimum: null", "minimum", "no value"),
    "bad pattern": ({f"{COLUMN}.logicalTypeOptions": {"pattern": "("}}, "pattern:", "pattern", "pattern"),
    "pattern of numbers": (
        {f"{COLUMN}.logicalType": "integer", f"{COLUMN}.logicalTypeOptions": {"pattern": "1"}},
        "pattern:",
        "logicalTypeOptions.pattern",
        "",
    ),
    "no zone": (
        {f"{COLUMN}.logicalType": "timestamp", f"{COLUMN}.logicalTypeOptions": {"timezone": True}},
        "timezone:",
        "logicalTypeOptions.timezone",
        "add `physicalType: TIMESTAMPTZ`",
    ),
    "sql rule": (
        {"schema.0.quality": [{"type": "sql", "query": "SELECT 1", "mustBe": 1}]},
        "type: sql",
        "schema[0].quality[0].type",
        "found 'sql' — write `type: custom",
    ),
    "unknown metric": (
        {f"{COLUMN}.quality": [{"type": "library", "metric": "nulValues", "mustBe": 0}]},
        "metric: nulValues",
        "quality[0].metric",
        "did you mean 'nullValues'?",
    ),
    "rule of no type": (
        {f"{COLUMN}.quality": [{"mustBe": 0}]},
        "mustBe: 0",
        "quality[0].type",
        "no type and no metric",
    ),
    "some rows may be null": (
        {f"{COLUMN}.quality": [{"metric": "nullValues", "mustBeLessThan": 10}]},
        "mustBeLessThan: 10",
        "quality[0].mustBeLessThan",
        "`unit: percent` with mustBeLessOrEqualTo",
    ),
    "at least so many null": (
        {f"{COLUMN}.quality": [{"metric": "nullValues", "mustBeGreaterThan": 1}]},
        "mustBeGreaterThan",
        "quality[0].mustBeGreaterThan",
        "cannot be compared so",
    ),
    "invalid against nothing": (
        {f"{COLUMN}.quality": [{"metric": "invalidValues", "mustBe": 0}]},
        "metric: invalidValues",
        "quality[0].arguments",
        "validValues",
    ),
    "count of nothing": (
        {"schema.0.quality": [{"metric": "rowCount"}]},
        "metric: rowCount",
        "quality[0].metric",
        "compared with nothing",
    ),
    "metric of no column": (
        {"schema.0.quality": [{"metric": "nullValues", "mustBe": 0}]},
        "metric: nullValues",
        "quality[0].metric",
        "write the rule in that column's `quality`",
    ),
    "duplicates of one": (
        {"schema.0.quality": [{"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": ["day"]}}]},
        "arguments:",
        "quality[0].arguments",
        "name two or more columns",
    ),
    "other engine": ({f"{COLUMN}.quality": [rule(engine="soda")]}, "engine: soda", "engine", "greatExpectations"),
    "half custom": ({f"{COLUMN}.quality": [rule(mustBe=3)]}, "mustBe:", "quality[0].mustBe", "not read in a rule"),
    "severity": ({f"{COLUMN}.quality": [rule(severity="fatal")]}, "severity:", "severity", "write error or warning"),
    "no body": (
        {f"{COLUMN}.quality": [rule(implementation=None)]},
        "implementation:",
        "implementation",
        "found nothing",
    ),
    "text body": (
        {f"{COLUMN}.quality": [rule(implementation="{}")]},
        "implementation:",
        "implementation",
        "found '{}'",
    ),
    "kwargs list": (
        {f"{COLUMN}.quality": [rule(implementation={"type": "expect_x", "kwargs": [1]})]},
        "implementation:",
        "implementation",
        "as GX does",
    ),
    "mostly outside": (
        {f"{COLUMN}.quality": [rule(implementation={"type": "expect_column_values_to_be_unique", "mostly": 0.9})]},
        "mostly:",
        "implementation.mostly",
        "unknown field",
    ),
    "unknown expectation": (
        {f"{COLUMN}.quality": [written("expect_column_values_to_be_nul")]},
        "implementation:",
        "implementation",
        "there is no expectation type",
    ),
    "unknown kwarg": (
        {f"{COLUMN}.quality": [written("expect_column_values_to_be_unique", mosty=1)]},
        "implementation:",
        "implementation",
        "did you mean 'mostly'?",
    ),
    "unknown column": (
        {"schema.0.quality": [written("expect_column_values_to_be_unique", column="placment")]},
        "implementation:",
        "schema[0].quality[0].implementation",
        "there is no column 'placment' — did you mean 'placement'?",
    ),
    "column of the table": (
        {"schema.0.quality": [written("expect_column_values_to_be_unique")]},
        "implementation:",
        "implementation",
        "'column' is missing",
    ),
    "freshness slip": (
        {"slaProperties.0.property": "freshnes"},
        "property: freshnes",
        "slaProperties[0].property",
        "did you mean 'freshness'?",
    ),
    "freshness unit": ({"slaProperties.0.unit": "fortnight"}, "unit:", "slaProperties[0].unit", "write h, d or m"),
    "freshness words": (
        {"slaProperties.0.value": "daily"},
        "value: daily",
        "slaProperties[0].value",
        "positive number",
    ),
    "freshness flag": ({"slaProperties.0.value": True}, "value: true", "slaProperties[0].value", "positive number"),
    "freshness nan": ({"slaProperties.0.value": float("nan")}, "value: .nan", "slaProperties[0].value", "positive"),
    "freshness huge": ({"slaProperties.0.value": 10**400}, "value: 1000", "slaProperties[0].value", "positive number"),
    "freshness none": ({"slaProperties.0.value": None}, "value: null", "slaProperties[0].value", "missing"),
    "freshness seconds": (
        {"slaProperties.0": {"property": "freshness", "value": 1, "unit": "m"}},
        "value: 1",
        "slaProperties[0].value",
        "at least 5 minutes",
    ),
    "freshness twice": (
        {"slaProperties.1": {"property": "latency", "value": 1, "unit": "d"}},
        "property: latency",
        "slaProperties[1]",
        "keep one of each",
    ),
    "scheduler": (
        {"slaProperties.0.schedule": "0 5 * * *"},
        "schedule:",
        "slaProperties[0].schedule",
        "scheduler: cron",
    ),
    "granularity": (
        {"customProperties.0.value": "evnt"},
        "property: granularity",
        "customProperties.granularity",
        "did you mean 'event'?",
    ),
    "granularity list": (
        {"customProperties.0.value": ["event"]},
        "property: granularity",
        "customProperties.granularity",
        "found ['event']",
    ),
    "property slip": (
        custom("Grains", ["click_id"]),
        "property: Grains",
        "customProperties[1].property",
        "unknown property 'Grains' — did you mean 'grain'?",
    ),
    "property twice": (
        custom("granularity", "event"),
        "property: granularity",
        "customProperties[1].property",
        "'granularity' stands twice",
    ),
    "property without name": (
        {"customProperties.1": {"value": 1}},
        "value: 1",
        "customProperties[1].property",
        "missing",
    ),
    "property without value": (custom("purpose", None), "value: null", "customProperties[1].value", "no value"),
    "property misplaced": (
        custom("identifies", "person"),
        "property: identifies\n  value: person",
        "customProperties[1].property",
        "move it to a column's customProperties",
    ),
    "grain unknown": (custom("grain", ["day"]), "property: grain\n", "customProperties.grain", "no column 'day'"),
    "grain twice": (custom("grain", ["click_id"] * 2), "property: grain\n", "customProperties.grain", "stands 2 times"),
    "grain of numbers": (custom("grain", [1]), "property: grain\n", "customProperties.grain", "found a list"),
    "grain of nothing": (custom("grain", []), "property: grain\n", "customProperties.grain", "list the columns"),
    "purpose": (custom("purpose", "measurment"), "property: purpose", "customProperties.purpose", "'measurement'?"),
    "purposes": (custom("purpose", ["a"]), "property: purpose", "customProperties.purpose", "unknown purpose ['a']"),
    "no argument": (custom("republishes", True), "property: republishes", "customProperties.republishes", "sentence"),
    "empty argument": (custom("republishes", " "), "property: republishes", "customProperties.republishes", "sentence"),
}


@pytest.mark.parametrize(("changes", "beginning", "field", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses_with_line_field_and_mend(
    tmp_path: Path, changes: Changes, beginning: str, field: str, told: str
) -> None:
    text = contract_text(changes)
    findings = refused(tmp_path, text)
    assert len(findings) == 1, findings
    where, _, rest = findings[0].partition(": ")
    file, _, line = where.partition(":")
    assert file == "c.yaml"
    assert rest.split(": ")[0].endswith(field)
    assert told in rest
    assert " — " in rest
    assert text.splitlines()[int(line) - 1].lstrip(" -").startswith(beginning.split("\n")[0].removeprefix("- "))


MISSING: dict[str, tuple[tuple[str, ...], str, str]] = {
    "id": (("id",), "c.yaml:1: id", "add e.g. `id: urn:mesh:events:clicks`"),
    "version": (("version",), "c.yaml:1: version", "semantic version"),
    "kind": (("kind",), "c.yaml:1: kind", "DataContract"),
    "description": (("description",), "c.yaml:1: description.purpose", "what one row is"),
    "owner": (("team",), "c.yaml:1: team.name", "missing owner"),
    "servers": (("servers",), "c.yaml:1: servers", "say where the product lives"),
    "schema": (("schema",), "c.yaml:1: schema", "describe exactly one"),
    "customProperties": (("customProperties",), "c.yaml:1: customProperties.granularity", "write one of: event"),
    "domain": (("domain",), "c.yaml:1: domain", "write a name"),
}


@pytest.mark.parametrize(("without", "where", "told"), MISSING.values(), ids=MISSING.keys())
def test_what_is_missing_is_told_at_its_parent(tmp_path: Path, without: tuple[str, ...], where: str, told: str) -> None:
    findings = changed(tmp_path, without=without)
    assert len(findings) == 1, findings
    assert findings[0].startswith(f"{where}: ")
    assert told in findings[0]


def test_a_missing_type_stands_at_its_column(tmp_path: Path) -> None:
    text = contract_text(without=(f"{COLUMN}.logicalType",))
    assert refused(tmp_path, text)[0].startswith(
        f"c.yaml:{line_of(text, 'name: placement')}: schema[0].properties[2].logicalType: missing"
    )


def test_a_missing_product_name_asks_for_no_name_of_the_schema(tmp_path: Path) -> None:
    assert [each.split(": ")[1] for each in changed(tmp_path, without=("dataProduct",))] == ["dataProduct"]


def test_a_team_written_as_a_list_of_members_names_no_owner(tmp_path: Path) -> None:
    assert "missing owner" in changed(tmp_path, {"team": [{"username": "ada"}]})[0]


@pytest.mark.parametrize(
    "place",
    [
        "..",
        "../x",
        "a/../b",
        "/etc",
        "",
        ".",
        "./a",
        "a//b",
        "a/",
        "C:\\x",
        "a\\b",
        "~",
        "a b",
        "a\nb",
        "s3://x",
        "é",
        "a.b",
    ],
)
@pytest.mark.parametrize(("type", "field"), [("local", "path"), ("duckdb", "database")])
def test_a_place_stays_below_its_domains_storage(tmp_path: Path, type: str, field: str, place: str) -> None:
    server = {"server": "local", "type": type, field: place, "format": "parquet"}
    findings = changed(tmp_path, {"servers": [server]})
    assert [each.split(": ")[1] for each in findings] == [f"servers[0].{field}"]


@pytest.mark.parametrize(
    ("field", "type", "above"), [("path", "local", "lake"), ("location", "s3", "s3://bucket/lake")]
)
def test_an_iceberg_table_is_called_as_the_last_folder(tmp_path: Path, field: str, type: str, above: str) -> None:
    server = {"server": "local", "type": type, "format": "iceberg"}
    contract = accepted(tmp_path, {"servers": [{**server, field: f"{above}/clicks"}]})
    assert (contract.servers[0].kind, contract.servers[0].place) == ("iceberg", f"{above}/clicks")
    [finding] = changed(tmp_path, {"servers": [{**server, field: f"{above}/2026-clicks"}]})
    assert "it is the table's name" in finding


def test_a_refused_server_does_not_move_the_line_of_the_next(tmp_path: Path) -> None:
    second = {"type": "duckdb", "environment": "b", "database": "x"}
    servers = [{"type": "oracle", "environment": "a"}, second, second]
    assert [each.split(": ")[1] for each in changed(tmp_path, {"servers": servers})] == [
        "servers[0].type",
        "servers[2]",
    ]


@pytest.mark.parametrize(
    "cron", ["5 * * *", "60 0 * * *", "0 24 * * *", "0 0 0 * *", "0 0 * 13 *", "0 0 * * 8", "@daily"]
)
@pytest.mark.parametrize("more", ["", "x"])
def test_a_schedule_that_cron_would_refuse_is_refused(tmp_path: Path, cron: str, more: str) -> None:
    promise = {"property": "frequency", "value": 1, "unit": "d", "scheduler": "cron", "schedule": cron + more}
    assert "write five fields of cron" in changed(tmp_path, {"slaProperties": [promise]})[0]


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    findings = changed(
        tmp_path,
        {
            "verson": "2",
            "version": "one",
            "servers.0.path": 5,
            f"{COLUMN}.required": "often",
            f"{COLUMN}.logicalType": "strng",
            "team.name": "No Name",
            "customProperties.0.value": "evnt",
            "slaProperties.0.unit": "y",
            **custom("grain", ["day"]),
        },
    )
    assert len(findings) == 9
    assert len({each.split(": ")[0] for each in findings}) == 9


@pytest.mark.parametrize(
    "changes",
    [
        # A column of no known type: its rules cannot be judged, and are not.
        {
            f"{COLUMN}.logicalType": "strng",
            f"{COLUMN}.logicalTypeOptions": {"minimum": 5},
            f"{COLUMN}.quality": [written("expect_column_values_to_match_regex", regex="x")],
            "schema.0.quality": [written("expect_column_values_to_be_between", column="placement", min_value=1)],
        },
        # A column without a name: whoever names it must not hear that there is no such column.
        {f"{COLUMN}.name": None, **custom("grain", ["placement"])},
        {
            f"{COLUMN}.name": None,
            "schema.0.quality": [written("expect_column_values_to_be_unique", column="placement")],
        },
        # The event time is a string only because its type is unknown.
        {"schema.0.properties.1.logicalType": "timestmp"},
        # What the event time is, is not known: nothing is said of the granularity.
        {"schema.0.properties.1.customProperties": [{"property": "identifies", "value": "event_tim"}]},
        {"schema.0.properties.1.customProperties": [{"property": "identify", "value": "event_time"}]},
        # A broken list of properties is no missing granularity.
        {"customProperties": [{"granularity": "event"}]},
        {"customProperties": "event"},
        {"schema": {"name": "clicks"}},
        {"schema": []},
        {"schema.0.properties": "none", **custom("grain", ["click_id"])},
        {"slaProperties": 24},
        {"team": 7},
        {"description": "One row is one click."},
    ],
    ids=str,
)
def test_one_slip_brings_one_finding(tmp_path: Path, changes: Changes) -> None:
    findings = changed(tmp_path, changes)
    assert len(findings) == 1, findings


def test_booleans_of_old_yaml_are_told_as_they_are_written(tmp_path: Path) -> None:
    text = contract_text({f"{COLUMN}.quality": [written("expect_column_values_to_be_in_set", value_set=["NORWAY"])]})
    assert "False" in refused(tmp_path, text.replace("NORWAY", "no"))[0]
    assert refused(tmp_path, text.replace("status: active", "status: on"))[0] == (
        f"c.yaml:{line_of(text, 'status:')}: status: found on, wanted text — put it in quotes"
    )


def test_yes_is_a_flag_where_one_is_wanted(tmp_path: Path) -> None:
    text = contract_text({f"{COLUMN}.required": True})
    lines = [line.replace("required: true", "required: yes") for line in text.splitlines()]
    assert read(tmp_path, "\n".join(lines)).columns[2].required


def test_rules_may_share_their_words_by_an_alias(tmp_path: Path) -> None:
    text = contract_text() + "slaDefaultElement: x\n"
    text = text.replace("tags:\n- origin:synthetic", "tags: &t [origin:synthetic]").replace(
        "- name: placement\n", "- name: placement\n      tags: *t\n".replace("      tags", "    tags")
    )
    assert read(tmp_path, text).tags == {"origin": "synthetic"}


JUNK: list[Any] = [None, True, 0, -1, 10**30, 1.5, float("nan"), float("inf"), "", "x", "event", "a" * 70, "1.0.0"]
JUNK += ["VARCHAR[]", date(2020, 1, 1), [], {}, [1], ["a", "a"], [{}], [[]], {"a": 1}, {"type": "custom"}]
FIELDS = ["properties", "items", "quality", "type", "kwargs", "primaryKey", "primaryKeyPosition", "unique", "minimum"]
FIELDS += ["exclusiveMinimum", "logicalTypeOptions", "customProperties", "value", "schedule", "implementation", "tags"]


def ways(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(way for step, inner in items for way in ways(inner, (*at, step)))]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), file=st.sampled_from(DEMO))
def test_whatever_is_written_is_read_or_refused_with_a_mend(tmp_path: Path, data: st.DataObject, file: Path) -> None:
    body = yaml.safe_load(file.read_text())
    for _ in range(data.draw(st.integers(1, 3))):
        *way, last = data.draw(st.sampled_from(ways(body)[1:]))
        holder = body
        for step in way:
            holder = holder[step]
        if isinstance(holder, dict) and data.draw(st.booleans()):
            last = data.draw(st.sampled_from(FIELDS))
        holder[last] = data.draw(st.sampled_from(JUNK))
    try:
        contract = read(tmp_path, yaml.safe_dump(body))
    except DeclarationError as error:
        assert all(finding.fix and finding.where.startswith("c.yaml:") for finding in error.findings)
    else:
        dumped = json.dumps(dump_product(a_product(contract)))  # as text: NaN, which a file may hold, equals nothing
        assert json.dumps(dump_product(parse_product(json.loads(dumped)))) == dumped


def test_ten_thousand_columns_take_no_hour(tmp_path: Path) -> None:
    """Nothing here may take the square of what a file can hold; the limit on values bounds the rest."""
    columns = "".join(f"  - {{name: c{n}, logicalType: strin}}\n" for n in range(VALUES_MAX // 12))
    text = contract_text().replace("  - name: placement\n", columns + "  - name: placement\n")
    assert len(refused(tmp_path, text)) == 101
