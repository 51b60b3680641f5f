"""botocore takes these requests, and AWS would not: every limit of the service's model is kept."""

from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from mesh_defs.cleanroom.aws_shapes import faults

UUID = "00000000-0000-4000-8000-000000000000"
ARN = f"arn:aws:cleanrooms:eu-west-1:111122223333:membership/{UUID}/analysistemplate/{UUID}"
MODEL = botocore.session.get_session().get_service_model("cleanrooms")


def a_budget(**given: Any) -> dict[str, Any]:
    return {
        "membershipIdentifier": UUID,
        "autoRefresh": "NONE",
        "privacyBudgetType": "DIFFERENTIAL_PRIVACY",
        "parameters": {"differentialPrivacy": {"epsilon": 2, "usersNoisePerQuery": 30, **given}},
    }


def an_aggregation(**given: Any) -> dict[str, Any]:
    rule = {
        "aggregateColumns": [{"columnNames": ["person"], "function": "COUNT_DISTINCT"}],
        "joinColumns": ["person"],
        "joinRequired": "QUERY_RUNNER",
        "allowedJoinOperators": ["AND"],
        "dimensionColumns": ["shop"],
        "scalarFunctions": [],
        "outputConstraints": [{"columnName": "person", "minimum": 25, "type": "COUNT_DISTINCT"}],
    }
    return {
        "configuredTableIdentifier": UUID,
        "analysisRuleType": "AGGREGATION",
        "analysisRulePolicy": {"v1": {"aggregation": {**rule, **given}}},
    }


def a_custom(**given: Any) -> dict[str, Any]:
    threshold = {
        "identityColumns": ["person"],
        "minimumIdentityCount": 25,
        "type": "COUNT_DISTINCT",
        "allowedAggregateExpressionType": "COLUMNS_ONLY",
    }
    return {
        "configuredTableIdentifier": UUID,
        "analysisRuleType": "CUSTOM",
        "analysisRulePolicy": {
            "v1": {"custom": {"allowedAnalyses": [ARN], "aggregationThresholds": [threshold], **given}}
        },
    }


def a_collaboration(**given: Any) -> dict[str, Any]:
    return {
        "name": "autumn",
        "description": "reach",
        "creatorDisplayName": "retailer",
        "creatorMemberAbilities": [],
        "members": [],
        "queryLogStatus": "ENABLED",
        **given,
    }


def a_table(reference: dict[str, Any], **given: Any) -> dict[str, Any]:
    return {
        "name": "orders",
        "tableReference": reference,
        "allowedColumns": ["person"],
        "analysisMethod": "DIRECT_QUERY",
        **given,
    }


def glue(**given: Any) -> dict[str, Any]:
    return {"glue": {"databaseName": "shop", "tableName": "orders", **given}}


def athena(table: str) -> dict[str, Any]:
    return {"athena": {"workGroup": "w", "databaseName": "d", "tableName": table}}


def an_association(**given: Any) -> dict[str, Any]:
    role = "arn:aws:iam::111122223333:role/rooms"
    return {
        "name": "retailer_orders",
        "membershipIdentifier": UUID,
        "configuredTableIdentifier": UUID,
        "roleArn": role,
        **given,
    }


