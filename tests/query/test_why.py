"""Decisions with reasons, on real rows; and what somebody who may not know learns from asking: nothing."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mesh_defs.access.offer import Wanted
from mesh_defs.access.terms import Narrowing
from mesh_defs.access.workflow import Desk, approve, ask, revoke
from mesh_defs.errors import AccessDeniedError, MeshError, NotFoundError, QueryRejectedError
from mesh_defs.model.mesh import Mesh
from mesh_defs.query.platform import Platform, open_platform
from mesh_defs.query.why import Question, shows_row, why, why_row
from mesh_defs.settings import Settings
from tests.meshes import ask as query
from tests.meshes import contract, refresh, rows, settings_of, sql

P = "people.persons"
COLUMNS = (
    "{name: person_id, logicalType: integer, primaryKey: true, customProperties: [{property: identifies, value: person}]}",
    "{name: region, logicalType: string, required: true}",
    "{name: email, logicalType: string, classification: restricted}",
    "{name: age, logicalType: integer}",
    "{name: consent, logicalType: boolean}",
)
PEOPLE = """SELECT * FROM (VALUES
    (1, 'north', 'secret-one', 30, true), (2, 'north', 'secret-two', NULL, true), (3, 'south', 'secret-three', 30, false),
    (4, 'south', 'secret-four', 12, NULL)
) AS t(person_id, region, email, age, consent)"""
ACCESS = """format: 1
product: people.persons
grants:
  - {id: north, roles: [analyst], purposes: [measurement], rows: "region = 'north' AND (age > 18 OR region = 'x')",
     masks: {email: null}}
  - {id: ended, principals: [max], purposes: [measurement], expires: 2020-01-01}
requestable:
  - {id: planners, roles: [planner], purposes: [planning], days_max: 5, columns: [region, age], rows: "region = 'south'"}
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    files = {
        **contract(P, columns=COLUMNS),
        **sql("persons", PEOPLE),
        "access/persons.access.yaml": ACCESS,
        **{
            name.replace("persons", "hidden"): text for name, text in contract("people.hidden", columns=COLUMNS).items()
        },
        **sql("hidden", PEOPLE),
    }
    made = settings_of(Path(tmp_path_factory.mktemp("why")) / "mesh", {"people": files})
    domain, standards = made.root / "domains/people/domain.yaml", made.root / "mesh.yaml"
    domain.write_text(domain.read_text().replace("steward: ada", "steward: grace"))
    rule = "row_rules: [{name: consent, why: law, granularity: audience, rows: {measurement: consent}}]"
    standards.write_text(standards.read_text().replace("guest: {}", "grace: {}, guest: {}") + f"{rule}\n")
    assert {outcome.state for outcome in refresh(made).values()} == {"published"}
    yield made


@pytest.fixture
def platform(settings: Settings) -> Platform:
    return open_platform(settings)


def question(
    who: str = "ada", product: str = P, purpose: str | None = "measurement", by: str | None = None
) -> Question:
    return Question(principal=who, product=product, purpose=purpose, by=by)


def test_says_grant_rules_and_masks_in_words(platform: Platform) -> None:
    [found] = why(question(), platform)
    assert (found.allowed, found.purpose, found.reason) == (True, "measurement", "grant 'north'")
    assert found.shown
    assert found.shown.rows == (
        "only where region = 'north' AND (age > 18 OR region = 'x') (grant 'north')",
        "only where consent (standard 'consent')",
    )
    assert found.shown.columns == {
        "person_id": "as it is",
        "region": "as it is",
        "email": "empty",
        "age": "as it is",
        "consent": "as it is",
    }


def test_the_wider_purpose_by_which_a_grant_applies_is_named(platform: Platform) -> None:
    standards = replace(platform.mesh.standards, within={"lift": "measurement", "spot": "planning"})
    meanings = {**standards.purposes, "lift": "Comparing.", "spot": "Booking."}
    mesh = Mesh(platform.mesh.snapshot, replace(standards, purposes=meanings))
    narrower = replace(platform, mesh=mesh)
    [found] = why(question(purpose="lift"), narrower)
    assert found.reason == "grant 'north' for measurement (lift is within it)"
    assert found.shown and found.shown.rows[1:] == ("only where consent (standard 'consent')",)
    [found] = why(question(purpose="spot"), narrower)
    assert found.reason == "granted only for measurement, asked for spot, within planning"


def test_without_a_purpose_every_purpose_that_allows_it_is_told(platform: Platform) -> None:
    assert [each.purpose for each in why(question(purpose=None), platform)] == ["measurement"]


def test_what_would_help_is_told_to_who_may_know(platform: Platform) -> None:
    [found] = why(question(purpose="planning"), platform)
    assert (found.allowed, found.reason) == (False, "granted only for measurement, asked for planning")
    assert found.helps == ("grant 'north' applies for measurement",)
    [found] = why(question("max"), platform)
    assert found.reason == "the grant 'ended' has expired (2020-01-01)"
    assert found.helps == (
        "grant 'ended' ended 2020-01-02 00:00 for measurement",
        "may be asked for ('planners', answered by its steward): region, age for planning, 5 days at most",
    )


