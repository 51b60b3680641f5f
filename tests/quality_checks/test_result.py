"""Results as GX writes them; that GX reads them is tested with the parity."""

import json

from quality_checks import Expectation, Result

NOT_NULL = Expectation(type="expect_column_values_to_not_be_null", kwargs={"column": "id"}, severity="warning")


def a_result(**found: object) -> Result:
    counts: dict[str, object] = {"element_count": 4, "unexpected_count": 1, "unexpected_percent": 25.0}
    return Result(expectation=NOT_NULL, success=False, **(found or counts))  # type: ignore[arg-type]


def test_says_type_severity_and_who_decided() -> None:
    written = a_result().as_gx()
    assert written["expectation_config"]["type"] == "expect_column_values_to_not_be_null"
    assert written["expectation_config"]["severity"] == "warning"
    assert written["meta"] == {"engine": "compiled"}
    assert written["exception_info"]["raised_exception"] is False


def test_leaves_missing_out_where_gx_does() -> None:
    assert a_result().as_gx()["result"] == {"element_count": 4, "unexpected_count": 1, "unexpected_percent": 25.0}


def test_reports_shares_of_all_and_of_present_values() -> None:
    written = a_result(element_count=4, missing_count=2, unexpected_count=1, unexpected_percent=50.0).as_gx()["result"]
    assert (written["missing_percent"], written["unexpected_percent_total"]) == (50.0, 25.0)
    assert written["unexpected_percent_nonmissing"] == 50.0


def test_reports_the_aggregate_of_a_table_rule() -> None:
    assert a_result(observed_value=3).as_gx()["result"] == {"observed_value": 3}


def test_is_json() -> None:
    written = a_result(element_count=0, missing_count=0, unexpected_count=0).as_gx()
    assert json.loads(json.dumps(written)) == written
