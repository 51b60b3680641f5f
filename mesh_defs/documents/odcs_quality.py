"""A contract's promises about its rows, as expectations in GX's language.

From `required`, `unique`, `primaryKey` and `logicalTypeOptions` of the properties, and from `quality` entries of type `custom`
for Great Expectations. An entry that cannot be evaluated is refused: a rule that is skipped in silence is worse than none.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from open_data_contract_standard.model import DataQuality, SchemaObject, SchemaProperty

from mesh_defs.documents.complaints import Complaints
from mesh_defs.documents.reading import Field
from mesh_defs.errors import nearest
from mesh_defs.model.contract import Column
from quality_checks import Expectation, primary_key, problems

_ENGINES = ("greatExpectations", "great-expectations")
_SEVERITIES: dict[str | None, Literal["critical", "warning"]] = {
    None: "critical",
    "error": "critical",
    "critical": "critical",
    "warning": "warning",
    "info": "warning",
}
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
# Options that describe a value's form and promise nothing about its content.
_DESCRIPTIVE = ("format", "timezone", "defaultTimezone")


def expectations(schema: SchemaObject, columns: Sequence[Column], wrong: Complaints) -> tuple[Expectation, ...]:
    """Everything the contract promises of its rows: keys first, then column by column, then the written rules."""
    types = {column.name: column.type for column in columns}
    found = [*_keys(columns)]
    for index, declared in enumerate(schema.properties or []):
        at: Field = ("schema", 0, "properties", index)
        found += _from_options(declared, at, wrong)
        found += _written(declared.quality or [], (*at, "quality"), declared.name, types, wrong)
    found += _written(schema.quality or [], ("schema", 0, "quality"), None, types, wrong)
    return tuple(found)


def _keys(columns: Sequence[Column]) -> Iterator[Expectation]:
    key = tuple(column.name for column in columns if column.primary_key)
    if key:
        yield from primary_key(key)
    for column in columns:
        if column.required and not column.primary_key:
            yield Expectation(type="expect_column_values_to_not_be_null", kwargs={"column": column.name})
        if column.unique and key != (column.name,):
            yield Expectation(type="expect_column_values_to_be_unique", kwargs={"column": column.name})


def _from_options(declared: SchemaProperty, at: Field, wrong: Complaints) -> Iterator[Expectation]:
    options = declared.logicalTypeOptions or {}
    known = (*_BOUNDS, *_DESCRIPTIVE, "pattern")
    for name in options:
        if name not in known:
            wrong.add((*at, "logicalTypeOptions", name), "an option that is not checked yet", nearest(name, known))
    bounds = _bounds(options)
    if bounds:
        yield Expectation(type="expect_column_values_to_be_between", kwargs={"column": declared.name, **bounds})
    if "pattern" in options:
        kwargs = {"column": declared.name, "regex": options["pattern"]}
        yield Expectation(type="expect_column_values_to_match_regex", kwargs=kwargs)


def _bounds(options: Mapping[str, Any]) -> dict[str, Any]:
    bounds: dict[str, Any] = {}
    for side, name in (("min", "Minimum"), ("max", "Maximum")):
        inclusive, exclusive = options.get(name.lower()), options.get(f"exclusive{name}")
        if exclusive is not None:
            bounds |= {f"{side}_value": _json(exclusive), f"strict_{side}": True}
        elif inclusive is not None:
            bounds |= {f"{side}_value": _json(inclusive)}
    return bounds


def _written(
    rules: Sequence[DataQuality], at: Field, column: str | None, types: Mapping[str, str], wrong: Complaints
) -> Iterator[Expectation]:
    for index, rule in enumerate(rules):
        expectation = _rule(rule, (*at, index), column, wrong)
        if expectation is None:
            continue
        complaints = problems(expectation, types)
        for problem in complaints:
            wrong.add((*at, index, "implementation"), problem, "see docs/reference/expectations.md")
        if not complaints:
            yield expectation


def _rule(rule: DataQuality, at: Field, column: str | None, wrong: Complaints) -> Expectation | None:
    if rule.type == "text":
        return None
    if rule.type != "custom" or rule.engine not in _ENGINES:
        found = f"type {rule.type!r}, engine {rule.engine!r}"
        wrong.add(at, found, "write `type: custom` and `engine: greatExpectations` with GX's own JSON")
        return None
    body = rule.implementation
    if not isinstance(body, dict) or not isinstance(body.get("type"), str):
        fix = "write `{type: expect_…, kwargs: {…}}`, as GX does"
        wrong.add((*at, "implementation"), f"found {type(body).__name__}", fix)
        return None
    if rule.severity not in _SEVERITIES:
        wrong.add((*at, "severity"), f"found {rule.severity!r}", "write error or warning")
    kwargs = {key: _json(value) for key, value in (body.get("kwargs") or {}).items()}
    if column and "column" not in kwargs and body["type"].startswith("expect_column_"):
        kwargs = {"column": column, **kwargs}
    meta = {"name": rule.name} if rule.name else {}
    if rule.description:
        meta["description"] = rule.description
    severity = _SEVERITIES.get(rule.severity, "critical")
    return Expectation(type=body["type"], kwargs=kwargs, severity=severity, meta=meta)


def _json(value: Any) -> Any:
    """YAML reads dates as dates; expectations hold JSON values."""
    if isinstance(value, list):
        return [_json(each) for each in value]
    return value.isoformat() if hasattr(value, "isoformat") else value
