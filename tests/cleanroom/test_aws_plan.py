"""The requests: of the levels, of templates, of places; always the same ones, and none when there is anything to refuse."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mesh_defs.cleanroom.aws_places import read_places
from mesh_defs.cleanroom.aws_plan import Step, plan, references
from mesh_defs.cleanroom.signed import RoomFolder
from mesh_defs.cli.main import mesh
from mesh_defs.errors import DeclarationError, NotFoundError
from tests.cleanroom.aws_rooms import (
    AGENCY,
    KEYS,
    PLACES,
    RETAILER,
    TEMPLATE,
    WAIVED,
    a_document,
    a_room,
)
from tests.meshes import make_mesh

CLIENT = "777788889999"
PRIVATE = {**PLACES, "noise_users": 30}


def steps_of(folder: Path, document: dict[str, Any], places: dict[str, Any] = PLACES) -> tuple[Step, ...]:
    room = a_room(folder, document, places, signed=False)
    agreement = RoomFolder(room).agreement()
    return plan(agreement, read_places(room / "aws.yaml", agreement))


def policy(steps: tuple[Step, ...], table: str) -> dict[str, Any]:
    (step,) = [step for step in steps if step.name == f"rule/{table}"]
    (body,) = step.request["analysisRulePolicy"]["v1"].values()
    return body


def places_with(table: str, at: dict[str, Any]) -> dict[str, Any]:
    return {**PLACES, "tables": {**PLACES["tables"], table: at}}


def test_a_room_of_thresholds_aggregates(tmp_path: Path) -> None:
    steps = steps_of(tmp_path, a_document())
    assert [(step.name, step.party) for step in steps] == [
        ("collaboration", "retailer"),
        ("membership/retailer", "retailer"),
        ("membership/agency", "agency"),
        ("table/agency.audiences", "agency"),
        ("association/agency.audiences", "agency"),
        ("table/retailer.orders", "retailer"),
        ("association/retailer.orders", "retailer"),
        ("rule/agency.audiences", "agency"),
        ("receivers/agency.audiences", "agency"),
        ("rule/retailer.orders", "retailer"),
        ("receivers/retailer.orders", "retailer"),
    ]
    assert policy(steps, "retailer.orders") == {
        "aggregateColumns": [
            {"columnNames": ["person"], "function": "COUNT_DISTINCT"},
            {"columnNames": ["person"], "function": "COUNT"},
            {"columnNames": ["cents"], "function": "AVG"},
            {"columnNames": ["cents"], "function": "SUM"},
        ],
        "joinColumns": ["person"],
        "joinRequired": "QUERY_RUNNER",
        "allowedJoinOperators": ["AND"],
        "dimensionColumns": ["shop", "month"],
        "scalarFunctions": [],
        "outputConstraints": [{"columnName": "person", "minimum": 25, "type": "COUNT_DISTINCT"}],
    }


def test_who_may_ask_and_who_may_have_it_are_members_abilities_and_receivers(tmp_path: Path) -> None:
    client = {"name": "client", "key": base64.b64encode(b"client".ljust(32, b".")).decode()}
    document = a_document(recipients=["client"], parties=[client, *a_document()["parties"]])
    agency, retailer = PLACES["parties"]["agency"], PLACES["parties"]["retailer"]
    has = {"account": CLIENT, "role": f"arn:aws:iam::{CLIENT}:role/rooms", "results": {"bucket": "client-answers"}}
    places = {**PLACES, "parties": {"agency": agency, "retailer": retailer, "client": has}}
    with pytest.raises(DeclarationError, match="'agency' may not have answers"):
        steps_of(tmp_path, document, places)
    without = {name: each for name, each in agency.items() if name != "results"}
    steps = steps_of(tmp_path, document, {**places, "parties": {**places["parties"], "agency": without}})
    made = steps[0].request
    assert (made["creatorDisplayName"], made["creatorMemberAbilities"]) == ("client", ["CAN_RECEIVE_RESULTS"])
    assert [(each["accountId"], each["memberAbilities"]) for each in made["members"]] == [
        (RETAILER, []),
        (AGENCY, ["CAN_QUERY"]),
    ]
    assert made["autoApprovedChangeRequestTypes"] == []
    receivers = [step.request["analysisRulePolicy"]["v1"] for step in steps if step.name.startswith("receivers/")]
    assert [each["aggregation"]["allowedResultReceivers"] for each in receivers] == [[CLIENT], [CLIENT]]


def test_what_who_asks_shares_adds_up_to_nothing(tmp_path: Path) -> None:
    document = a_document()
    document["tables"][0]["measures"] = {"spent": {"functions": ["sum"]}}
    functions = [
        each["function"] for each in policy(steps_of(tmp_path, document), "agency.audiences")["aggregateColumns"]
    ]
    assert functions == ["COUNT_DISTINCT", "COUNT"]


def test_the_strictest_of_several_rules_holds(tmp_path: Path) -> None:
    document = a_document()
    document["rules"].append({"name": "more", "level": "threshold", "persons_min": 400, "functions": ["reach", "sum"]})
    for table in document["tables"]:
        table["rules"] = ["all", "more"]
    found = policy(steps_of(tmp_path, document), "retailer.orders")
    assert found["outputConstraints"][0]["minimum"] == 400
    assert [each["function"] for each in found["aggregateColumns"]] == ["COUNT_DISTINCT", "SUM"]


def test_a_table_without_a_rule_is_not_at_aws(tmp_path: Path) -> None:
    document = a_document()
    document["tables"].append({**document["tables"][1], "name": "retailer.returns", "rules": []})
    assert not [step for step in steps_of(tmp_path, document) if "returns" in step.name]


def test_a_room_of_templates_allows_those_and_nothing_else(tmp_path: Path) -> None:
    steps = steps_of(tmp_path, a_document("template"))
    names = [step.name for step in steps]
    assert names.index("association/retailer.orders") < names.index("template/reach_by_segment")
    assert names.index("template/reach_by_segment") < names.index("rule/agency.audiences")
    found = policy(steps, "retailer.orders")
    assert [str(each) for each in found["allowedAnalyses"]] == ["${template/reach_by_segment:arn}"]
    assert "allowedAnalysisProviders" not in found
    assert found["aggregationThresholds"][0]["minimumIdentityCount"] == 25
    (template,) = [step for step in steps if step.operation == "CreateAnalysisTemplate"]
    assert template.party == "retailer"
    assert template.request["analysisParameters"] == [{"name": "shop", "type": "STRING"}]
    assert template.request["source"]["text"] == (
        "SELECT `own`.`d0` AS `segment`, COUNT(*) AS `rows`, COUNT(DISTINCT `retailer_orders`.`person`) AS `persons`, "
        "SUM(`retailer_orders`.`cents`) AS `cents` FROM `retailer_orders` JOIN (SELECT DISTINCT "
        "`agency_audiences`.`person` AS `person`, `agency_audiences`.`segment` AS `d0` FROM `agency_audiences` WHERE "
        "`agency_audiences`.`segment` IN ('new', 'old', 'lapsed')) AS `own` ON `retailer_orders`.`person` = `own`.`person` "
        "WHERE `retailer_orders`.`shop` IN (:shop) AND `retailer_orders`.`shop` IN ('web', 'store') GROUP BY `own`.`d0`"
    )


def a_template(sql: str, **parameters: str) -> dict[str, Any]:
    return a_document("template", templates=[{"name": "one", "sql": sql, "parameters": parameters}])


FROM = "FROM agency.audiences AS a JOIN retailer.orders AS o ON a.person = o.person"


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (a_template(f"SELECT max(cents) {FROM}"), "max(…) is not computed"),
        (a_template(f"SELECT shop, month, segment, count(*) {FROM} GROUP BY 1, 2, 3"), "3 dimensions, of at most 2"),
        (a_template("SELECT count(*) FROM retailer.orders"), "persons whom parties have in common"),
        (a_template(f"SELECT count(*) {FROM} WHERE shop = $shop", shop="retailer.orders.month"), "no public value"),
        (a_template(f"SELECT count(*) {FROM} WHERE shop = $shop"), "plain values"),
        (a_template(f'SELECT count(*) AS "a` FROM x --" {FROM}'), "no name of a column"),
        (a_template(f"SELECT count(*) {FROM} WHERE shop = 'moon'"), "no public value"),
    ],
)
def test_a_template_that_is_no_analysis_of_the_room_is_refused(
    tmp_path: Path, document: dict[str, Any], why: str
) -> None:
    with pytest.raises(DeclarationError, match=r"templates\.one") as raised:
        steps_of(tmp_path, document)
    assert why in str(raised.value)


def test_quotes_and_backslashes_of_public_values_stay_within_their_literal(tmp_path: Path) -> None:
    document = a_template(f"SELECT shop, count(*) {FROM} GROUP BY 1")
    document["tables"][1]["dimensions"] = {"shop": ["o'clock", "a\\", "' OR 1=1 --"]}
    (step,) = [step for step in steps_of(tmp_path, document) if step.operation == "CreateAnalysisTemplate"]
    assert r"IN ('o\'clock', 'a\\', '\' OR 1=1 --')" in step.request["source"]["text"]


def test_numbers_as_parameters_meet_each_other_and_their_domain(tmp_path: Path) -> None:
    document = a_template(
        f"SELECT count(*) {FROM} WHERE month IN ($one, 3, $two)",
        one="retailer.orders.month",
        two="retailer.orders.month",
    )
    (step,) = [step for step in steps_of(tmp_path, document) if step.operation == "CreateAnalysisTemplate"]
    assert "`month` IN (3, :one, :two) AND `retailer_orders`.`month` IN (1, 2, 3)" in step.request["source"]["text"]
    assert {each["type"] for each in step.request["analysisParameters"]} == {"BIGINT"}


def test_a_room_of_noise_has_one_budget_that_is_never_refreshed(tmp_path: Path) -> None:
    steps = steps_of(tmp_path, a_document("privacy"), PRIVATE)
    assert (steps[-1].party, steps[-1].request["autoRefresh"]) == ("retailer", "NONE")
    assert steps[-1].request["parameters"] == {"differentialPrivacy": {"epsilon": 2, "usersNoisePerQuery": 30}}
    found = policy(steps, "retailer.orders")
    assert (found["allowedAnalyses"], found["allowedAnalysisProviders"]) == (["ANY_QUERY"], [AGENCY])
    assert found["differentialPrivacy"] == {"columns": [{"name": "person"}]}
    assert "differentialPrivacy" not in policy(steps, "agency.audiences")
    assert not [step for step in steps if "aggregationThresholds" in json.dumps(step.request, default=str)]


@pytest.mark.parametrize("level", WAIVED)
def test_no_room_is_planned_as_a_list(tmp_path: Path, level: str) -> None:
    steps = steps_of(tmp_path, a_document(level), PRIVATE if level == "privacy" else PLACES)
    assert not [step for step in steps if step.request.get("analysisRuleType") == "LIST"]


@pytest.mark.parametrize("level", WAIVED)
def test_each_step_needs_only_what_steps_before_it_give(tmp_path: Path, level: str) -> None:
    given: set[str] = set()
    for step in steps_of(tmp_path, a_document(level), PRIVATE if level == "privacy" else PLACES):
        assert {each.step for each in references(step.request)} <= given
        given.add(step.name)


def test_nothing_is_planned_where_one_thing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="dominance"):
        steps_of(tmp_path, a_document(waived={"aws": WAIVED["threshold"][1:]}))


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"title": "a" * 256}, "at most 255"), ({"title": "🎄"}, "not of the form"), ({"id": "a" * 63}, None)],
)
def test_texts_are_held_against_the_services_model(tmp_path: Path, changes: dict[str, Any], why: str | None) -> None:
    if why is None:
        assert steps_of(tmp_path, a_document(**changes))
        return
    with pytest.raises(DeclarationError, match=why):
        steps_of(tmp_path, a_document(**changes))


def test_a_title_that_looks_like_a_reference_is_a_text(tmp_path: Path) -> None:
    steps = steps_of(tmp_path, a_document(title="${membership/agency:id}"))
    assert list(references(steps[0].request)) == []


def test_who_asks_without_reach_or_count_has_nothing_to_aggregate(tmp_path: Path) -> None:
    document = a_document()
    document["rules"][0]["functions"] = ["sum"]
    with pytest.raises(DeclarationError, match=r"aggregateColumns: 0 entries, of at least 1"):
        steps_of(tmp_path, document)


ATHENA = {"athena": {"work_group": "primary", "database": "shop", "table": "orders", "output": "s3://shop/out/"}}
SNOWFLAKE = {
    "snowflake": {
        "secret": "arn:aws:secretsmanager:eu-west-1:444455556666:secret:orders",
        "account": "xy12345",
        "database": "SHOP",
        "schema": "PUBLIC",
        "table": "ORDERS",
        "types": {"person": "VARCHAR", "shop": "VARCHAR", "month": "NUMBER", "cents": "NUMBER"},
    }
}


@pytest.mark.parametrize("at", [ATHENA, SNOWFLAKE])
def test_templates_may_be_about_tables_elsewhere_and_free_questions_may_not(tmp_path: Path, at: dict[str, Any]) -> None:
    places = places_with("retailer.orders", at)
    steps = steps_of(tmp_path / "a", a_document("template"), places)
    assert [*next(step for step in steps if step.name == "table/retailer.orders").request["tableReference"]] == [*at]
    with pytest.raises(DeclarationError, match="AGGREGATION rules for tables in S3 only"):
        steps_of(tmp_path / "b", a_document(), places)
    with pytest.raises(DeclarationError, match="differential privacy for tables in S3 only"):
        steps_of(tmp_path / "c", a_document("privacy"), {**places, "noise_users": 30})


@pytest.mark.parametrize(
    ("places", "why"),
    [
        ({**PLACES, "parties": {"agency": PLACES["parties"]["agency"]}}, "'retailer' of the agreement is missing"),
        ({**PLACES, "parties": dict.fromkeys(("agency", "retailer"), PLACES["parties"]["agency"])}, "one account"),
        (places_with("retailer.order", {"glue": {"database": "d", "table": "t"}}), "none of the agreement's"),
        (places_with("retailer.orders", {}), "it is in one place"),
        (places_with("retailer.orders", {**ATHENA, "glue": {"database": "d", "table": "t"}}), "it is in one place"),
        (places_with("retailer.orders", {"glue": {"database": "d", "table": "a.b"}}), "found 'a.b'"),
        (places_with("retailer.orders", {"glue": {"database": "d", "table": "-a" * 60 + "!"}}), "128 at most"),
        ({**PLACES, "noise_users": 30}, "it goes with a budget"),
        ({**PLACES, "epsilon": 3}, "unknown field"),
        ({**PLACES, "region": "moon 1"}, "found 'moon 1'"),
    ],
)
def test_places_that_are_none_are_refused_with_their_line(tmp_path: Path, places: dict[str, Any], why: str) -> None:
    with pytest.raises(DeclarationError, match=r"aws\.yaml:\d+") as raised:
        steps_of(tmp_path, a_document(), places)
    assert why in str(raised.value)


def test_an_account_is_twelve_digits_in_quotes(tmp_path: Path) -> None:
    for account in (111122223333, "11112222333", "١" * 12):
        parties = {**PLACES["parties"], "agency": {**PLACES["parties"]["agency"], "account": account}}
        with pytest.raises(DeclarationError, match=r"aws\.yaml:\d+"):
            steps_of(tmp_path, a_document(), {**PLACES, "parties": parties})


def test_a_budget_needs_its_noise_within_awss_limits(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="noise_users"):
        steps_of(tmp_path, a_document("privacy"))
    with pytest.raises(DeclarationError, match="usersNoisePerQuery: 101, of at most 100"):
        steps_of(tmp_path, a_document("privacy"), {**PLACES, "noise_users": 101})


# The command.


def run(*arguments: str) -> Any:
    return CliRunner().invoke(mesh, ["room", "aws", "plan", *arguments])


def test_the_same_agreement_gives_the_same_bytes(tmp_path: Path) -> None:
    one, other = (a_room(tmp_path / name, a_document("template")) for name in "ab")
    printed = {run(str(folder), "--json").stdout_bytes for folder in (one, other, one)}
    assert len(printed) == 1
    body = json.loads(printed.pop())
    assert (body["unsigned"], body["refused"], len(body["steps"])) == (None, [], 12)
    assert body["waived"] == WAIVED["template"]


def test_a_room_of_this_mesh_is_known_by_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_mesh(tmp_path / "mesh", {})
    folder = a_room(root / "rooms" / "autumn", a_document())
    monkeypatch.setenv("MESH_ROOT", str(root))
    assert run(folder.name, "--json").stdout_bytes == run(str(folder), "--json").stdout_bytes
    assert json.loads(run(folder.name, "--json").stdout)["room"] == "autumn"
    assert "this mesh has no room 'winter'" in str(run("winter").exception)


def test_a_party_sees_its_own_requests(tmp_path: Path) -> None:
    folder = a_room(tmp_path, a_document())
    steps = json.loads(run(str(folder), "--party", "agency", "--json").stdout)["steps"]
    assert {(each["party"], each["account"]) for each in steps} == {("agency", AGENCY)}
    assert steps[0]["request"]["collaborationIdentifier"] == "${collaboration:id}"
    assert run(str(folder), "--party", "nobody").exit_code == 2


def test_what_is_not_signed_is_said(tmp_path: Path) -> None:
    folder = a_room(tmp_path, a_document(), signed=False)
    answer = run(str(folder))
    assert answer.exit_code == 0
    assert "not signed by all: 'retailer' has not signed" in answer.stderr
    assert "not kept at AWS: dominance, complementary" in answer.stderr


def test_an_edited_agreement_is_not_what_was_signed(tmp_path: Path) -> None:
    folder = a_room(tmp_path, a_document())
    file = folder / "agreement.yaml"
    file.write_text(file.read_text().replace("persons_min: 25", "persons_min: 2"))
    assert "has not signed this version" in json.loads(run(str(folder), "--json").stdout)["unsigned"]
    refused = run(str(folder), "--party", "retailer", "--apply", "--yes")
    assert "has not signed this version" in str(refused.exception)


def test_a_refusal_is_the_whole_answer(tmp_path: Path) -> None:
    folder = a_room(tmp_path, a_document(waived={}))
    answer = run(str(folder), "--json")
    body = json.loads(answer.stdout)
    assert answer.exit_code == 1
    assert {each["control"] for each in body["refused"]} == set(WAIVED["threshold"])
    assert body["steps"] == []
    told = run(str(folder))
    assert told.exit_code == 1
    assert "nothing is planned" in told.stderr
    assert "CreateCollaboration" not in told.stdout


def test_a_template_that_is_refused_is_in_the_answer_too(tmp_path: Path) -> None:
    document = a_document("template", templates=[{**TEMPLATE, "parameters": {}}])
    answer = run(str(a_room(tmp_path, document)), "--json")
    assert answer.exit_code == 1
    assert [each["control"] for each in json.loads(answer.stdout)["refused"]] == ["templates.reach_by_segment"]


def test_without_places_the_controls_are_told_first(tmp_path: Path) -> None:
    folder = a_room(tmp_path, a_document())
    (folder / "aws.yaml").unlink()
    assert isinstance(run(str(folder)).exception, NotFoundError)
    assert "room-aws.md" in str(run(str(folder)).exception)


def test_apply_needs_a_party_and_an_agreement_that_holds_today(tmp_path: Path) -> None:
    assert run(str(a_room(tmp_path / "a", a_document())), "--apply").exit_code == 2
    from datetime import date

    past = a_room(tmp_path / "b", a_document(valid={"from": date(2020, 1, 1), "until": date(2020, 12, 31)}))
    assert "has ended" in str(run(str(past), "--party", "agency", "--apply", "--yes").exception)


def test_a_revoked_agreement_is_not_applied(tmp_path: Path) -> None:
    from mesh_defs.cleanroom.signed import state
    from tests.cleanroom.aws_rooms import AT

    folder = a_room(tmp_path, a_document())
    room = RoomFolder(folder)
    room.keep(state("revoked", room.agreement(), "agency", KEYS["agency"], AT))
    assert "has revoked" in str(run(str(folder), "--party", "agency", "--apply", "--yes").exception)
    assert "has revoked" in json.loads(run(str(folder), "--json").stdout)["unsigned"]
