"""mesh.yaml and domain.yaml."""

from pathlib import Path

import pytest

from mesh_defs.documents.standards import read_domain, read_standards
from mesh_defs.errors import DeclarationError
from mesh_defs.model.access import Principal
from tests.factories import a_standards, findings_of, line_of, write

MESH = """format: 1
organisation: Northlight
purposes:
  measurement: Counting.
roles:
  analyst: Reads counts.
people:
  ada:
    title: Analyst
    roles: [analyst]
  guest: {}
"""
DOMAIN = """format: 1
name: events
title: Events
description: What was shown.
owner: ad-events
steward: grace
"""
ROOT = Path(__file__).parents[2]


def standards_findings(tmp_path: Path, text: str) -> list[str]:
    write(tmp_path, "mesh.yaml", text)
    with pytest.raises(DeclarationError) as caught:
        read_standards(tmp_path)
    return findings_of(caught.value)


def domain_findings(tmp_path: Path, text: str, folder: str = "events") -> list[str]:
    write(tmp_path / folder, "domain.yaml", text)
    with pytest.raises(DeclarationError) as caught:
        read_domain(tmp_path / folder, a_standards(), root=tmp_path)
    return findings_of(caught.value)


def test_reads_the_standards(tmp_path: Path) -> None:
    write(tmp_path, "mesh.yaml", MESH)
    standards = read_standards(tmp_path)
    assert standards.organisation == "Northlight"
    assert standards.people == {
        "ada": Principal(name="ada", roles=("analyst",), title="Analyst"),
        "guest": Principal(name="guest"),
    }
    assert (standards.retention_seconds, standards.query_seconds_max) == (86_400, 300)


def test_reads_the_kinds_of_tokens(tmp_path: Path) -> None:
    write(tmp_path, "mesh.yaml", MESH + "identifiers: {email: ' Lower case, trimmed. '}\n")
    assert read_standards(tmp_path).identifiers == {"email": "Lower case, trimmed."}


@pytest.mark.parametrize("kinds", ["{E-Mail: x}", "{e-mail: x}", "{email: ''}", "[email]"])
def test_refuses_kinds_that_no_variable_can_be_called_by_or_that_say_nothing(tmp_path: Path, kinds: str) -> None:
    [told] = standards_findings(tmp_path, MESH + f"identifiers: {kinds}\n")
    assert told.startswith("mesh.yaml:12: identifiers")


@pytest.mark.parametrize("name", ["tokens", "tokens_of_ours"])
def test_no_domain_takes_the_keys_of_tokens_for_its_own_secrets(tmp_path: Path, name: str) -> None:
    [told] = domain_findings(tmp_path, DOMAIN.replace("name: events", f"name: {name}"), folder=name)
    assert (
        told
        == f"{name}/domain.yaml:2: name: found '{name}' — call it otherwise: MESH_TOKENS_… are the keys of joinable tokens"
    )


