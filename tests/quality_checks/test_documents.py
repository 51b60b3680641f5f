"""Documents of evaluations: that GX reads them, that they are JSON, and that we read them back."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality_checks import Expectation, QualityError, Result
from quality_checks.documents import suite_document
from quality_checks.history import about, evaluation_of

AT = datetime(2026, 11, 28, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
NOT_NULL = Expectation(
    type="expect_column_values_to_not_be_null", kwargs={"column": "id"}, severity="warning", meta={"dimension": "cv"}
)
ROWS = Expectation(type="expect_table_row_count_to_be_between", kwargs={"min_value": 1})
RESULTS = [
    Result(
        expectation=NOT_NULL,
        success=False,
        element_count=4,
        missing_count=0,
        unexpected_count=1,
        unexpected_percent=25.0,
    ),
    Result(expectation=ROWS, success=True, observed_value=4),
    Result(expectation=ROWS, success=False, engine="great_expectations", error="nobody can — mend it"),
]


def a_document(results: list[Result] | None = None, **told: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"version": "v1", "partition": None, "published": True, "rows": 4, "figures": {}, **told}
    meta = about(**said)
    return suite_document(RESULTS if results is None else results, name="people.persons", meta=meta, evaluated_at=AT)


def test_gx_reads_the_document() -> None:
    from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResultSchema

    document = json.loads(json.dumps(a_document()))
    read = ExpectationSuiteValidationResultSchema().load(document)
    assert (read.success, read.suite_name) == (False, "people.persons")
    assert read.statistics["evaluated_expectations"] == 3
    assert [result.success for result in read.results] == [False, True, False]
    assert read.results[0].expectation_config.type == NOT_NULL.type
    assert read.get_max_severity_failure() == "critical"
    again = read.to_json_dict()
    assert again["statistics"] == document["statistics"]
    assert again["meta"]["version"] == "v1"
    assert again["results"][2]["exception_info"]["exception_message"] == "nobody can — mend it"


def test_gx_reads_a_document_of_nothing() -> None:
    from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResultSchema

    document = a_document([])
    assert document["statistics"]["success_percent"] is None
    assert ExpectationSuiteValidationResultSchema().load(document).success


def test_has_the_keys_that_gx_writes() -> None:
    from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult

    written = ExpectationSuiteValidationResult(success=True, results=[], suite_name="x").to_json_dict()
    assert set(a_document()) == set(written) | {"id"}


def test_counts_what_passed() -> None:
    assert a_document()["statistics"] == {
        "evaluated_expectations": 3,
        "successful_expectations": 1,
        "unsuccessful_expectations": 2,
        "success_percent": pytest.approx(100 / 3),
    }


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (Decimal("1.10"), "1.10"),
        (AT, "2026-11-28T01:30:00+05:30"),
        ((1, {2}), [1, [2]]),
        ({1: float("inf")}, {"1": "inf"}),
        (10**400, 10**400),
    ],
)
def test_says_as_text_what_json_has_no_word_for(value: Any, written: Any) -> None:
    bounded = Expectation(type=ROWS.type, kwargs={"min_value": value})
    document = a_document([Result(expectation=bounded, success=True, observed_value=1)])
    assert document["results"][0]["expectation_config"]["kwargs"]["min_value"] == written
    json.dumps(document, allow_nan=False)


def test_numpys_numbers_are_numbers() -> None:
    import numpy as np

    document = a_document([Result(expectation=ROWS, success=True, observed_value=np.int64(3))])  # type: ignore[arg-type]
    assert json.dumps(document["results"][0]["result"]) == '{"observed_value": 3}'


def test_is_read_back_as_an_evaluation() -> None:
    figures = {
        "": {"row_count": 40.0},
        "id": {"null_share": 0.25, "mean": 2.0, "other": 1.0},
        "name": {"distinct": 3.0},
    }
    written = json.loads(json.dumps(a_document(rows=None, figures=figures, partition="2026-11-27")))
    read = evaluation_of(written)
    assert read.at == AT
    assert read.at.tzinfo == UTC
    assert (read.version, read.partition, read.rows, read.passed) == ("v1", "2026-11-27", 40, 1)
    assert [check.name for check in read.checks] == ["not_null__id", "row_count_between", "row_count_between_2"]
    assert [check.measure for check in read.checks] == [25.0, 4.0, None]
    assert [check.dimension for check in read.checks] == ["completeness"] * 3
    assert [check.engine for check in read.checks] == ["compiled", "compiled", "great_expectations"]
    assert read.checks[0].expectation == NOT_NULL
    assert (read.columns["id"].null_share, read.columns["id"].mean, read.columns["id"].distinct) == (0.25, 2.0, None)


def test_what_others_wrote_is_read_in_utc_and_passed_only_where_it_says_so() -> None:
    document = a_document()
    document["meta"]["validation_time"] = AT.isoformat()
    document["results"][1]["success"] = "false"
    read = evaluation_of(document)
    assert read.at.utcoffset() == timedelta(0)
    assert read.at == AT
    assert not read.checks[1].success


def test_the_day_of_a_daily_partition_is_its_own_else_the_evaluations_in_utc() -> None:
    assert evaluation_of(a_document()).day.isoformat() == "2026-11-27"  # half past one in India
    assert evaluation_of(a_document(partition="2026-01-05")).day.isoformat() == "2026-01-05"
    assert evaluation_of(a_document(partition="20260105")).partition_day is None
    assert evaluation_of(a_document(partition="2026-13-45")).partition_day is None


@pytest.mark.parametrize(
    ("rows", "null_share", "kept"),
    [(10, 0.0, True), (9, 0.0, False), (40, 0.8, False), (40, 0.5, True), (None, 0.0, False)],
)
def test_the_mean_of_a_few_values_is_not_kept(rows: int | None, null_share: float, kept: bool) -> None:
    read = evaluation_of(a_document(rows=rows, figures={"id": {"mean": 1.0, "null_share": null_share}}))
    assert read.columns["id"].mean == (1.0 if kept else None)


def test_a_figure_that_is_no_number_is_left_out() -> None:
    read = evaluation_of(a_document(figures={"id": {"mean": float("nan"), "null_share": 0.5}}))
    assert (read.columns["id"].mean, read.columns["id"].null_share) == (None, 0.5)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


@given(JSON)
def test_what_is_no_document_is_named_as_such(value: Any) -> None:
    with pytest.raises(QualityError, match="no document"):
        evaluation_of(value)


@given(st.data(), JSON)
def test_a_document_with_one_wrong_part_is_read_or_refused_and_never_crashes(data: st.DataObject, value: Any) -> None:
    document = a_document(figures={"id": {"mean": 1.0}})
    place = data.draw(
        st.sampled_from([("meta", key) for key in document["meta"]] + [("results", 0), ("results", None)])
    )
    if place[1] is None:
        document["results"] = value
    else:
        document[place[0]][place[1]] = value
    try:
        evaluation_of(document)
    except QualityError:
        return


@given(JSON, JSON, JSON)
def test_a_result_with_wrong_values_is_read_without_them(count: Any, percent: Any, told: Any) -> None:
    document = a_document()
    document["results"][0]["result"] |= {
        "unexpected_count": count,
        "unexpected_percent": percent,
        "observed_value": told,
    }
    document["results"][0]["exception_info"]["exception_message"] = told
    check = evaluation_of(document).checks[0]
    assert isinstance(check.unexpected_count, int | None)
    assert isinstance(check.unexpected_percent, float | None)
    assert isinstance(check.error, str | None)
    assert isinstance(check.measure, float | None)
