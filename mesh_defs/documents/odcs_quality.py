"""A contract's promises about its rows, as expectations in GX's language.

From `required`, `unique`, `primaryKey` and `logicalTypeOptions` of the properties, from `quality` entries of type `custom`
for Great Expectations and of ODCS's own library, and from the stated grain. An entry that cannot be evaluated is refused:
a rule that is skipped in silence is worse than none.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from open_data_contract_standard.model import DataQuality, SchemaObject, SchemaProperty

from mesh_defs.documents.complaints import Complaints
from mesh_defs.documents.odcs_columns import primary_key, unsure_columns
from mesh_defs.documents.odcs_metrics import metric_rules
from mesh_defs.documents.reading import Field
from mesh_defs.errors import nearest
from mesh_defs.model.contract import Column
from quality_checks import Expectation, problems
from quality_checks import primary_key as key_expectations

_ENGINES = ("greatExpectations", "great-expectations")
_SEVERITIES: dict[str | None, Literal["critical", "warning"]] = {
    None: "critical",
    "error": "critical",
    "critical": "critical",
    "warning": "warning",
    "info": "warning",
}
# The lower and the upper bound: inclusive, exclusive.
_SIDES = (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum"))
# Options that describe a value's form and promise nothing about its content.
_DESCRIPTIVE = ("format", "timezone", "defaultTimezone")
_LENGTHS = {"minLength": "min_value", "maxLength": "max_value"}
_OPTIONS = (*_SIDES[0], *_SIDES[1], *_LENGTHS, "pattern", *_DESCRIPTIVE)
# What GX itself writes into an expectation's JSON.
_BODY = ("type", "kwargs", "meta", "id", "notes", "description")
# What belongs to rules of the types that are not evaluated here.
_OF_OTHERS = (
    *("metric", "rule", "arguments", "query", "mustBe", "mustNotBe", "mustBeBetween", "mustNotBeBetween"),
    *("mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeLessThan", "mustBeLessOrEqualTo"),
)
_CUSTOM = "write `type: custom, engine: greatExpectations` with GX's own JSON as `implementation`"


def expectations(
    schema: SchemaObject, columns: Sequence[Column], wrong: Complaints, *, grain: Sequence[str] = ()
) -> tuple[Expectation, ...]:
    """Everything the contract promises of its rows: keys, then column by column, the written rules, the grain last.

    A stated grain is a promise like a key: what it adds to the key is checked as one. It stands last, so that stating
    it renames no other check.
    """
    key = primary_key(schema)
    checks = _Checks(schema, columns, wrong)
    checks.found += _keys(columns, key)
    for index, declared in enumerate(schema.properties or []):
        if declared.name:
            at: Field = ("schema", 0, "properties", index)
            _options(declared, (*at, "logicalTypeOptions"), checks)
            _rules(declared.quality or [], (*at, "quality"), declared.name, checks)
    _rules(schema.quality or [], ("schema", 0, "quality"), None, checks)
    if grain and set(grain) != set(key):
        checks.found += [each for each in key_expectations(grain) if each not in checks.found]
    return tuple(checks.found)


def _keys(columns: Sequence[Column], key: tuple[str, ...]) -> Iterator[Expectation]:
    if key:
        yield from key_expectations(key)
    for column in columns:
        if column.required and column.name not in key:
            yield Expectation(type="expect_column_values_to_not_be_null", kwargs={"column": column.name})
        if column.unique and key != (column.name,):
            yield Expectation(type="expect_column_values_to_be_unique", kwargs={"column": column.name})


class _Checks:
    """The expectations that can be evaluated on the contract's columns; the others become complaints."""

    def __init__(self, schema: SchemaObject, columns: Sequence[Column], wrong: Complaints) -> None:
        self.found: list[Expectation] = []
        self.wrong = wrong
        self.types = {column.name: column.type for column in columns}
        self._unsure = unsure_columns(schema, wrong)
        self._names_are_sure = bool(columns) and all(column.name for column in columns)

    def add(self, expectation: Expectation, at: Field) -> None:
        """Take it up, or complain about it at a field; do neither while its columns themselves are wrong."""
        for column in expectation.columns:
            if column in self._unsure or (column not in self.types and not self._names_are_sure):
                return
        complaints = problems(expectation, self.types)
        for problem in complaints:
            what, _, fix = problem.partition(" — ")
            self.wrong.add(at, what, fix or "mend the rule, or leave it out")
        if not complaints:
            self.found.append(expectation)


