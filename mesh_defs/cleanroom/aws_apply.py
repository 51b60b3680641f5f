"""Sends a plan to AWS Clean Rooms as one of its parties, step by step: what is there already is compared, never made twice.

Can be ended and run again at any time. What differs from the plan stops it: a rule that was changed by hand protects less than
all signed, or more, and a person decides. What another party made (the collaboration, templates) is compared as well.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from mesh_defs.cleanroom.aws_plan import COLLABORATION, Reference, Step, references, resolved
from mesh_defs.cleanroom.aws_shapes import faults
from mesh_defs.errors import AccessDeniedError, DeclarationError, Finding, UnreachableError

State = Literal["made", "there", "waits"]
# operation -> (method of boto3's client, member of its answer that holds what was made)
_MADE: Mapping[str, tuple[str, str]] = {
    "CreateCollaboration": ("create_collaboration", "collaboration"),
    "CreateMembership": ("create_membership", "membership"),
    "CreateConfiguredTable": ("create_configured_table", "configuredTable"),
    "CreateConfiguredTableAnalysisRule": ("create_configured_table_analysis_rule", "analysisRule"),
    "CreateConfiguredTableAssociation": ("create_configured_table_association", "configuredTableAssociation"),
    "CreateConfiguredTableAssociationAnalysisRule": (
        "create_configured_table_association_analysis_rule",
        "analysisRule",
    ),
    "CreateAnalysisTemplate": ("create_analysis_template", "analysisTemplate"),
    "CreatePrivacyBudgetTemplate": ("create_privacy_budget_template", "privacyBudgetTemplate"),
}
_SEEN_BY_ALL = ("CreateCollaboration", "CreateAnalysisTemplate")
# What a request calls otherwise than the answer.
_ANSWERED = {
    "analysisRulePolicy": "policy",
    "analysisRuleType": "type",
    "configuredTableIdentifier": "configuredTableId",
    "membershipIdentifier": "membershipId",
    "collaborationIdentifier": "collaborationId",
    "autoApprovedChangeRequestTypes": "autoApprovedChangeTypes",
}
Found = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of one step: made now, there already, or waiting for another party's."""

    step: Step
    state: State


def apply(steps: Sequence[Step], party: str, accounts: Mapping[str, str], client: Any) -> Iterator[Done]:
    """Send a party's steps in order, and yield each when it is done. `client`: boto3's of "cleanrooms", of that party's account.

    A step that needs what another party has not made yet waits, and is not sent. DeclarationError where what is there differs
    from the plan; UnreachableError and AccessDeniedError where AWS refuses.
    """
    account = _Account(client=client, accounts=accounts, party=party)
    for step in steps:
        if step.party != party:
            account.look(step)
        elif set(references(step.request)) - account.known.keys():
            yield Done(step=step, state="waits")
        elif account.look(step):
            yield Done(step=step, state="there")
        else:
            account.make(step)
            yield Done(step=step, state="made")