def test_the_demos_standards_and_domains_are_sound() -> None:
    standards = read_standards(ROOT)
    for file in sorted(ROOT.glob("domains/*/domain.yaml")):
        domain = read_domain(file.parent, standards, root=ROOT)
        assert domain.steward in standards.people
        assert domain.file == str(file.relative_to(ROOT))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("organisation:", "organisaton:", "mesh.yaml:2: organisaton: unknown field — did you mean 'organisation'?"),
        ("format: 1", "format: 2", "mesh.yaml:1: format: found 2 — write 1"),
        ("format: 1", "format: '1'", "mesh.yaml:1: format: found '1' — write 1"),
        ("Northlight", "''", "mesh.yaml:2: organisation: found ''"),
        (
            "  measurement: Counting.",
            "  Measurement: x",
            "mesh.yaml:4: purposes.Measurement: found 'Measurement' — write",
        ),
        ("  measurement: Counting.", "  {}", "mesh.yaml:3: purposes: found a mapping with nothing in it"),
        ("  measurement: Counting.", "  - measurement", "mesh.yaml:3: purposes: found a list, wanted a mapping"),
        ("  ada:", "  Ada:", "mesh.yaml:8: people.Ada: found 'Ada' — write lower case letters"),
        ("  ada:", "  'service:events':", "mesh.yaml:8: people.service:events: found 'service:events'"),
        (
            "    title: Analyst",
            "    titel: Analyst",
            "mesh.yaml:9: people.ada.titel: unknown field — did you mean 'title'?",
        ),
        (
            "[analyst]",
            "[analist]",
            "mesh.yaml:10: people.ada.roles[0]: 'analist' is no role of mesh.yaml — did you mean",
        ),
        ("[analyst]", "analyst", "mesh.yaml:10: people.ada.roles: found 'analyst', wanted a list"),
        ("guest: {}", "guest:", "mesh.yaml:11: people.guest: found nothing, wanted a mapping"),
        ("guest: {}", "on: {}", "mesh.yaml:11: people: the key on is no text to YAML"),
    ],
)
def test_refuses_standards_with_line_field_and_mend(tmp_path: Path, old: str, new: str, told: str) -> None:
    findings = standards_findings(tmp_path, MESH.replace(old, new))
    assert len(findings) == 1, findings
    assert findings[0].startswith(told)


@pytest.mark.parametrize("seconds", [".inf", ".nan", "0", "-1", "true", "'300'", "1.0e+30", "9" * 400])
@pytest.mark.parametrize(
    "field", ["retention_seconds: {}", "query: {{seconds_max: {}}}", "snapshot_age_seconds_max: {}"]
)
def test_no_duration_can_mean_for_ever(tmp_path: Path, field: str, seconds: str) -> None:
    findings = standards_findings(tmp_path, MESH + field.format(seconds))
    assert len(findings) == 1
    assert findings[0].startswith(f"mesh.yaml:12: {field.partition(':')[0]}")


def test_old_versions_outlive_the_longest_query(tmp_path: Path) -> None:
    findings = standards_findings(tmp_path, MESH + "retention_seconds: 300\nquery: {seconds_max: 300}\n")
    assert findings == [
        "mesh.yaml:12: retention_seconds: found 300 — keep old versions longer than query.seconds_max (300 s)"
    ]


def test_all_findings_of_the_standards_are_told_together(tmp_path: Path) -> None:
    text = MESH.replace("[analyst]", "[analist]").replace("Northlight", "7").replace("guest: {}", "guest: {x: 1}")
    assert [finding.split(": ")[1] for finding in standards_findings(tmp_path, text)] == [
        "people.guest.x",
        "organisation",
        "people.ada.roles[0]",
    ]


def test_roles_that_cannot_be_read_make_no_role_unknown(tmp_path: Path) -> None:
    text = MESH.replace("roles:\n  analyst: Reads counts.", "roles: none")
    assert [finding.split(": ")[1] for finding in standards_findings(tmp_path, text)] == ["roles"]


def test_reads_a_domain_with_its_defaults(tmp_path: Path) -> None:
    write(tmp_path / "events", "domain.yaml", DOMAIN)
    domain = read_domain(tmp_path / "events", a_standards(), root=tmp_path)
    assert (domain.name, domain.organisation, domain.storage, domain.file) == (
        "events",
        "Northlight",
        "storage/events",
        "events/domain.yaml",
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "name: events",
            "name: event",
            "events/domain.yaml:2: name: 'event' is not the name of its folder — did you mean",
        ),
        ("owner: ad-events", "owner: Ad Events", "events/domain.yaml:5: owner: found 'Ad Events'"),
        ("owner: ad-events\n", "", "events/domain.yaml:1: owner: missing — add `owner: …`"),
        (
            "steward: grace",
            "steward: grce",
            "events/domain.yaml:6: steward: 'grce' is no person of mesh.yaml — did you mean",
        ),
        ("steward: grace", "steward: grace\nstorage: ../x", "events/domain.yaml:7: storage: found '../x'"),
        ("steward: grace", "steward: grace\nstorage: /x", "events/domain.yaml:7: storage: found '/x'"),
        ("steward: grace", "steward: grace\nstorage: a\\b", "events/domain.yaml:7: storage"),
        ("steward: grace", "steward: grace\nstorage: ''", "events/domain.yaml:7: storage"),
    ],
)
def test_refuses_a_domain_with_line_field_and_mend(tmp_path: Path, old: str, new: str, told: str) -> None:
    findings = domain_findings(tmp_path, DOMAIN.replace(old, new))
    assert len(findings) == 1, findings
    assert findings[0].startswith(told)


