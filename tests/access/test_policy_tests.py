"""Tests of access files: what passes, what fails, and how a failure is told."""

from datetime import date
from typing import Any

import pytest

from mesh_defs.access.policy_tests import declared, failures, run_tests
from mesh_defs.errors import DeclarationError
from mesh_defs.model.access import Mask, PolicyTest, Principal
from mesh_defs.model.mesh import StandardRule
from mesh_defs.policy.authorize import Policy
from tests.factories import NOW, a_column, a_contract, a_grant, a_policy, a_standards
from tests.meshes import contract, settings_of

P = "audiences.persons"
CONTRACT = a_contract(
    P,
    columns=(
        a_column("person_id", primary_key=True, token="person"),
        a_column("email", classification="restricted", token="email"),
        a_column("region"),
        a_column("born_on", type="DATE", logical_type="date"),
        a_column("spent", type="DECIMAL(12,2)", logical_type="number"),
        a_column("seen_at", type="TIMESTAMP", logical_type="timestamp"),
        a_column("consent", type="BOOLEAN", logical_type="boolean"),
    ),
)
ADA = Principal(name="ada", roles=("analyst",), attributes={"regions": ("west",)})
ROWS = (
    {"person_id": "a", "email": "a@x", "region": "west", "born_on": date(1980, 5, 17), "spent": 1.5, "consent": True},
    {"person_id": "b", "email": "b@x", "region": "east", "born_on": None, "spent": 2, "consent": False},
)


def policy(**grant: Any) -> Policy:
    standards = a_standards(
        masks={"restricted": Mask(kind="token")},
        row_rules=(StandardRule(name="c", why="w", granularity="audience", rows={"planning": "consent"}),),
    )
    given = {"purposes": ("measurement", "planning"), **grant}
    return a_policy(a_grant(P, to="ada", **given), contracts=[CONTRACT], standards=standards)


def wrong(
    expected: tuple[dict[str, Any], ...] | None,
    under: Policy | None = None,
    given: tuple[dict[str, Any], ...] = ROWS,
    purpose: str = "measurement",
    principal: Principal = ADA,
) -> str:
    test = PolicyTest(product=P, name="t", principal=principal, purpose=purpose, given=given, expected=expected)
    [outcome] = run_tests([test], under or policy(), now=NOW)
    return outcome.wrong


def row(index: int, **changed: Any) -> dict[str, Any]:
    given = ROWS[index]
    shown = {**given, "email": {"token": given["email"]}, **changed}
    return {name: value for name, value in shown.items() if value is not ...}


def test_all_that_is_shown_must_be_expected_and_the_other_way_round() -> None:
    assert wrong((row(0), row(1))) == ""
    assert wrong((row(1), row(0))) == ""  # in whatever order
    assert "shown, but not expected: {born_on: None, consent: False, email: 'token of b@x'" in wrong((row(0),))
    assert "not shown: " in wrong((row(0), row(1), row(1)))
    assert "not shown: {" in wrong((row(0), row(1, region="west")))


def test_row_rules_of_grant_and_standards_decide() -> None:
    west = policy(rows="region IN ${principal.regions}")
    assert wrong((row(0),), west) == ""
    assert wrong((row(0),), purpose="planning") == ""
    assert wrong((), west, principal=Principal(name="ada")) == ""  # no attribute, no row


def test_a_value_that_is_shown_where_nothing_is_expected_fails() -> None:
    """A column that an expected row leaves out must not be shown."""
    assert "shown, but not expected" in wrong((row(0, email=...), row(1, email=...)))
    denied = policy(masks={"email": Mask(kind="deny")})
    assert wrong((row(0, email=...), row(1, email=...)), denied) == ""
    assert "not shown" in wrong((row(0, email=None), row(1, email=None)), denied)
    assert wrong(({"region": "west"}, {"region": "east"}), policy(columns=("region",))) == ""


def test_masks_are_those_of_real_answers() -> None:
    masks = {
        "born_on": Mask(kind="truncate", value="year"),
        "region": Mask(kind="truncate", value=1),
        "spent": Mask(kind="null"),
        "person_id": Mask(kind="token"),
    }
    first = row(0, born_on=date(1980, 1, 1), region="w", spent=None, person_id={"token": "a"})
    second = row(1, region="e", spent=None, person_id={"token": "b"})
    assert wrong((first, second), policy(masks=masks)) == ""
    assert "not shown" in wrong((row(0), second), policy(masks=masks))
    # The value itself is no token.
    plain = row(0, born_on=date(1980, 1, 1), region="w", spent=None, person_id="a")
    assert "not shown" in wrong((plain, second), policy(masks=masks))