GOOD = {
    "budget": ("CreatePrivacyBudgetTemplate", a_budget()),
    "aggregation": ("CreateConfiguredTableAnalysisRule", an_aggregation()),
    "custom": ("CreateConfiguredTableAnalysisRule", a_custom()),
    "collaboration": ("CreateCollaboration", a_collaboration(tags={"mesh-room": "autumn"})),
    "table": ("CreateConfiguredTable", a_table(glue())),
    "athena": ("CreateConfiguredTable", a_table(athena("a" * 128))),
    "association": ("CreateConfiguredTableAssociation", an_association()),
}
# botocore lets all of these through.
BAD: dict[str, tuple[str, dict[str, Any]]] = {
    "epsilon 50": ("CreatePrivacyBudgetTemplate", a_budget(epsilon=50)),
    "epsilon 21": ("CreatePrivacyBudgetTemplate", a_budget(epsilon=21)),
    "noise of 101 users": ("CreatePrivacyBudgetTemplate", a_budget(usersNoisePerQuery=101)),
    "a refresh that is none": ("CreatePrivacyBudgetTemplate", {**a_budget(), "autoRefresh": "HOURLY"}),
    "a budget of another type": ("CreatePrivacyBudgetTemplate", {**a_budget(), "privacyBudgetType": "EPSILON"}),
    "MEDIAN": (
        "CreateConfiguredTableAnalysisRule",
        an_aggregation(aggregateColumns=[{"columnNames": ["cents"], "function": "MEDIAN"}]),
    ),
    "a column in capitals": ("CreateConfiguredTableAnalysisRule", an_aggregation(dimensionColumns=["Camp.Aign"])),
    "a column that ends the line": ("CreateConfiguredTableAnalysisRule", an_aggregation(dimensionColumns=["shop\n"])),
    "a column of other digits": ("CreateConfiguredTableAnalysisRule", an_aggregation(dimensionColumns=["shop٣"])),
    "a column of 128": ("CreateConfiguredTableAnalysisRule", an_aggregation(dimensionColumns=["a" * 128])),
    "a join that is none": ("CreateConfiguredTableAnalysisRule", an_aggregation(joinRequired="NOBODY")),
    "XOR": ("CreateConfiguredTableAnalysisRule", an_aggregation(allowedJoinOperators=["XOR"])),
    "three operators": ("CreateConfiguredTableAnalysisRule", an_aggregation(allowedJoinOperators=["AND", "OR", "OR"])),
    "a function that is none": ("CreateConfiguredTableAnalysisRule", an_aggregation(scalarFunctions=["MD5"])),
    "a threshold beyond": (
        "CreateConfiguredTableAnalysisRule",
        an_aggregation(outputConstraints=[{"columnName": "person", "minimum": 100_001, "type": "COUNT_DISTINCT"}]),
    ),
    "a threshold of rows": (
        "CreateConfiguredTableAnalysisRule",
        an_aggregation(outputConstraints=[{"columnName": "person", "minimum": 25, "type": "COUNT"}]),
    ),
    "a rule of no type": ("CreateConfiguredTableAnalysisRule", {**an_aggregation(), "analysisRuleType": "NOPE"}),
    "an analysis that is no ARN": ("CreateConfiguredTableAnalysisRule", a_custom(allowedAnalyses=["ANYTHING"])),
    "two private columns": (
        "CreateConfiguredTableAnalysisRule",
        a_custom(differentialPrivacy={"columns": [{"name": "a"}, {"name": "b"}]}),
    ),
    "an account of 13 digits": (
        "CreateConfiguredTableAnalysisRule",
        a_custom(allowedAnalysisProviders=["1111222233334"]),
    ),
    "an account of other digits": (
        "CreateConfiguredTableAnalysisRule",
        a_custom(allowedAnalysisProviders=["١" * 12]),
    ),
    "a name of blanks": ("CreateCollaboration", a_collaboration(name="   ")),
    "a name of 101": ("CreateCollaboration", a_collaboration(name="a" * 101)),
    "a description of 256": ("CreateCollaboration", a_collaboration(description="a" * 256)),
    "a right that is none": ("CreateCollaboration", a_collaboration(creatorMemberAbilities=["CAN_READ"])),
    "an engine that is none": ("CreateCollaboration", a_collaboration(analyticsEngine="DUCKDB")),
    "201 tags": ("CreateCollaboration", a_collaboration(tags={f"t{n}": "" for n in range(201)})),
    "a tag's key of 129": ("CreateCollaboration", a_collaboration(tags={"t" * 129: ""})),
    "a database with a dot": ("CreateConfiguredTable", a_table(glue(databaseName="shop.prod"))),
    "a region that is none": ("CreateConfiguredTable", a_table(glue(region="moon-1"))),
    "a method that is none": ("CreateConfiguredTable", a_table(glue(), analysisMethod="ANY")),
    # Its pattern takes exponential time.
    "a table of Athena's that goes on": ("CreateConfiguredTable", a_table(athena("a" * 120 + "!"))),
    "an identifier in capitals": ("CreateConfiguredTableAssociation", an_association(membershipIdentifier="A" * 36)),
    "a role that is none": ("CreateConfiguredTableAssociation", an_association(roleArn="x" * 40)),
    "an alias with a dot": ("CreateConfiguredTableAssociation", an_association(name="retailer.orders")),
}


@pytest.mark.parametrize(("operation", "request_"), GOOD.values(), ids=GOOD.keys())
def test_takes_what_the_model_allows(operation: str, request_: dict[str, Any]) -> None:
    assert faults(operation, request_) == ()


@pytest.mark.parametrize(("operation", "request_"), BAD.values(), ids=BAD.keys())
def test_refuses_what_botocore_lets_through(operation: str, request_: dict[str, Any]) -> None:
    shape = MODEL.operation_model(operation).input_shape
    assert not ParamValidator().validate(request_, shape).has_errors()
    assert len(faults(operation, request_)) == 1


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda: a_budget(epsilon=0), "at least 1"),
        (lambda: a_budget(epsilon=2.0), "float in place of a integer"),
        (lambda: a_budget(epsilon=True), "bool in place of a integer"),
        (lambda: a_budget(delta=1), "delta is unknown"),
        (lambda: {**a_budget(), "parameters": {}}, "is one of"),
        (
            lambda: {**a_budget(), "parameters": {"differentialPrivacy": {"epsilon": 1}}},
            "usersNoisePerQuery is missing",
        ),
    ],
)
def test_refuses_what_botocore_refuses_too(wrong: Callable[[], dict[str, Any]], why: str) -> None:
    (fault,) = faults("CreatePrivacyBudgetTemplate", wrong())
    assert why in fault


def test_both_branches_of_a_union_are_one_too_many() -> None:
    request = an_aggregation()
    request["analysisRulePolicy"]["v1"]["list"] = {"joinColumns": ["person"], "listColumns": []}
    (fault,) = faults("CreateConfiguredTableAnalysisRule", request)
    assert "is one of list, aggregation, custom, not 2 of them" in fault


def test_every_pattern_of_the_planned_operations_can_be_read() -> None:
    from mesh_defs.cleanroom.aws_apply import _MADE
    from mesh_defs.cleanroom.aws_shapes import _pattern

    patterns = {
        shape.metadata["pattern"]
        for name in MODEL.shape_names
        if "pattern" in (shape := MODEL.shape_for(name)).metadata
    }
    read = [_pattern(each) for each in patterns]
    assert len(read) > 20
    assert _MADE.keys() <= set(MODEL.operation_names)