def test_a_folder_that_cannot_be_a_domain_is_refused(tmp_path: Path) -> None:
    findings = domain_findings(tmp_path, DOMAIN.replace("name: events", "name: my-events"), folder="my-events")
    assert "found 'my-events' — write lower case letters, digits and _" in findings[0]


def test_a_domain_without_its_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="there is no such file"):
        read_domain(tmp_path, a_standards(), root=tmp_path)


TAXONOMY = MESH.replace(
    "purposes:\n  measurement: Counting.\n",
    """purposes:
  measurement: Counting.
  attribution: {meaning: Which led to which., within: measurement}
  last_click: {meaning: By the last one., within: attribution}
""",
).replace(
    "roles:\n  analyst: Reads counts.\n",
    """roles:
  lead: {meaning: Leads., includes: [analyst, reader]}
  analyst: {meaning: Reads counts., includes: [reader]}
  reader: Reads.
""",
)


def test_purposes_lie_within_others_and_roles_include_others(tmp_path: Path) -> None:
    write(tmp_path, "mesh.yaml", TAXONOMY.replace("roles: [analyst]", "roles: [lead]"))
    standards = read_standards(tmp_path)
    assert standards.purposes["attribution"] == "Which led to which."
    assert standards.roles == {"lead": "Leads.", "analyst": "Reads counts.", "reader": "Reads."}
    assert standards.reached("last_click") == ("last_click", "attribution", "measurement")
    assert standards.covered(("attribution",)) == ("attribution", "last_click")
    assert standards.people["ada"].roles == ("lead", "analyst", "reader")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "within: measurement",
            "within: mesurement",
            "purposes.attribution.within: 'mesurement' is no purpose of mesh.yaml — did you mean 'measurement'?",
        ),
        (
            "[analyst, reader]",
            "[analist]",
            "roles.lead.includes[0]: 'analist' is no role of mesh.yaml — did you mean 'analyst'?",
        ),
        (
            "within: measurement",
            "within: attribution",
            "purposes.attribution.within: leads back to attribution: attribution → attribution"
            " — take one of these steps out",
        ),
        (
            "within: measurement",
            "within: last_click",
            "purposes.attribution.within: leads back to attribution: attribution → last_click → attribution",
        ),
        (
            "reader: Reads.",
            "reader: {meaning: Reads., includes: [lead]}",
            "roles.lead.includes: leads back to lead: lead → reader → lead",
        ),
        ("  reader: Reads.", "  reader: 7", "roles.reader: found 7, wanted text or a mapping"),
        ("meaning: Leads., ", "", "roles.lead.meaning: missing — add `meaning: …`"),
        ("within: attribution", "inside: attribution", "purposes.last_click.inside: unknown field"),
        ("includes: [reader]", "includes: reader", "roles.analyst.includes: found 'reader', wanted a list"),
        ("within: attribution", "within: [attribution]", "purposes.last_click.within: found a list"),
    ],
)
def test_refuses_a_taxonomy_with_its_place_and_mend(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = TAXONOMY.replace(old, new)
    findings = standards_findings(tmp_path, text)
    assert len(findings) == 1, findings
    number = line_of(text, f"{told.split(': ')[0].split('.')[1]}:")
    assert findings[0].startswith(f"mesh.yaml:{number}: {told}")
