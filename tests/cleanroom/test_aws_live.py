"""Against AWS itself, with a room and two accounts of yours; it costs nothing but makes a collaboration, and removes it.

MESH_TEST_AWS_ROOM      folder of a room that all signed, with aws.yaml
MESH_TEST_AWS_PROFILES  AWS profile of each party: agency=one,retailer=two
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from mesh_defs.cleanroom.aws_apply import apply
from mesh_defs.cleanroom.aws_places import Places, read_places
from mesh_defs.cleanroom.aws_plan import Step, plan
from mesh_defs.cleanroom.signed import RoomFolder

ROOM, PROFILES = os.environ.get("MESH_TEST_AWS_ROOM"), os.environ.get("MESH_TEST_AWS_PROFILES")
pytestmark = pytest.mark.skipif(
    not (ROOM and PROFILES),
    reason="asks AWS itself: set MESH_TEST_AWS_ROOM and MESH_TEST_AWS_PROFILES (see the module)",
)
Clients = Mapping[str, Any]


@pytest.fixture
def planned() -> tuple[tuple[Step, ...], Places]:
    room = Path(ROOM or "")
    agreement = RoomFolder(room).signed()
    places = read_places(room / "aws.yaml", agreement)
    return plan(agreement, places), places


@pytest.fixture
def clients(planned: tuple[tuple[Step, ...], Places]) -> Iterator[Clients]:
    steps, places = planned
    profiles = dict(each.split("=") for each in (PROFILES or "").split(","))
    found = {
        party: boto3.session.Session(profile_name=profile, region_name=places.region).client("cleanrooms")
        for party, profile in profiles.items()
    }
    yield found
    _remove(steps, found)


def test_two_accounts_make_a_room_and_find_it_as_planned(
    planned: tuple[tuple[Step, ...], Places], clients: Clients
) -> None:
    steps, places = planned
    accounts = {party: places.account(party) for party in places.parties}
    for _ in range(len(clients) + 1):  # a party waits for another's templates once at most
        states = {
            each.step.name: each.state
            for party, client in clients.items()
            for each in apply(steps, party, accounts, client)
        }
    assert states == {step.name: "there" for step in steps}


def _remove(steps: tuple[Step, ...], clients: Clients) -> None:
    """What was made, by its names: leaving takes a member's associations, rules and templates along."""
    names = {
        step.request["name"] for step in steps if step.operation in ("CreateCollaboration", "CreateConfiguredTable")
    }
    for client in clients.values():
        for each in client.list_memberships()["membershipSummaries"]:
            if each["collaborationName"] in names and each["status"] == "ACTIVE":
                _empty(client, each["id"])
                client.delete_membership(membershipIdentifier=each["id"])
        for each in client.list_configured_tables()["configuredTableSummaries"]:
            if each["name"] in names:
                client.delete_configured_table(configuredTableIdentifier=each["id"])
    for client in clients.values():
        for each in client.list_collaborations()["collaborationList"]:
            if each["name"] in names:
                client.delete_collaboration(collaborationIdentifier=each["id"])


def _empty(client: Any, membership: str) -> None:
    of = {"membershipIdentifier": membership}
    for each in client.list_configured_table_associations(**of)["configuredTableAssociationSummaries"]:
        client.delete_configured_table_association(configuredTableAssociationIdentifier=each["id"], **of)
    for each in client.list_analysis_templates(**of)["analysisTemplateSummaries"]:
        client.delete_analysis_template(analysisTemplateIdentifier=each["id"], **of)
    for each in client.list_privacy_budget_templates(**of)["privacyBudgetTemplateSummaries"]:
        client.delete_privacy_budget_template(privacyBudgetTemplateIdentifier=each["id"], **of)
