"""Rules that SQL cannot say: GX decides them in the step, and its own words on their arguments are found before."""

from pathlib import Path

import dagster as dg

from mesh_defs.authoring.validate import validate
from mesh_defs.refresh.instance import open_instance
from mesh_defs.settings import Settings
from tests.meshes import PEOPLE, contract, refresh, settings_of, sql


def rule(type: str, kwargs: str, severity: str = "error") -> str:
    body = f"implementation: {{type: {type}, kwargs: {{{kwargs}}}}}"
    return f"{{type: custom, engine: greatExpectations, severity: {severity}, {body}}}"


def people(root: Path, *rules: str) -> Settings:
    return settings_of(
        root / "mesh", {"people": {**contract("people.persons", quality=rules), **sql("persons", PEOPLE)}}
    )


LOOK_AROUND = rule("expect_column_values_to_match_regex", "column: region, regex: '^(?=[a-z])north$|south'")


def test_a_rule_that_gx_decides_publishes_and_says_who_decided(tmp_path: Path) -> None:
    settings = people(tmp_path, LOOK_AROUND)
    assert validate(settings) == ()
    assert refresh(settings)["people.persons"].state == "published"
    key = dg.AssetCheckKey(dg.AssetKey(["people", "persons"]), "match_regex__region")
    with open_instance(settings) as instance:
        (found,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=5)
    evaluation = found.event.dagster_event.asset_check_evaluation_data  # type: ignore[union-attr]
    assert evaluation.metadata["mesh/engine"].value == "great_expectations"
    assert evaluation.passed


def test_a_rule_that_gx_finds_unmet_stops_the_publication(tmp_path: Path) -> None:
    settings = people(tmp_path, LOOK_AROUND.replace("north", "nowhere"))
    outcome = refresh(settings)["people.persons"]
    assert outcome.state == "failed"
    assert "match_regex__region" in outcome.told


def test_arguments_that_gx_refuses_are_found_before_anything_runs(tmp_path: Path) -> None:
    settings = people(tmp_path, rule("expect_column_value_z_scores_to_be_less_than", "column: person_id"))
    findings = validate(settings)
    assert {finding.where for finding in findings} == {
        "domains/people/contracts/persons.odcs.yaml: value_z_scores_less_than__person_id"
    }
    assert {finding.what for finding in findings} == {
        "GX refuses 'threshold': field required",
        "GX refuses 'double_sided': field required",
    }


def test_a_rule_that_nobody_can_judge_stops_the_publication_and_says_why(tmp_path: Path) -> None:
    settings = people(tmp_path, rule("expect_column_values_to_match_json_schema", "column: region, json_schema: {}"))
    outcome = refresh(settings)["people.persons"]
    assert outcome.state == "failed"
    assert "match_json_schema__region (" in outcome.told