@pytest.mark.parametrize("purpose", ["measurement", None])
def test_a_denied_product_and_a_missing_one_are_refused_alike(platform: Platform, purpose: str | None) -> None:
    told = []
    for product in ("people.hidden", "people.hiddem", "nowhere.hidden"):
        with pytest.raises(NotFoundError) as caught:
            why(question(product=product, purpose=purpose), platform)
        told.append(str(caught.value).replace(product, "it"))
    assert len(set(told)) == 1
    for product in ("people.hidden", "people.hiddem", "nowhere.hidden"):
        with pytest.raises(AccessDeniedError) as denied:
            why(question(product=product, by="ada"), platform)
        assert str(denied.value).replace(product, "it").startswith("it: not found, or ada is not the steward")


def test_for_oneself_a_row_is_shown_or_it_is_not_and_nothing_else_is_told(platform: Platform) -> None:
    shown = {key: shows_row(question(), {"person_id": key}, platform) for key in "12349"}
    assert shown == {"1": True, "2": False, "3": False, "4": False, "9": False}
    # Hidden values are not to be guessed: what is masked is compared as it is shown.
    assert not shows_row(question(), {"email": "secret-one"}, platform)
    with pytest.raises(NotFoundError, match="not found or not permitted"):
        shows_row(question(product="people.hidden"), {"person_id": "1"}, platform)


def test_the_steward_learns_which_part_is_true_false_or_unknown(platform: Platform, settings: Settings) -> None:
    def told(key: str) -> list[tuple[str, bool | None]]:
        return [(p.condition, p.holds) for p in why_row(question(by="grace"), {"person_id": key}, platform)]

    assert told("1") == [("region = 'north'", True), ("age > 18 OR region = 'x'", True), ("consent", True)]
    assert told("2") == [("region = 'north'", True), ("age > 18 OR region = 'x'", None), ("consent", True)]
    assert told("3") == [("region = 'north'", False), ("age > 18 OR region = 'x'", True), ("consent", False)]
    assert told("4") == [("region = 'north'", False), ("age > 18 OR region = 'x'", False), ("consent", None)]
    [entry] = platform.ledger.entries(kind="row_explained", limit=1)
    assert dict(entry.body) == {
        "principal": "ada",
        "by": "grace",
        "product": P,
        "purpose": "measurement",
        "key": ["person_id"],
    }
    bodies = " ".join(str(entry.body) for entry in platform.ledger.entries(limit=None))
    assert "secret-" not in bodies


def test_where_nothing_is_withheld_every_row_is_shown(platform: Platform) -> None:
    own = Question(principal="service:people", product=P, by="grace")
    assert why_row(own, {"person_id": "3"}, platform) == ()


@pytest.mark.parametrize("by", [None, "ada", "max", "service:people", ""])
def test_nobody_but_the_steward_asks_about_others_rows(platform: Platform, by: str | None) -> None:
    before = len(platform.ledger.entries(kind="row_explained", limit=None))
    with pytest.raises(AccessDeniedError):
        why_row(question(by=by), {"person_id": "1"}, platform)
    assert len(platform.ledger.entries(kind="row_explained", limit=None)) == before


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ({"person_id": "9"}, "no row has this key"),
        ({"region": "north"}, "several rows have this key"),
        ({"person_id": "1", "region": "south"}, "no row has this key"),
        ({"persn_id": "1"}, "has no column persn_id — did you mean 'person_id'?"),
        ({'person_id" OR TRUE --': "1"}, "has no column"),
        ({"person_id": "1' OR '1'='1"}, "no row has this key"),
    ],
)
def test_one_row_by_its_key(platform: Platform, key: dict[str, str], told: str) -> None:
    with pytest.raises(QueryRejectedError) as caught:
        why_row(question(by="grace"), key, platform)
    assert told in str(caught.value)


def test_no_answer_carries_a_value_that_the_question_did_not(platform: Platform) -> None:
    for key in ({"person_id": "1"}, {"person_id": "3"}, {"email": "secret-two"}):
        parts = why_row(question(by="grace"), key, platform)
        assert not any("secret" in str(part) or "30" in str(part) for part in parts)


def test_says_that_a_purpose_or_a_person_is_unknown(platform: Platform) -> None:
    for asked, told in (
        (question("adda"), "nobody here is called 'adda' — did you mean 'ada'?"),
        (question(purpose="measuring"), "there is no purpose 'measuring' — did you mean 'measurement'?"),
    ):
        with pytest.raises(AccessDeniedError, match=told.replace("?", r"\?")):
            why(asked, platform)


def test_request_approve_query_expiry_denied(settings: Settings) -> None:
    """Through the real door, in the order of a working day."""
    platform = open_platform(settings)
    desk = Desk(mesh=platform.mesh, ledger=platform.ledger, book=platform.requests, clock=platform.clock)
    statement = "SELECT * FROM people.persons ORDER BY ALL"
    with pytest.raises(MeshError, match=r"mesh access request people\.persons"):
        query(settings, statement, who="max", purpose="planning")
    wanted = Wanted(principal="max", product=P, purpose="planning", days=1)
    number = ask(desk, wanted).number
    with pytest.raises(MeshError):
        query(settings, statement, who="max", purpose="planning")
    granted = approve(desk, number, "grace", Narrowing(rows="age < 20"))
    assert rows(settings, statement, who="max", purpose="planning") == [("south", 12)]
    [allowed] = platform.ledger.search(kind="allowed", grant=granted.id)
    assert allowed.body["grants"] == {P: granted.id}
    revoke(desk, number, "grace", "over")
    with pytest.raises(MeshError):
        query(settings, statement, who="max", purpose="planning")
    [found] = why(question("max", purpose="planning"), platform)
    assert f"{granted.id} (planning): revoked, over" in found.helps