def test_values_are_typed_by_the_contract() -> None:
    given = ({"spent": "1.50", "born_on": "1980-05-17", "seen_at": "2026-01-01T10:00:00"},)
    assert wrong(({"spent": 1.5, "born_on": date(1980, 5, 17), "seen_at": "2026-01-01 10:00:00"},), given=given) == ""
    assert "a value does not fit its column" in wrong(({},), given=({"born_on": "soon"},))
    assert "a value does not fit its column" in wrong(({"spent": "much"},), given=({"spent": 1},))


def test_allowed_and_denied_are_told_apart() -> None:
    nobody = Principal(name="max", roles=("planner",))
    assert wrong(None, principal=nobody) == ""
    assert wrong(None) == "allowed by grant 'g', expected to be denied"
    assert wrong((), principal=nobody) == f"denied: {P}: no grant"
    assert "has expired" in wrong((), policy(expires=date(2026, 10, 31)))
    assert wrong((), given=()) == ""


def test_a_rule_that_does_not_fit_fails() -> None:
    assert "a rule does not fit the contract" in wrong((), policy(rows="gone = 1"))


def test_a_failure_is_a_finding_where_the_test_stands() -> None:
    test = PolicyTest(
        product=P, name="sees", principal=ADA, purpose="measurement", given=(), expected=None, where="a.yaml:7"
    )
    [finding] = failures([test], policy())
    assert str(finding) == (
        "a.yaml:7: test 'sees' fails: allowed by grant 'g', expected to be denied"
        " — mend the grant, or the test: `mesh access test` runs them alone"
    )


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("TIMESTAMP WITH TIME ZONE", "2026-01-01 10:00:00+02"),
        ("TIME", "10:00:00"),
        ("UUID", "00000000-0000-0000-0000-00000000000a"),
        ("BLOB", "ab"),
        ("VARCHAR[]", ["a", None]),
        ("STRUCT(a INTEGER, b VARCHAR[])", {"a": 1, "b": ["x"]}),
        ("HUGEINT", 2**100),
        ("DOUBLE", 0.1),
    ],
)
def test_columns_of_every_type_can_be_given(type_: str, value: object) -> None:
    odd = a_contract("audiences.order", columns=(a_column("select", type=type_), a_column("from")))
    grants = a_policy(a_grant("audiences.order", to="ada"), contracts=[odd])
    rows: Any = ({"select": value, "from": "x"}, {"select": None, "from": "y"})
    test = PolicyTest(
        product="audiences.order", name="t", principal=ADA, purpose="measurement", given=rows, expected=rows
    )
    assert [each.wrong for each in run_tests([test], grants, now=NOW)] == [""]


@pytest.mark.parametrize(
    "value", ["'; DROP TABLE pin_audiences__persons; --", 'a"b', "${principal.regions}", "$1", "ü\n"]
)
def test_given_values_are_values(value: str) -> None:
    given = ({"region": value, "email": value},)
    assert wrong(({"region": value, "email": {"token": value}},), given=given) == ""


def test_reads_the_files_of_all_domains_and_tells_every_finding(tmp_path: Any) -> None:
    access = """format: 1
product: people.persons
grants: [{id: analysts, roles: [analyst], purposes: [measurement], rows: "region = 'north'"}]
tests:
  - name: only the north
    as: {roles: [analyst], purpose: measurement}
    given: [{person_id: 1, region: north}, {person_id: 2, region: south}]
    expect: [{person_id: 1, region: north}]
"""
    files = {**contract("people.persons"), "access/persons.access.yaml": access}
    settings = settings_of(tmp_path / "mesh", {"people": files})
    policy, [rules] = declared(settings.root)
    assert [each.wrong for each in run_tests(rules.tests, policy)] == [""]
    file = settings.root / "domains/people/access/persons.access.yaml"
    file.write_text(access.replace("north'", "north' AND gone = 1").replace("[analyst], purpose", "[boss], purpose"))
    with pytest.raises(DeclarationError) as caught:
        declared(settings.root)
    assert len(caught.value.findings) == 2  # of the structure first; the rule is judged once that is sound