def _options(declared: SchemaProperty, at: Field, checks: _Checks) -> None:
    options = declared.logicalTypeOptions or {}
    for name, value in options.items():
        if name not in _OPTIONS:
            checks.wrong.add((*at, name), "an option that is not checked yet", nearest(name, _OPTIONS))
        elif value is None:
            checks.wrong.add((*at, name), "no value", "write one, or leave the option out")
    for inclusive, exclusive in _SIDES:
        if options.get(inclusive) is not None and options.get(exclusive) is not None:
            checks.wrong.add((*at, exclusive), f"given beside {inclusive}", "keep one of the two")
    if options.get("timezone") is True and "TIME ZONE" not in checks.types.get(declared.name or "", ""):
        checks.wrong.add((*at, "timezone"), "the column's type has no zone", "add `physicalType: TIMESTAMPTZ`")
    if bounds := _bounds(options):
        kwargs = {"column": declared.name, **bounds}
        first = next(name for name in (*_SIDES[0], *_SIDES[1]) if options.get(name) is not None)
        checks.add(Expectation(type="expect_column_values_to_be_between", kwargs=kwargs), (*at, first))
    lengths = {name: options[option] for option, name in _LENGTHS.items() if options.get(option) is not None}
    if lengths:
        first = next(option for option in _LENGTHS if options.get(option) is not None)
        kwargs = {"column": declared.name, **lengths}
        checks.add(Expectation(type="expect_column_value_lengths_to_be_between", kwargs=kwargs), (*at, first))
    if (pattern := options.get("pattern")) is not None:
        kwargs = {"column": declared.name, "regex": pattern}
        checks.add(Expectation(type="expect_column_values_to_match_regex", kwargs=kwargs), (*at, "pattern"))


def _bounds(options: Mapping[str, Any]) -> dict[str, Any]:
    bounds: dict[str, Any] = {}
    for side, (inclusive, exclusive) in zip(("min", "max"), _SIDES, strict=True):
        if (limit := options.get(exclusive)) is not None:
            bounds |= {f"{side}_value": _json(limit), f"strict_{side}": True}
        elif (limit := options.get(inclusive)) is not None:
            bounds[f"{side}_value"] = _json(limit)
    return bounds


def _rules(rules: Sequence[DataQuality], at: Field, column: str | None, checks: _Checks) -> None:
    for index, rule in enumerate(rules):
        if rule.type != "text":
            at_rule: Field = (*at, index)
            library = rule.type == "library" or (rule.type is None and (rule.metric or rule.rule))
            read = _library if library else _custom
            for expectation in read(rule, at_rule, column, checks.wrong):
                checks.add(expectation, (*at_rule, "metric" if library else "implementation"))


def _library(rule: DataQuality, at: Field, column: str | None, wrong: Complaints) -> Iterator[Expectation]:
    severity = _severity(rule, at, wrong)
    for type_, kwargs in metric_rules(rule, at, column, wrong):
        yield Expectation(type=type_, kwargs=_json(kwargs), severity=severity, meta=_meta(rule))


def _custom(rule: DataQuality, at: Field, column: str | None, wrong: Complaints) -> Iterator[Expectation]:
    if rule.type != "custom":
        wrong.add((*at, "type"), f"found {rule.type!r}" if rule.type else "no type and no metric", _CUSTOM)
        return
    if rule.engine not in _ENGINES:
        wrong.add((*at, "engine"), f"found {rule.engine!r}", "write `engine: greatExpectations`")
        return
    for field in _OF_OTHERS:
        if getattr(rule, field) is not None:
            wrong.add((*at, field), "not read in a rule of type custom", "say it in `implementation: {kwargs: {…}}`")
    severity = _severity(rule, at, wrong)
    body = rule.implementation
    kwargs = (body.get("kwargs") or {}) if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(kwargs, dict) or not isinstance(body.get("type"), str):
        found = wrong.document.written((*at, "implementation"))
        wrong.add((*at, "implementation"), f"found {found}", "write `{type: expect_…, kwargs: {…}}`, as GX does")
        return
    for name in body:
        if name not in _BODY:
            wrong.add((*at, "implementation", name), "unknown field", nearest(name, _BODY))
    if column and "column" not in kwargs and body["type"].startswith("expect_column_"):
        kwargs = {"column": column, **kwargs}
    yield Expectation(type=body["type"], kwargs=_json(kwargs), severity=severity, meta=_meta(rule))


def _severity(rule: DataQuality, at: Field, wrong: Complaints) -> Literal["critical", "warning"]:
    if rule.severity not in _SEVERITIES:
        wrong.add((*at, "severity"), f"found {rule.severity!r}", "write error or warning")
    return _SEVERITIES.get(rule.severity, "critical")


def _meta(rule: DataQuality) -> dict[str, str]:
    told = {"name": rule.name, "description": rule.description, "dimension": rule.dimension}
    return {key: value for key, value in told.items() if value}


def _json(value: Any) -> Any:
    """YAML reads dates as dates; expectations hold JSON values."""
    if isinstance(value, list):
        return [_json(each) for each in value]
    if isinstance(value, dict):
        return {name: _json(each) for name, each in value.items()}
    return value.isoformat() if hasattr(value, "isoformat") else value
