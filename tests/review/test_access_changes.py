"""Who gains or loses what: every way in which a change of a file widens or narrows access, however indirect."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from mesh_defs.review.access import AccessChange
from mesh_defs.review.fixtures import Tried
from mesh_defs.review.plan import Plan
from tests.meshes import grants
from tests.review.repository import ACCESS, GRANTS, MESH, PEOPLE, PERSONS, SHOP, Repository, a_repository, domains

Change = Callable[[Repository], None]


def seen(plan: Plan) -> list[AccessChange]:
    return [each for each in plan.access if each.offer is None]


def gaining(plan: Plan) -> set[tuple[str, str]]:
    return {(who, what) for each in seen(plan) if each.gains for who in each.principals for what in each.purposes}


def losing(plan: Plan) -> set[tuple[str, str]]:
    return {(who, what) for each in seen(plan) if each.loses for who in each.principals for what in each.purposes}


def differences(plan: Plan) -> set[str]:
    return {f"{each.name or each.of}: {each.before} → {each.after}" for one in seen(plan) for each in one.differences}


def in_file(path: str, *changes: tuple[str, str]) -> Change:
    return lambda mesh: mesh.change(path, *changes)


ANALYSTS = {("ada", "measurement"), ("bob", "measurement")}
ALL_WHO_MEASURE = ANALYSTS | {("service:shop", "measurement")}
RULE = "    rows: region = ${principal.region}\n"
WIDENED: dict[str, tuple[Change, set[tuple[str, str]], str]] = {
    "a role given to a person": (
        in_file(
            "mesh.yaml", ("max: {roles: [planner]}", "max: {roles: [planner, analyst], attributes: {region: [north]}}")
        ),
        {("max", "measurement")},
        "max is analyst now",
    ),
    "an attribute's value added": (
        in_file("mesh.yaml", ("region: [north]", "region: [north, south]")),
        {("ada", "measurement")},
        "ada's region: north → north, south",
    ),
    "a standard rule removed": (
        in_file("mesh.yaml", (MESH[MESH.index("row_rules") : MESH.index("governance")], "")),
        ALL_WHO_MEASURE,
        "standard rule 'consent' is gone",
    ),
    "a standard rule for products of another granularity": (
        in_file("mesh.yaml", ("granularity: audience", "granularity: event")),
        ALL_WHO_MEASURE,
        "standard rule 'consent' for audience → event products",
    ),
    "a standard rule for another purpose": (
        in_file("mesh.yaml", ("rows: {measurement: consented}", "rows: {planning: consented}")),
        ALL_WHO_MEASURE,
        "standard rule 'consent' for measurement: consented → nothing; for planning: nothing → consented",
    ),
    "a mask's unless widened": (
        in_file("mesh.yaml", ("unless: [delivery]", "unless: [delivery, measurement]")),
        ALL_WHO_MEASURE,
        "standard mask of restricted columns: null unless for delivery → null unless for delivery, measurement",
    ),
    "a column reclassified": (
        in_file(PERSONS, ("classification: restricted", "classification: internal")),
        ALL_WHO_MEASURE,
        "column email: restricted → internal",
    ),
    "a product's granularity changed, such that the consent rule holds no more": (
        in_file(PERSONS, ("value: audience", "value: aggregate")),
        ALL_WHO_MEASURE,
        "granularity audience → aggregate",
    ),
    "a purpose added under the grant's own id": (
        in_file(GRANTS, ("    purposes: [measurement]\n", "    purposes: [measurement, delivery]\n")),
        {("ada", "delivery"), ("bob", "delivery")},
        "grant 'analysts' purposes measurement → measurement, delivery",
    ),
    "an expiry moved away": (
        in_file(GRANTS, ("2027-12-31", "2029-12-31")),
        ANALYSTS,
        "grant 'analysts' expires 2027-12-31 → 2029-12-31",
    ),
    "an expiry dropped": (
        in_file(GRANTS, ("    expires: 2027-12-31\n", "")),
        ANALYSTS,
        "grant 'analysts' expires 2027-12-31 → nothing",
    ),
    "a row rule dropped": (
        in_file(GRANTS, (RULE, "")),
        ANALYSTS,
        "grant 'analysts' rows region = ${principal.region} → nothing",
    ),
    "a grant's mask dropped": (
        in_file(GRANTS, ("    masks: {person_id: token}\n", "")),
        ANALYSTS,
        "grant 'analysts' masks person_id token → nothing",
    ),
    "a column added to those that are granted": (
        in_file(GRANTS, ("columns: [person_id, region]", "columns: [person_id, region, consented]")),
        {("grace", "planning")},
        "grant 'steward' columns person_id, region → person_id, region, consented",
    ),
    "a grant to a role that somebody holds": (
        in_file(GRANTS, ("requestable:", "  - {id: more, roles: [planner], purposes: [planning]}\nrequestable:")),
        {("max", "planning")},
        "grant 'more' is new",
    ),
    "a grant that goes before the narrower one": (
        in_file(GRANTS, ("requestable:", "  - {id: a, principals: [ada], purposes: [measurement]}\nrequestable:")),
        {("ada", "measurement")},
        "grant 'a' applies instead of 'analysts'",
    ),
    "a role that includes another": (
        in_file("mesh.yaml", ("steward: Answers.", "steward: {meaning: Answers., includes: [analyst]}")),
        {("grace", "measurement")},
        "grace is analyst now",
    ),
    "a purpose that lies within another": (
        in_file("mesh.yaml", ("delivery: Showing ads.", "delivery: {meaning: Showing ads., within: measurement}")),
        {("ada", "delivery"), ("bob", "delivery"), ("service:shop", "delivery")},
        "purpose delivery lies within nothing → measurement",
    ),
    "a new purpose within another": (
        in_file(
            "mesh.yaml", ("measurement: Counting.", "measurement: Counting., lift: {meaning: x, within: measurement}")
        ),
        {("ada", "lift"), ("bob", "lift"), ("service:shop", "lift")},
        "purpose lift lies within nothing → measurement",
    ),
    "a new person": (
        in_file("mesh.yaml", ("  max:", "  eve: {roles: [steward, analyst], attributes: {region: [east]}}\n  max:")),
        {("eve", "measurement")},
        "eve is new",
    ),
}


@pytest.mark.parametrize("way", WIDENED)
def test_whatever_widens_access_is_told(mesh: Repository, way: str) -> None:
    change, who, why = WIDENED[way]
    change(mesh)
    plan = mesh.plan()
    assert not plan.unread_now
    assert gaining(plan) >= who
    told = [each for each in seen(plan) if each.gains and {name for name, _ in who} & set(each.principals)]
    assert any(why in cause for each in told for cause in each.because), [each.because for each in told]
    assert plan.to_approve


@pytest.mark.parametrize("way", WIDENED)
def test_taken_back_it_is_told_as_a_loss(mesh: Repository, way: str) -> None:
    change, who, _ = WIDENED[way]
    mesh.git("checkout", "--quiet", "-b", "wide")
    change(mesh)
    wide = mesh.commit()
    mesh.git("checkout", "--quiet", "main", "--", ".")
    assert losing(mesh.plan(wide)) >= who


def test_a_token_that_is_dropped_shows_less(mesh: Repository) -> None:
    mesh.change(GRANTS, ("    masks: {person_id: token}\n", ""))
    mesh.change("mesh.yaml", ("restricted: {mask: null, unless: [delivery]}", "confidential: token"))
    mesh.commit()
    mesh.change(PERSONS, (", {property: token, value: person}", ""))
    plan = mesh.plan()
    assert losing(plan) >= ALL_WHO_MEASURE
    assert "person_id: a token that joins, no value → empty" in differences(plan)
    assert "column person_id: token of person → nothing" in seen(plan)[0].because


def test_a_grant_that_is_gone_and_an_access_file_that_is(mesh: Repository) -> None:
    mesh.change(GRANTS, (ACCESS[ACCESS.index("  - {id: shop") : ACCESS.index("requestable")], ""))
    assert losing(mesh.plan()) == {("service:shop", "measurement")}
    (mesh.root / GRANTS).unlink()
    assert losing(mesh.plan()) == ALL_WHO_MEASURE | {("grace", "planning")}
    assert "max may ask for less" in mesh.plan().to_approve


def test_an_access_file_by_another_name_changes_nothing(mesh: Repository) -> None:
    (mesh.root / GRANTS).rename(mesh.root / PEOPLE / "access/anything.access.yaml")
    assert mesh.plan().is_empty


def test_an_access_file_that_is_no_longer_called_one_takes_everything(mesh: Repository) -> None:
    (mesh.root / GRANTS).rename(mesh.root / PEOPLE / "access/persons.access.yml")
    assert losing(mesh.plan()) == ALL_WHO_MEASURE | {("grace", "planning")}


def test_a_rule_that_says_the_same_in_other_words_is_shown_with_the_rows_that_stay(mesh: Repository) -> None:
    mesh.change(GRANTS, ("region = ${principal.region}", "NOT (region <> ${principal.region})"))
    ada = next(each for each in seen(mesh.plan()) if "ada" in each.principals)
    assert (ada.gains, ada.loses) == (True, True)  # nobody can be sure
    assert ada.tried == (Tried(principals=("ada", "bob"), given=3, before=1, after=1, came=0, went=0),)
    assert "NOT (region <> ${principal.region})" in ada.differences[0].after


def test_conditions_in_another_order_are_a_change_of_text_only(mesh: Repository) -> None:
    mesh.change(GRANTS, ("region = ${principal.region}", "region = ${principal.region} AND person_id > 0"))
    mesh.commit()
    mesh.change(
        GRANTS, ("region = ${principal.region} AND person_id > 0", "person_id > 0 AND region = ${principal.region}")
    )
    plan = mesh.plan()
    assert plan.access == ()
    assert plan.quiet == (
        "people.persons: grant 'analysts' rows region = ${principal.region} AND person_id > 0"
        " → person_id > 0 AND region = ${principal.region}",
    )
    assert plan.to_approve == ()


def test_test_rows_that_come_and_go_are_counted(mesh: Repository) -> None:
    mesh.change(GRANTS, ("region = ${principal.region}", "region <> ${principal.region}"))
    [change] = [each for each in seen(mesh.plan()) if each.principals == ("ada", "bob")]
    assert change.tried == (Tried(principals=("ada", "bob"), given=3, before=1, after=1, came=1, went=1),)
    assert "    of 3 test rows: 1 → 1, 1 came, 1 went\n" in mesh.text()


def test_test_rows_are_counted_for_each_who_sees_others(mesh: Repository) -> None:
    mesh.change(GRANTS, ("    purposes: [measurement]\n", "    purposes: [measurement, planning]\n"))
    assert "    of 3 test rows: ada 0 → 2, 2 came; bob 0 → 1, 1 came\n" in mesh.text()


def test_test_rows_that_are_no_values_of_their_columns_are_not_counted(mesh: Repository) -> None:
    mesh.change(GRANTS, ("{person_id: 1, ", "{person_id: none, "))
    mesh.commit()
    mesh.change(GRANTS, (RULE, ""))
    assert all(each.tried == () for each in seen(mesh.plan()))


def test_a_missing_attribute_shows_no_row(mesh: Repository) -> None:
    mesh.change("mesh.yaml", ("bob: {roles: [analyst], attributes: {region: [south]}}", "bob: {roles: [analyst]}"))
    plan = mesh.plan()
    assert losing(plan) == {("bob", "measurement")}
    assert gaining(plan) == set()
    assert seen(plan)[0].because == ("bob's region: south → nothing",)


def test_a_rule_that_no_longer_fits_the_contract_takes_access(mesh: Repository) -> None:
    mesh.change("mesh.yaml", ("measurement: consented", "measurement: agreed"))
    plan = mesh.plan()
    assert losing(plan) == ALL_WHO_MEASURE
    assert "there is no column 'agreed'" in next(iter(differences(plan)))


def test_an_expired_grant_gives_nothing_on_either_side(mesh: Repository) -> None:
    late = datetime(2028, 6, 1, tzinfo=UTC)
    mesh.change(GRANTS, (RULE, ""))
    assert seen(mesh.plan(now=late)) == []
    assert mesh.plan(now=late).quiet == (
        "people.persons: grant 'analysts' rows region = ${principal.region} → nothing",
    )
    mesh.change(GRANTS, ("2027-12-31", "2029-12-31"))
    assert gaining(mesh.plan(now=late)) == ANALYSTS


def test_a_grant_that_nobody_holds_yet_is_named(mesh: Repository) -> None:
    mesh.change("mesh.yaml", ("planner: Plans.", "planner: Plans., auditor: Looks."))
    mesh.commit()
    mesh.change(GRANTS, ("requestable:", "  - {id: later, roles: [auditor], purposes: [planning]}\nrequestable:"))
    assert mesh.plan().quiet == ("people.persons: grant 'later' is new",)
    mesh.commit()
    mesh.change("mesh.yaml", ("max: {roles: [planner]}", "max: {roles: [auditor]}"))
    assert gaining(mesh.plan()) == {("max", "planning")}


def test_a_domains_own_pipeline_is_not_compared(mesh: Repository) -> None:
    assert all("service:people" not in each.principals for each in mesh.plan().access)
    mesh.change(GRANTS, ("[analyst]", "[analyst, steward]"))
    assert {name for each in seen(mesh.plan()) for name in each.principals} == {"grace"}


def test_pipelines_of_a_new_domain_gain_what_was_granted_to_them(mesh: Repository) -> None:
    mesh.change(GRANTS, ('"service:shop"', '"service:shop", "service:lab"'))
    mesh.commit()
    assert mesh.plan().is_empty
    write_domain(mesh, "lab")
    assert gaining(mesh.plan()) == {("service:lab", "measurement")}


def write_domain(mesh: Repository, name: str) -> None:
    text = (mesh.root / PEOPLE / "domain.yaml").read_text().replace("name: people", f"name: {name}")
    mesh.put(f"domains/{name}/domain.yaml", text)
    entry = f"  - python_file: {{relative_path: domains/{name}/definitions.py, location_name: {name}}}\n"
    mesh.put("workspace.yaml", (mesh.root / "workspace.yaml").read_text() + entry)


def test_those_who_are_alike_stand_together(mesh: Repository) -> None:
    mesh.change("mesh.yaml", ("planning: Deciding.", "planning: Deciding., audit: Looking."))
    mesh.commit()
    mesh.change(GRANTS, ("    purposes: [measurement]\n", "    purposes: [measurement, delivery, planning, audit]\n"))
    told = {each.purposes: each for each in seen(mesh.plan())}
    assert set(told) == {("audit", "planning"), ("delivery",)}  # who reads for delivery sees the address
    assert {(each.principals, each.via) for each in told.values()} == {
        (("ada", "bob"), ("role analyst", "role analyst"))
    }


OFFERED: dict[str, tuple[Change, bool, bool]] = {
    "more days": (in_file(GRANTS, ("days_max: 30", "days_max: 60")), True, False),
    "fewer days": (in_file(GRANTS, ("days_max: 30", "days_max: 3")), False, True),
    "answered at once": (in_file(GRANTS, ("days_max: 30", "days_max: 30, instant: true")), True, False),
    "more columns": (in_file(GRANTS, ("columns: [region]}", "columns: [region, consented]}")), True, False),
    "a row rule": (in_file(GRANTS, ("columns: [region]}", "columns: [region], rows: consented}")), False, True),
    "nothing any more": (
        in_file(GRANTS, (ACCESS[ACCESS.index("requestable") : ACCESS.index("tests")], "")),
        False,
        True,
    ),
    "another id": (in_file(GRANTS, ("id: planners", "id: renamed")), True, True),
}


@pytest.mark.parametrize("way", OFFERED)
def test_what_may_be_asked_for_is_compared_as_well(mesh: Repository, way: str) -> None:
    change, gains, loses = OFFERED[way]
    change(mesh)
    plan = mesh.plan()
    assert seen(plan) == []
    assert {name for each in plan.access for name in each.principals} == {"max"}
    assert (any(each.gains for each in plan.access), any(each.loses for each in plan.access)) == (gains, loses)
    assert any("may ask for" in each for each in plan.to_approve)


def test_a_purpose_within_another_may_be_asked_for_and_brings_its_rules(mesh: Repository) -> None:
    mesh.change("mesh.yaml", ("planning: Deciding.", "planning: Deciding., booking: {meaning: x, within: planning}"))
    [change] = [each for each in mesh.plan().access if each.offer]
    assert (change.offer, change.principals, change.purposes, change.gains) == (
        "planners",
        ("max",),
        ("booking",),
        True,
    )
    mesh.change(GRANTS, ("    purposes: [measurement]\n", "    purposes: [measurement, booking]\n"))
    mesh.commit()
    mesh.change("mesh.yaml", ("within: planning", "within: measurement"))
    plan = mesh.plan()
    assert ("ada", "booking") in losing(plan)  # who consented to no measurement is not shown for it any more
    assert "purpose booking lies within planning → measurement" in plan.standards


def test_a_role_may_let_somebody_ask(mesh: Repository) -> None:
    mesh.change("mesh.yaml", ("grace: {roles: [steward]}", "grace: {roles: [steward, planner]}"))
    [change] = mesh.plan().access
    assert (change.offer, change.principals, change.gains) == ("planners", ("grace",), True)
    assert change.because == ("grace is planner now",)


def test_access_tests_that_are_gone_or_changed_are_named(mesh: Repository) -> None:
    mesh.change(GRANTS, ("  - {name: planners do not, as: {principal: max, purpose: planning}, expect: denied}\n", ""))
    plan = mesh.plan()
    assert [test.name for test in plan.tests_removed] == ["planners do not"]
    assert plan.to_approve == ("1 access test removed or changed",)


def test_a_test_by_another_name_is_the_same_test(mesh: Repository) -> None:
    mesh.change(GRANTS, ("name: planners do not", "name: nobody plans with persons"))
    assert mesh.plan().tests_removed == ()


def test_a_test_that_fails_now_is_a_finding(mesh: Repository) -> None:
    mesh.change(GRANTS, ("[analyst]", "[planner]"), ("    purposes: [measurement]\n", "    purposes: [planning]\n"))
    failing = {"test 'analysts see their region' fails", "test 'planners do not' fails"}
    assert {each.what.partition(":")[0] for each in mesh.plan().findings} == failing
    mesh.commit()
    mesh.change(GRANTS, ("2027-12-31", "2028-12-31"))
    assert mesh.plan().findings == ()  # they failed before


def test_a_persons_new_role_does_not_change_the_tests(mesh: Repository) -> None:
    mesh.change("mesh.yaml", ("max: {roles: [planner]}", "max: {roles: [planner, steward]}"))
    assert mesh.plan().tests_removed == ()


def test_every_change_of_the_standards_is_told(mesh: Repository) -> None:
    mesh.change(
        "mesh.yaml",
        ("planning: Deciding.", "planning: Anything at all."),
        ("governance:\n  - {rule: described_columns, why: Somebody answers., mend: Name one.}\n", ""),
        ("organisation: Northlight", "organisation: Southlight\nretention_seconds: 1000"),
    )
    plan = mesh.plan()
    assert plan.standards == (
        "purpose planning is described otherwise: Anything at all.",
        "governance rule described_columns is gone",
        "organisation: Northlight → Southlight",
        "retention_seconds: 86,400 → 1,000",
    )
    assert plan.to_approve == ("1 governance rule dropped",)


def test_another_steward_who_gives_access_is_told(mesh: Repository) -> None:
    mesh.change(f"{PEOPLE}domain.yaml", ("steward: ada", "steward: max"), ("owner: bench", "owner: others"))
    plan = mesh.plan()
    assert plan.standards == ("domain people: steward ada → max", "domain people: owner bench → others")
    assert plan.to_approve == plan.standards


def test_a_contract_in_anothers_folder_stands_for_nothing(mesh: Repository) -> None:
    """Else a domain could reclassify another's columns, and the plan would show it as that one's change."""
    text = (mesh.root / PERSONS).read_text().replace("classification: restricted", "classification: internal")
    mesh.put(f"{SHOP}contracts/persons.odcs.yaml", text)
    plan = mesh.plan()
    assert plan.access == ()
    assert ["describes people.persons" in each.what for each in plan.unread_now] == [True]


def test_a_thousand_people_are_decided_by_what_they_hold(tmp_path_factory: pytest.TempPathFactory) -> None:
    mesh = a_repository(tmp_path_factory.mktemp("many"), domains())
    people = "".join(f"  p{n}: {{roles: [analyst], attributes: {{region: [north]}}}}\n" for n in range(1000))
    mesh.change("mesh.yaml", ("  max:", f"{people}  max:"))
    mesh.commit()
    mesh.change(GRANTS, (RULE, ""))
    [change] = [each for each in seen(mesh.plan()) if "p1" in each.principals]
    assert len(change.principals) == 1002
    assert "and 990 more" in mesh.text()


def test_a_product_without_an_access_file_is_nobodys(mesh: Repository) -> None:
    mesh.put(
        f"{SHOP}access/top.access.yaml",
        next(iter(grants("shop.top", "{id: all, roles: [analyst], purposes: [planning]}").values())),
    )
    assert gaining(mesh.plan()) == {("ada", "planning"), ("bob", "planning")}
