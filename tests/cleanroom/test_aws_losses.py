"""What AWS cannot express is refused by name, and planned only when all parties waived just that for AWS."""

from pathlib import Path
from typing import Any, get_args

import pytest

from mesh_defs.cleanroom.aws_losses import LOSSES, losses_of, refusals, whole_epsilon_of
from mesh_defs.errors import DeclarationError
from mesh_defs.model.room import CONTROLS, Kept
from tests.cleanroom.aws_rooms import TEMPLATE, WAIVED, a_document, an_agreement
from tests.factories import findings_of

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "room-aws.md"


def refused(folder: Path, document: dict[str, Any]) -> list[str]:
    return [finding.where for finding in refusals(an_agreement(folder, document))]


@pytest.mark.parametrize("level", WAIVED)
def test_nothing_is_refused_when_all_that_aws_lacks_is_waived(tmp_path: Path, level: str) -> None:
    assert refused(tmp_path, a_document(level)) == []


@pytest.mark.parametrize(("level", "control"), [(level, control) for level, all_ in WAIVED.items() for control in all_])
def test_each_control_is_refused_unless_it_is_waived_by_name(tmp_path: Path, level: str, control: str) -> None:
    waived = [each for each in WAIVED[level] if each != control]
    assert refused(tmp_path, a_document(level, waived={"aws": waived})) == [control]


@pytest.mark.parametrize("level", WAIVED)
def test_a_waiver_for_the_mesh_is_none_for_aws(tmp_path: Path, level: str) -> None:
    document = a_document(level, waived={"mesh": ["dominance", "differencing"]})
    assert set(refused(tmp_path, document)) == set(WAIVED[level])


def test_a_mesh_keeps_to_what_only_aws_lacks(tmp_path: Path) -> None:
    document = a_document(waived={"mesh": [*get_args(Kept)]})
    with pytest.raises(DeclarationError) as raised:
        an_agreement(tmp_path, document)
    assert len(findings_of(raised.value)) == len(get_args(Kept))
    assert "a mesh always keeps to 'dimensions_max'" in str(raised.value)


def test_every_control_that_can_be_waived_has_a_loss_and_each_one_only() -> None:
    assert sorted(loss.control for loss in LOSSES) == sorted(CONTROLS)


def test_what_an_agreement_does_not_depend_on_is_not_refused(tmp_path: Path) -> None:
    document = a_document(waived={})
    document["rules"][0] |= {"dominance_max": 1.0, "functions": ["reach"]}
    for table in document["tables"]:
        table |= {"dimensions": {}, "measures": {}}
    assert refused(tmp_path, document) == ["differencing", "one_population", "one_version", "validity"]


def _changed(level: str, **changes: Any) -> dict[str, Any]:
    return a_document(level, **changes)


def _with_rule(level: str, other: dict[str, Any]) -> dict[str, Any]:
    document = a_document(level, rules=[*a_document(level)["rules"], {"name": "other", "persons_min": 25, **other}])
    document["tables"][1]["rules"] = ["other"]
    return document


def _without(level: str, table: int) -> dict[str, Any]:
    document = a_document(level)
    document["tables"][table]["rules"] = []
    return document


def _thawed() -> dict[str, Any]:
    document = a_document()
    del document["tables"][0]["digest"]
    return document


def _of_three(**changes: Any) -> dict[str, Any]:
    document = a_document("privacy")
    document["tables"].append({**document["tables"][1], "name": "retailer.cards", **changes})
    return document


def _twins() -> dict[str, Any]:
    document = a_document()
    first = document["tables"][0]
    document["tables"] += [{**first, "name": "agency.a_b"}, {**first, "name": "agency_a.b"}]
    return document


UNSAYABLE = {
    "who has the answers and did not ask": (
        _changed("threshold", recipients=["retailer"]),
        "rows of 'retailer' would count",
    ),
    "the same by a template": (
        _changed("template", recipients=["agency", "retailer"]),
        "rows of 'retailer' would count",
    ),
    "two who ask": (_changed("threshold", analysts=["agency", "retailer"]), "2 parties may ask"),
    "threshold beside templates": (_with_rule("template", {"level": "threshold"}), "levels template, threshold"),
    "threshold beside privacy": (_with_rule("privacy", {"level": "threshold"}), "levels privacy, threshold"),
    "templates that nobody must use": (_changed("threshold", templates=[TEMPLATE]), "in place of them only"),
    "templates under noise": (_changed("privacy", templates=[TEMPLATE]), "in place of them only"),
    "no template": (_changed("template", templates=[]), "none was signed"),
    "functions that differ": (_with_rule("threshold", {"level": "threshold", "functions": ["reach"]}), "functions"),
    "who asks brings no table": (_without("threshold", 0), "who asks shares no table"),
    "who asks may choose persons anew": (_thawed(), "who asks has not frozen it"),
    "nothing to ask about": (_without("threshold", 1), "nothing of the other parties"),
    "two tables of one name": (_twins(), "two tables would be called agency_a_b"),
    "personal keys of two names": (_of_three(person="card"), "several personal keys"),
    "rho that is no epsilon": (
        _changed("privacy", privacy={"rho": 1.0, "rho_per_release": 0.1, "groups_max": 3, "rows_max": 10}),
        "rho 1 is no whole epsilon",
    ),
    "epsilon 21": (
        _changed("privacy", privacy={"rho": 220.5, "rho_per_release": 0.1, "groups_max": 3, "rows_max": 10}),
        "rho 220.5 is no whole epsilon",
    ),
}


@pytest.mark.parametrize(("document", "why"), UNSAYABLE.values(), ids=UNSAYABLE.keys())
def test_what_aws_cannot_say_is_refused_whatever_is_waived(tmp_path: Path, document: dict[str, Any], why: str) -> None:
    document = {**document, "waived": {"aws": list(CONTROLS)}}
    assert why in " | ".join(str(finding) for finding in refusals(an_agreement(tmp_path, document)))


def test_rho_is_an_epsilon_only_where_it_is_exactly_one() -> None:
    exact = {epsilon**2 * 500_000: epsilon for epsilon in range(1, 21)}
    assert {rho: whole_epsilon_of(rho) for rho in exact} == exact
    near = [rho + step for rho in exact for step in (-1, 1)]
    assert {whole_epsilon_of(rho) for rho in (*near, 0, 1, 499_999, 21**2 * 500_000, 10**15)} == {None}


def test_two_protected_parties_have_no_budget_together(tmp_path: Path) -> None:
    document = _of_three(party="bank")
    document["parties"].append({"name": "bank", "key": "A" * 43 + "="})
    assert "budgets of several parties" in str(refusals(an_agreement(tmp_path, document)))


def test_the_guide_tells_of_every_loss_in_the_codes_own_words() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    rows = text.partition("| control | the room | AWS Clean Rooms |\n|---|---|---|\n")[2].partition("\n\n")[0]
    assert rows.splitlines() == [f"| `{loss.control}` | {loss.room} | {loss.aws} |" for loss in LOSSES]


def test_losses_are_named_whether_or_not_they_are_waived(tmp_path: Path) -> None:
    agreement = an_agreement(tmp_path, a_document("template"))
    assert sorted(loss.control for loss in losses_of(agreement)) == sorted(WAIVED["template"])
