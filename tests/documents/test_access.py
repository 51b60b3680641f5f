"""Access files: what they grant, and what is refused."""

from datetime import date
from pathlib import Path

import pytest

from mesh_defs.documents.access import read_access
from mesh_defs.documents.odcs import read_contract
from mesh_defs.documents.standards import read_standards
from mesh_defs.errors import DeclarationError
from mesh_defs.model.access import AccessRules, Grant, Wish
from tests.factories import a_contract, a_standards, findings_of, write

ACCESS = """format: 1
product: events.clicks
grants:
  - {id: analysts, roles: [analyst], purposes: [measurement], expires: 2027-12-31}
  - id: people
    principals: [ada, "service:audiences"]
    purposes: [measurement, planning]
"""
CONTRACTS = {name: a_contract(name) for name in ("events.clicks", "events.impressions")}
ROOT = Path(__file__).parents[2]


def read(tmp_path: Path, text: str) -> tuple[Grant, ...]:
    return read_rules(tmp_path, text).grants


def read_rules(tmp_path: Path, text: str) -> AccessRules:
    file = write(tmp_path, "clicks.access.yaml", text)
    return read_access(file, a_standards(), contracts=CONTRACTS, root=tmp_path)


def refused(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(DeclarationError) as caught:
        read(tmp_path, text)
    return findings_of(caught.value)


def test_reads_grants(tmp_path: Path) -> None:
    assert read(tmp_path, ACCESS) == (
        Grant(
            id="analysts",
            product="events.clicks",
            roles=("analyst",),
            purposes=("measurement",),
            expires=date(2027, 12, 31),
        ),
        Grant(
            id="people",
            product="events.clicks",
            principals=("ada", "service:audiences"),
            purposes=("measurement", "planning"),
        ),
    )


def test_a_file_may_grant_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "format: 1\nproduct: events.clicks\ngrants: []\n") == ()
    assert read(tmp_path, "format: 1\nproduct: events.clicks\n") == ()


def test_the_demos_access_files_are_sound() -> None:
    standards = read_standards(ROOT)
    files = sorted(ROOT.glob("domains/*/access/*.access.yaml"))
    for file in files:
        contract = read_contract(
            file.parents[1] / "contracts" / file.name.replace(".access.", ".odcs."), standards, root=ROOT
        )
        rules = read_access(file, standards, contracts={contract.product: contract}, root=ROOT)
        assert {each.product for each in rules.grants} <= {contract.product}
    assert files


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "product: events.clicks",
            "product: events.click",
            "2: product: 'events.click' is no product of this domain — did",
        ),
        ("product: events.clicks", "product: [x]", "2: product: found a list, wanted text"),
        ("id: analysts", "id: own-domain", "4: grants[0].id: 'own-domain' is reserved"),
        ("id: analysts", "id: Analysts", "4: grants[0].id: found 'Analysts'"),
        ("id: analysts", "id: people", "5: grants[1].id: 'people' is used twice"),
        ("id: analysts, ", "", "4: grants[0].id: missing"),
        ("roles: [analyst]", "roles: [analist]", "4: grants[0].roles[0]: 'analist' is not in mesh.yaml — did you mean"),
        ("roles: [analyst], ", "", "4: grants[0]: grants to nobody"),
        ("roles: [analyst]", "roles: []", "4: grants[0]: grants to nobody"),
        ("roles: [analyst]", "roels: [analyst]", "4: grants[0].roels: unknown field — did you mean 'roles'?"),
        ("purposes: [measurement],", "purposes: [],", "4: grants[0].purposes: found a list with nothing in it"),
        ("purposes: [measurement], ", "", "4: grants[0].purposes: missing"),
        ("measurement, planning", "measurement, planing", "7: grants[1].purposes[1]: 'planing' is not in mesh.yaml"),
        ("[ada,", "[adda,", "6: grants[1].principals[0]: 'adda' is no person of mesh.yaml — did you mean 'ada'?"),
        ("service:audiences", "service:", "6: grants[1].principals[1]: 'service:' is no person"),
        ("service:audiences", "service:a.b", "6: grants[1].principals[1]"),
        ("service:audiences", "*", "6: grants[1].principals[1]: '*' is no person"),
        ("2027-12-31", "'2027-12-31'", "4: grants[0].expires: found '2027-12-31', wanted a date — write it like"),
        ("2027-12-31", "2027-12-31T00:00:00", "4: grants[0].expires: found 2027-12-31T00:00:00, wanted a date"),
        ("2027-12-31", "86400", "4: grants[0].expires: found 86400, wanted a date"),
        ("2027-12-31", "true", "4: grants[0].expires: found true, wanted a date"),
        ("2027-12-31", "2027-02-30", "4: grants[0].expires: found 2027-02-30, which is no timestamp"),
        ("grants:", "grant:", "3: grant: unknown field — did you mean 'grants'?"),
    ],
)
def test_refuses_with_line_field_and_mend(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in ACCESS
    findings = refused(tmp_path, ACCESS.replace(old, new))
    assert len(findings) == 1, findings
    assert findings[0].startswith(f"clicks.access.yaml:{told}")


def test_a_grant_that_never_ends_is_written_by_leaving_expires_out(tmp_path: Path) -> None:
    assert read(tmp_path, ACCESS.replace("expires: 2027-12-31", "expires: null"))[0].expires is None


def test_all_findings_of_a_file_are_told_together(tmp_path: Path) -> None:
    text = ACCESS.replace("events.clicks", "events.x").replace("analyst]", "boss]").replace("[ada", "[bob")
    assert [finding.split(": ")[1] for finding in refused(tmp_path, text + "  - 7\n")] == [
        "product",
        "grants[0].roles[0]",
        "grants[1].principals[0]",
        "grants[2]",
    ]


ASKS = ACCESS + (
    "tests:\n  - {name: t, as: {principal: ada, purpose: planning}, asks: {days: 7, columns: [person_id]}, expect: granted}\n"
)


def test_reads_tests_that_ask(tmp_path: Path) -> None:
    [test] = read_rules(tmp_path, ASKS).tests
    assert (test.asks, test.expected) == (Wish(days=7, columns=("person_id",)), "granted")
    [test] = read_rules(tmp_path, ASKS.replace("granted", "denied")).tests
    assert test.expected is None


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("asks: {days: 7, columns: [person_id]}, ", "", "tests[0].expect: `granted` answers a request, and nothing is"),
        ("days: 7, ", "", "tests[0].asks.days: missing — add `days: …`"),
        ("days: 7", "days: 0", "tests[0].asks.days: found 0"),
        ("[person_id]", "[person]", "tests[0].asks.columns[0]: 'person' is no column of the product"),
        ("expect: granted", "expect: approved", "tests[0].expect: expects neither rows nor an answer"),
        ("expect: granted", "expect: {person_id: 1}", "tests[0].expect: expects neither rows nor an answer"),
    ],
)
def test_refuses_tests_that_ask_for_nothing_or_nonsense(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in ASKS
    [finding] = refused(tmp_path, ASKS.replace(old, new))
    assert finding.startswith(f"clicks.access.yaml:9: {told}")