def client_of(account: str, region: str) -> Any:
    """Return boto3's client of the account that this environment's credentials are of. AccessDeniedError for another account."""
    session = boto3.session.Session(region_name=region)
    try:
        there = session.client("sts").get_caller_identity()["Account"]
    except (ClientError, BotoCoreError) as error:
        raise _refused("get_caller_identity", error) from None
    if there != account:
        raise AccessDeniedError(f"these credentials are of account {there}, not {account}", fix="use that party's own")
    return session.client("cleanrooms")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    """AWS as one party sees it. `known`: identifiers so far."""

    client: Any
    accounts: Mapping[str, str]
    party: str
    known: dict[Reference, str] = field(default_factory=dict)

    def look(self, step: Step) -> bool:
        """Whether what a step makes is there, of others' steps where all see it. DeclarationError when it is otherwise."""
        if step.party != self.party and step.operation not in _SEEN_BY_ALL:
            return False
        request = {
            name: resolved(each, self.known)
            for name, each in step.request.items()
            if self.known.keys() >= set(references(each))
        }
        finder: Callable[[Step, Any], Found | None] = getattr(self, _FINDERS[step.operation])
        found = finder(step, request)
        if found is None:
            return False
        _require_same(step, request, found)
        self._learn(step, found)
        return True

    def make(self, step: Step) -> None:
        """Send one request."""
        request = resolved(step.request, self.known)
        wrong = faults(step.operation, request)
        if wrong:
            raise AssertionError(f"planned, and not to be sent: {'; '.join(wrong)}")
        method, member = _MADE[step.operation]
        self._learn(step, self._call(method, **request)[member])

    def _learn(self, step: Step, found: Found) -> None:
        for part in ("id", "arn"):
            if part in found:
                self.known[Reference(step.name, part)] = found[part]

    def _collaboration(self, step: Step, request: Any) -> Found | None:
        creator = self.accounts[step.party]
        summary = self._listed(
            "list_collaborations",
            "collaborationList",
            lambda each: each["name"] == request["name"] and each["creatorAccountId"] == creator,
        )
        if summary is None:
            return None
        found: Found = self._call("get_collaboration", collaborationIdentifier=summary["id"])["collaboration"]
        self._require_members(step, request, summary["id"])
        return found

    def _require_members(self, step: Step, request: Any, collaboration: str) -> None:
        pages = self._pages("list_members", "memberSummaries", collaborationIdentifier=collaboration)
        there = {each["accountId"]: sorted(each["abilities"]) for each in pages}
        planned = {each["accountId"]: sorted(each["memberAbilities"]) for each in request["members"]}
        planned[self.accounts[step.party]] = sorted(request["creatorMemberAbilities"])
        if there != planned:
            raise _differs(step, "its members, or what they may do", planned, there)

    def _membership(self, step: Step, request: Any) -> Found | None:
        id = request["collaborationIdentifier"]
        found = self._listed(
            "list_memberships",
            "membershipSummaries",
            lambda each: each["collaborationId"] == id and each["status"] == "ACTIVE",
        )
        got: Found | None = (
            self._call("get_membership", membershipIdentifier=found["id"])["membership"] if found else None
        )
        return got

    def _table(self, step: Step, request: Any) -> Found | None:
        found = self._listed(
            "list_configured_tables", "configuredTableSummaries", lambda each: each["name"] == request["name"]
        )
        if found is None:
            return None
        got: Found = self._call("get_configured_table", configuredTableIdentifier=found["id"])["configuredTable"]
        return got

    def _association(self, step: Step, request: Any) -> Found | None:
        membership = request["membershipIdentifier"]
        found = self._listed(
            "list_configured_table_associations",
            "configuredTableAssociationSummaries",
            lambda each: each["name"] == request["name"],
            membershipIdentifier=membership,
        )
        if found is None:
            return None
        got: Found = self._call(
            "get_configured_table_association",
            configuredTableAssociationIdentifier=found["id"],
            membershipIdentifier=membership,
        )["configuredTableAssociation"]
        return got

    def _rule(self, step: Step, request: Any) -> Found | None:
        return self._got(
            "get_configured_table_analysis_rule",
            "analysisRule",
            configuredTableIdentifier=request["configuredTableIdentifier"],
            analysisRuleType=request["analysisRuleType"],
        )

    def _receivers(self, step: Step, request: Any) -> Found | None:
        return self._got(
            "get_configured_table_association_analysis_rule",
            "analysisRule",
            **{name: each for name, each in request.items() if name != "analysisRulePolicy"},
        )

    def _template(self, step: Step, request: Any) -> Found | None:
        """As every member sees it, so that each compares its text before a rule of theirs allows it."""
        collaboration = self.known.get(Reference(COLLABORATION, "id"))
        if collaboration is None:
            return None
        creator = self.accounts[step.party]
        found = self._listed(
            "list_collaboration_analysis_templates",
            "collaborationAnalysisTemplateSummaries",
            lambda each: each["name"] == request["name"] and each["creatorAccountId"] == creator,
            collaborationIdentifier=collaboration,
        )
        if found is None:
            return None
        got: Found = self._call(
            "get_collaboration_analysis_template",
            collaborationIdentifier=collaboration,
            analysisTemplateArn=found["arn"],
        )["collaborationAnalysisTemplate"]
        return got

    def _budget(self, step: Step, request: Any) -> Found | None:
        kind, membership = request["privacyBudgetType"], request["membershipIdentifier"]
        found = self._listed(
            "list_privacy_budget_templates",
            "privacyBudgetTemplateSummaries",
            lambda each: each["privacyBudgetType"] == kind,
            membershipIdentifier=membership,
        )
        if found is None:
            return None
        got: Found = self._call(
            "get_privacy_budget_template",
            membershipIdentifier=membership,
            privacyBudgetTemplateIdentifier=found["id"],
        )["privacyBudgetTemplate"]
        return got

    def _listed(self, method: str, member: str, wanted: Callable[[Found], bool], **request: str) -> Found | None:
        return next((each for each in self._pages(method, member, **request) if wanted(each)), None)

    def _pages(self, method: str, member: str, **request: str) -> Iterator[Found]:
        """Entries of a list, page after page."""
        more: dict[str, str] = {}
        while True:
            page = self._call(method, **request, **more)
            yield from page[member]
            if not page.get("nextToken"):
                return
            more = {"nextToken": page["nextToken"]}

    def _got(self, method: str, member: str, **request: str) -> Found | None:
        try:
            got: Found = getattr(self.client, method)(**request)[member]
        except self.client.exceptions.ResourceNotFoundException:
            return None
        except (ClientError, BotoCoreError) as error:
            raise _refused(method, error) from None
        return got

    def _call(self, method: str, **request: Any) -> Any:
        try:
            return getattr(self.client, method)(**request)
        except (ClientError, BotoCoreError) as error:
            raise _refused(method, error) from None


_FINDERS = {
    "CreateCollaboration": "_collaboration",
    "CreateMembership": "_membership",
    "CreateConfiguredTable": "_table",
    "CreateConfiguredTableAnalysisRule": "_rule",
    "CreateConfiguredTableAssociation": "_association",
    "CreateConfiguredTableAssociationAnalysisRule": "_receivers",
    "CreateAnalysisTemplate": "_template",
    "CreatePrivacyBudgetTemplate": "_budget",
}


def _require_same(step: Step, request: Mapping[str, Any], found: Found) -> None:
    """Compare all that AWS says of what is there; some of a request (members, tags) it does not say."""
    for name, planned in request.items():
        answered = _ANSWERED.get(name, name)
        if answered in found and _plain(found[answered]) != _plain(planned):
            raise _differs(step, name, planned, found[answered])


def _plain(value: Any) -> Any:
    """Order means nothing in a request of ours; what is empty is absent."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items() if each not in (None, [], {})}
    return sorted(map(_plain, value), key=repr) if isinstance(value, list | tuple) else value


def _differs(step: Step, name: str, planned: Any, there: Any) -> DeclarationError:
    what = f"{name} differs from what all signed: planned {planned}, there {there}"
    fix = "change it back or delete it at AWS, then run this again"
    return DeclarationError([Finding(where=step.name, what=what, fix=fix)])


def _refused(method: str, error: ClientError | BotoCoreError) -> AccessDeniedError | UnreachableError:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    if code == "AccessDeniedException":
        return AccessDeniedError(f"AWS does not let this account do {method}", fix="give its role that permission")
    fix = "nothing that was made is lost: mend it and run this again"
    return UnreachableError(f"AWS did not do {method}: {code}", fix=fix)
