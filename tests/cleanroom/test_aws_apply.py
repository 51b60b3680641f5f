"""Sending: what is there is compared and never made twice, by botocore's Stubber (which validates answers too) and by moto."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from click.testing import CliRunner
from moto import mock_aws

from mesh_defs.cleanroom.aws_apply import Done, apply, client_of
from mesh_defs.cleanroom.aws_places import read_places
from mesh_defs.cleanroom.aws_plan import Reference, Step, plan, resolved
from mesh_defs.cleanroom.signed import RoomFolder
from mesh_defs.cli.main import mesh
from mesh_defs.errors import AccessDeniedError, DeclarationError, UnreachableError
from tests.cleanroom.aws_rooms import AGENCY, PLACES, RETAILER, WAIVED, a_document, a_room

ACCOUNTS = {"agency": AGENCY, "retailer": RETAILER}
NOW = datetime(2026, 11, 2, tzinfo=UTC)
PRIVATE = {**PLACES, "noise_users": 30}
CREATED = {
    "CreateCollaboration": "collaboration",
    "CreateMembership": "membership",
    "CreateConfiguredTable": "configuredTable",
}


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of this machine's."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


def steps_of(folder: Path, level: str) -> tuple[Step, ...]:
    room = a_room(folder, a_document(level), PRIVATE if level == "privacy" else PLACES)
    agreement = RoomFolder(room).agreement()
    return plan(agreement, read_places(room / "aws.yaml", agreement))


class Cloud:
    """What AWS would hold, and the answers that it would give, in the order of a plan; the Stubber validates each."""

    def __init__(self, steps: tuple[Step, ...], party: str) -> None:
        self.client = boto3.client("cleanrooms", region_name="eu-west-1")
        self.stubber = Stubber(self.client)
        self.steps, self.party = steps, party
        self.known: dict[Reference, str] = {}
        for number, step in enumerate(steps):
            uuid = f"{number:08x}-0000-4000-8000-000000000000"
            kind = "analysistemplate" if step.operation == "CreateAnalysisTemplate" else "thing"
            arn = f"arn:aws:cleanrooms:eu-west-1:{ACCOUNTS[step.party]}:membership/{uuid}/{kind}/{uuid}"
            self.known |= {Reference(step.name, "id"): uuid, Reference(step.name, "arn"): arn}

    def run(self) -> list[tuple[str, str]]:
        with self.stubber:
            done = [(each.step.name, each.state) for each in self.applied()]
        self.stubber.assert_no_pending_responses()
        return done

    def applied(self) -> Iterator[Done]:
        return apply(self.steps, self.party, ACCOUNTS, self.client)

    def request(self, step: Step) -> dict[str, Any]:
        request: dict[str, Any] = resolved(step.request, self.known)
        return request

    def answer(self, method: str, response: dict[str, Any], expected: dict[str, Any] | None = None) -> None:
        self.stubber.add_response(method, response, expected)

    def absent(self, step: Step) -> None:
        """AWS is asked, and has nothing."""
        lists = {
            "CreateCollaboration": ("list_collaborations", "collaborationList"),
            "CreateMembership": ("list_memberships", "membershipSummaries"),
            "CreateConfiguredTable": ("list_configured_tables", "configuredTableSummaries"),
            "CreateConfiguredTableAssociation": (
                "list_configured_table_associations",
                "configuredTableAssociationSummaries",
            ),
            "CreateAnalysisTemplate": (
                "list_collaboration_analysis_templates",
                "collaborationAnalysisTemplateSummaries",
            ),
            "CreatePrivacyBudgetTemplate": ("list_privacy_budget_templates", "privacyBudgetTemplateSummaries"),
        }
        if step.operation in lists:
            method, member = lists[step.operation]
            self.answer(method, {member: []})
            return
        method = (
            "get_configured_table_analysis_rule"
            if step.name.startswith("rule/")
            else "get_configured_table_association_analysis_rule"
        )
        self.stubber.add_client_error(method, "ResourceNotFoundException")

    def takes(self, step: Step) -> None:
        """AWS makes just what is planned."""
        method, member, _, _ = self.described(step)
        thing = self.thing(step)
        if step.operation == "CreateAnalysisTemplate":
            del thing["creatorAccountId"]
            thing |= self.membership(step)
        self.answer(method, {member: thing}, self.request(step))

    def present(self, step: Step, **changes: Any) -> None:
        """AWS is asked, and has it: as planned but for `changes`."""
        _, member, listing, getting = self.described(step)
        thing = {**self.thing(step), **changes}
        if listing:
            method, entries, summary = listing
            # On the second page.
            other = {**summary, **({"name": "another"} if "name" in summary else {})}
            if "privacyBudgetType" in summary:
                other["privacyBudgetType"] = "ACCESS_BUDGET"
            if "status" in summary:
                other["status"] = "REMOVED"
            self.answer(method, {entries: [other], "nextToken": "more"})
            self.answer(method, {entries: [summary]})
        method, member = getting
        self.answer(method, {member: thing})
        if step.operation == "CreateCollaboration":
            self.answer("list_members", {"memberSummaries": self.members(step)})

    def members(self, step: Step) -> list[dict[str, Any]]:
        request = self.request(step)
        creator = (ACCOUNTS[step.party], request["creatorMemberAbilities"])
        others = [(each["accountId"], each["memberAbilities"]) for each in request["members"]]
        return [
            {
                "accountId": account,
                "abilities": abilities,
                "status": "ACTIVE",
                "displayName": account,
                "createTime": NOW,
                "updateTime": NOW,
                "paymentConfiguration": {"queryCompute": {"isResponsible": False}},
            }
            for account, abilities in (creator, *others)
        ]

    def thing(self, step: Step) -> dict[str, Any]:
        """What AWS says of it: all that is required of its answer, and what was requested."""
        request = self.request(step)
        id, arn = self.known[Reference(step.name, "id")], self.known[Reference(step.name, "arn")]
        shared = {"id": id, "arn": arn, "createTime": NOW, "updateTime": NOW}
        if step.operation in CREATED:
            return {**shared, **self.extra(step), **{k: v for k, v in request.items() if k in KEPT[step.operation]}}
        if step.operation == "CreateConfiguredTableAssociation":
            ids = {"membershipId": request["membershipIdentifier"], "membershipArn": ARN, "configuredTableArn": ARN}
            ids["configuredTableId"] = request["configuredTableIdentifier"]
            return {**shared, **ids, "name": request["name"], "roleArn": request["roleArn"]}
        if step.operation == "CreateConfiguredTableAnalysisRule":
            ids = {"configuredTableId": request["configuredTableIdentifier"], "configuredTableArn": ARN}
            body = {"type": request["analysisRuleType"], "policy": request["analysisRulePolicy"]}
            return {**ids, **body, "createTime": NOW, "updateTime": NOW}
        if step.operation == "CreateConfiguredTableAssociationAnalysisRule":
            body = {"type": request["analysisRuleType"], "policy": request["analysisRulePolicy"]}
            ids = {
                "membershipIdentifier": request["membershipIdentifier"],
                "configuredTableAssociationId": request["configuredTableAssociationIdentifier"],
                "configuredTableAssociationArn": ARN,
            }
            return {**ids, **body, "createTime": NOW, "updateTime": NOW}
        collaboration = {"collaborationId": self.known[Reference("collaboration", "id")], "collaborationArn": ARN}
        if step.operation == "CreateAnalysisTemplate":
            names = ("name", "format", "source", "analysisParameters")
            body = {**{name: request[name] for name in names}, "schema": {"referencedTables": []}}
            return {
                **shared,
                **collaboration,
                **body,
                "creatorAccountId": ACCOUNTS[step.party],
            }
        names = ("autoRefresh", "privacyBudgetType", "parameters")
        return {**shared, **collaboration, **self.membership(step), **{name: request[name] for name in names}}

    def membership(self, step: Step) -> dict[str, Any]:
        return {"membershipId": self.known[Reference(f"membership/{step.party}", "id")], "membershipArn": ARN}

    def extra(self, step: Step) -> dict[str, Any]:
        if step.operation == "CreateCollaboration":
            return {"creatorAccountId": ACCOUNTS[step.party], "memberStatus": "ACTIVE"}
        if step.operation == "CreateMembership":
            of = self.known[Reference("collaboration", "id")]
            shown = {"collaborationId": of, "collaborationArn": ARN, "collaborationCreatorAccountId": RETAILER}
            named = {"collaborationCreatorDisplayName": "retailer", "collaborationName": "autumn"}
            return {**shown, **named, "status": "ACTIVE", "memberAbilities": []}
        return {"analysisRuleTypes": []}

    def described(self, step: Step) -> tuple[str, str, Any, tuple[str, str]]:
        """(method that makes, member of its answer, (method that lists, member, summary), (method that gets, member))."""
        thing = self.thing(step)
        if step.operation == "CreateCollaboration":
            names = ("id", "arn", "name", "creatorAccountId", "creatorDisplayName", "createTime", "updateTime")
            summary = {name: thing[name] for name in names} | {"memberStatus": "ACTIVE"}
            listing = ("list_collaborations", "collaborationList", summary)
            return "create_collaboration", "collaboration", listing, ("get_collaboration", "collaboration")
        if step.operation == "CreateMembership":
            summary = {
                name: value
                for name, value in thing.items()
                if name not in ("queryLogStatus", "defaultResultConfiguration")
            }
            listing = ("list_memberships", "membershipSummaries", summary)
            return "create_membership", "membership", listing, ("get_membership", "membership")
        if step.operation == "CreateConfiguredTable":
            names = ("id", "arn", "name", "createTime", "updateTime", "analysisRuleTypes", "analysisMethod")
            listing = ("list_configured_tables", "configuredTableSummaries", {name: thing[name] for name in names})
            return "create_configured_table", "configuredTable", listing, ("get_configured_table", "configuredTable")
        if step.operation == "CreateConfiguredTableAssociation":
            summary = {name: value for name, value in thing.items() if name not in ("configuredTableArn", "roleArn")}
            method, member = "configured_table_association", "configuredTableAssociation"
            listing = (f"list_{method}s", "configuredTableAssociationSummaries", summary)
            return f"create_{method}", member, listing, (f"get_{method}", member)
        if step.operation.endswith("AnalysisRule"):
            of = "configured_table" if step.name.startswith("rule/") else "configured_table_association"
            return f"create_{of}_analysis_rule", "analysisRule", None, (f"get_{of}_analysis_rule", "analysisRule")
        if step.operation == "CreateAnalysisTemplate":
            names = ("id", "arn", "name", "createTime", "updateTime", "collaborationArn", "collaborationId")
            summary = {name: thing[name] for name in names} | {"creatorAccountId": ACCOUNTS[step.party]}
            listing = ("list_collaboration_analysis_templates", "collaborationAnalysisTemplateSummaries", summary)
            getting = ("get_collaboration_analysis_template", "collaborationAnalysisTemplate")
            return "create_analysis_template", "analysisTemplate", listing, getting
        summary = {name: value for name, value in thing.items() if name not in ("autoRefresh", "parameters")}
        listing = ("list_privacy_budget_templates", "privacyBudgetTemplateSummaries", summary)
        getting = ("get_privacy_budget_template", "privacyBudgetTemplate")
        return "create_privacy_budget_template", "privacyBudgetTemplate", listing, getting


ARN = "arn:aws:cleanrooms:eu-west-1:444455556666:membership/00000000-0000-4000-8000-000000000000"
KEPT = {
    "CreateCollaboration": ("name", "description", "creatorDisplayName", "queryLogStatus", "analyticsEngine"),
    "CreateMembership": ("queryLogStatus", "paymentConfiguration", "defaultResultConfiguration"),
    "CreateConfiguredTable": ("name", "tableReference", "allowedColumns", "analysisMethod"),
}
SEEN = ("CreateCollaboration", "CreateAnalysisTemplate")


@pytest.mark.parametrize("level", WAIVED)
@pytest.mark.parametrize("party", ACCOUNTS)
def test_a_party_makes_all_of_its_own_and_a_second_time_nothing(tmp_path: Path, level: str, party: str) -> None:
    steps = steps_of(tmp_path, level)
    own = [step.name for step in steps if step.party == party]
    first = Cloud(steps, party)
    for step in steps:
        if step.party == party:
            first.absent(step)
            first.takes(step)
        elif step.operation in SEEN:
            first.present(step)
    assert first.run() == [(name, "made") for name in own]
    again = Cloud(steps, party)
    for step in steps:
        if step.party == party or step.operation in SEEN:
            again.present(step)
    assert again.run() == [(name, "there") for name in own]


def test_what_needs_another_party_waits_and_is_not_sent(tmp_path: Path) -> None:
    steps = steps_of(tmp_path, "template")
    cloud = Cloud(steps, "agency")
    for step in steps:
        if step.operation == "CreateCollaboration":
            cloud.absent(step)
        elif step.name == "table/agency.audiences":
            cloud.absent(step)
            cloud.takes(step)
    assert cloud.run() == [
        ("membership/agency", "waits"),
        ("table/agency.audiences", "made"),
        ("association/agency.audiences", "waits"),
        ("rule/agency.audiences", "waits"),
        ("receivers/agency.audiences", "waits"),
    ]


def test_a_run_that_was_cut_off_is_taken_up(tmp_path: Path) -> None:
    steps = [step for step in steps_of(tmp_path, "threshold") if step.party == "retailer"]
    for reached in range(len(steps)):
        cloud = Cloud(tuple(steps), "retailer")
        for number, step in enumerate(steps):
            if number < reached:
                cloud.present(step)
            else:
                cloud.absent(step)
                cloud.takes(step)
        assert [state for _, state in cloud.run()] == ["there"] * reached + ["made"] * (len(steps) - reached)


def until(steps: tuple[Step, ...], name: str, party: str = "retailer", **changes: Any) -> Cloud:
    """All that comes before a step is there, and the step with changes."""
    cloud = Cloud(steps, party)
    for step in steps:
        if step.name == name:
            cloud.present(step, **changes)
            return cloud
        if step.party == party or step.operation in SEEN:
            cloud.present(step)
    raise AssertionError(name)


def aggregation(steps: tuple[Step, ...], **changes: Any) -> dict[str, Any]:
    (step,) = [step for step in steps if step.name == "rule/retailer.orders"]
    rule = step.request["analysisRulePolicy"]["v1"]["aggregation"]
    return {"policy": {"v1": {"aggregation": {**rule, **changes}}}}


@pytest.mark.parametrize(
    "changes",
    [
        {"outputConstraints": [{"columnName": "person", "minimum": 2, "type": "COUNT_DISTINCT"}]},
        {"dimensionColumns": ["shop", "month", "person"]},
        {"scalarFunctions": ["SUBSTRING"]},
        {"allowedJoinOperators": ["AND", "OR"]},
        {"additionalAnalyses": "ALLOWED"},
    ],
)
def test_a_rule_that_somebody_changed_is_no_rule_of_ours(tmp_path: Path, changes: dict[str, Any]) -> None:
    steps = steps_of(tmp_path, "threshold")
    cloud = until(steps, "rule/retailer.orders", **aggregation(steps, **changes))
    with pytest.raises(DeclarationError, match="analysisRulePolicy differs"):
        cloud.run()


def test_a_rule_that_was_loosened_by_leaving_out_the_join_is_found(tmp_path: Path) -> None:
    steps = steps_of(tmp_path, "threshold")
    changed = aggregation(steps)
    del changed["policy"]["v1"]["aggregation"]["joinRequired"]
    with pytest.raises(DeclarationError, match="differs from what all signed"):
        until(steps, "rule/retailer.orders", **changed).run()


def test_the_order_of_columns_means_nothing(tmp_path: Path) -> None:
    steps = steps_of(tmp_path, "threshold")
    changed = aggregation(steps, dimensionColumns=["month", "shop"])
    cloud = until(steps, "rule/retailer.orders", **changed)
    receivers = next(step for step in steps if step.name == "receivers/retailer.orders")
    cloud.present(receivers)
    assert cloud.run()[-1] == ("receivers/retailer.orders", "there")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("collaboration", {"queryLogStatus": "DISABLED"}),
        ("collaboration", {"autoApprovedChangeTypes": ["ADD_MEMBER"]}),
        ("table/retailer.orders", {"allowedColumns": ["person", "shop", "month", "cents", "address"]}),
        ("table/retailer.orders", {"tableReference": {"glue": {"databaseName": "shop", "tableName": "other"}}}),
        ("association/retailer.orders", {"configuredTableId": "f" * 8 + "-0000-4000-8000-000000000000"}),
        ("membership/retailer", {"queryLogStatus": "DISABLED"}),
    ],
)
def test_whatever_is_there_otherwise_stops_it(tmp_path: Path, name: str, changes: dict[str, Any]) -> None:
    with pytest.raises(DeclarationError, match=f"{name}: .* differs"):
        until(steps_of(tmp_path, "threshold"), name, **changes).run()


def test_a_collaboration_with_a_further_member_is_not_joined(tmp_path: Path) -> None:
    steps = steps_of(tmp_path, "threshold")
    cloud = Cloud(steps, "agency")
    further = {"accountId": "999999999999", "abilities": ["CAN_RECEIVE_RESULTS"]}
    members = cloud.members(steps[0])
    cloud.members = lambda step: [*members, {**members[0], **further}]  # type: ignore[method-assign]
    cloud.present(steps[0])
    with pytest.raises(DeclarationError, match="its members, or what they may do differs"):
        cloud.run()


def test_a_template_of_another_text_is_not_allowed_on_ones_own_table(tmp_path: Path) -> None:
    steps = steps_of(tmp_path, "template")
    changes = {"source": {"text": "SELECT person FROM retailer_orders"}}
    cloud = until(steps, "template/reach_by_segment", "agency", **changes)
    with pytest.raises(DeclarationError, match="template/reach_by_segment: source differs"):
        cloud.run()


def test_a_larger_budget_is_found(tmp_path: Path) -> None:
    parameters = {"differentialPrivacy": {"epsilon": 20, "usersNoisePerQuery": 30}}
    with pytest.raises(DeclarationError, match="budget: parameters differs"):
        until(steps_of(tmp_path, "privacy"), "budget", parameters=parameters).run()


@pytest.mark.parametrize(
    ("code", "kind"), [("AccessDeniedException", AccessDeniedError), ("ThrottlingException", UnreachableError)]
)
def test_what_aws_refuses_is_said_and_what_was_made_stays(tmp_path: Path, code: str, kind: type[Exception]) -> None:
    steps = steps_of(tmp_path, "threshold")
    cloud = Cloud(steps, "retailer")
    cloud.absent(steps[0])
    cloud.takes(steps[0])
    cloud.stubber.add_client_error("list_memberships", code, "arn:aws:secret")
    done = []
    with cloud.stubber, pytest.raises(kind) as raised:
        done.extend(cloud.applied())
    assert "list_memberships" in str(raised.value)
    assert "secret" not in str(raised.value)


@mock_aws
def test_moto_makes_what_it_knows_of_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_ACCOUNT_ID", RETAILER)
    steps = tuple(step for step in steps_of(tmp_path, "threshold") if step.operation in CREATED)
    client = client_of(account(), "eu-west-1")
    accounts = {**ACCOUNTS, "retailer": account()}
    states = [[each.state for each in apply(steps, "retailer", accounts, client)] for _ in range(2)]
    assert states == [["made"] * 3, ["there"] * 3]
    assert [each["name"] for each in client.list_collaborations()["collaborationList"]] == [steps[0].request["name"]]
    assert len(client.list_memberships()["membershipSummaries"]) == 1
    assert len(client.list_configured_tables()["configuredTableSummaries"]) == 1


def account() -> str:
    """The one that moto's credentials are of."""
    found: str = boto3.client("sts", region_name="eu-west-1").get_caller_identity()["Account"]
    return found


@mock_aws
def test_credentials_of_another_account_send_nothing(tmp_path: Path) -> None:
    folder = a_room(tmp_path, a_document())
    answer = CliRunner().invoke(mesh, ["room", "aws", "plan", str(folder), "--party", "agency", "--apply", "--yes"])
    assert isinstance(answer.exception, AccessDeniedError)
    assert "these credentials are of account" in str(answer.exception)


@mock_aws
def test_the_command_asks_before_it_sends(tmp_path: Path) -> None:
    places = {
        **PLACES,
        "parties": {**PLACES["parties"], "retailer": {**PLACES["parties"]["retailer"], "account": account()}},
    }
    folder = a_room(tmp_path, a_document(), places)
    arguments = ["room", "aws", "plan", str(folder), "--party", "retailer", "--apply"]
    answer = CliRunner().invoke(mesh, arguments, input="n\n")
    assert answer.exit_code == 1
    assert "Make up to 6 resources of room 'autumn'" in answer.stderr
    assert boto3.client("cleanrooms", region_name="eu-west-1").list_collaborations()["collaborationList"] == []
