"""Tokens of a whole mesh: they join across domains, nobody meets them unasked, and the key lies in one file alone."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from mesh_defs.authoring.validate import validate
from mesh_defs.catalog.describe import product_page
from mesh_defs.documents.workspace import read_workspace
from mesh_defs.model.version import Version
from mesh_defs.processes.apart import dagster_environment, loading_environment, location_environment
from mesh_defs.query.mesh import open_mesh, open_storage
from mesh_defs.query.platform import open_platform
from mesh_defs.query.why import Question, why
from mesh_defs.refresh.instance import open_instance
from mesh_defs.settings import Settings, load_settings
from mesh_defs.upkeep.erase import erase
from mesh_defs.upkeep.release import release
from tests.authoring.test_publish import NO_WEST, change
from tests.factories import NOW
from tests.held import custody
from tests.meshes import DAY, TO_ADA, contract, derived, grants, python, refresh, rows, settings_of, sql

KINDS = "identifiers: {email: Lower case., person: As it is.}\n"
PERSON = (
    "{name: person_id, logicalType: integer, primaryKey: true,"
    " customProperties: [{property: identifies, value: person}, {property: token, value: person}]}"
)
EMAIL = "{name: email, logicalType: string, customProperties: [{property: token, value: email}]}"
REGION = "{name: region, logicalType: string}"
COLUMNS = (PERSON, EMAIL, REGION)
PEOPLE = (
    "SELECT n AS person_id, 'm' || n || '@mail.example' AS email, ['north', 'south'][1 + n % 2] AS region"
    " FROM range(1, 11) r(n)"
)
CARDS = "SELECT n + 100 AS person_id, 'm' || n || '@mail.example' AS email, 'x' AS region FROM range(8, 13) r(n)"


def people(select: str = PEOPLE, *, columns: tuple[str, ...] = COLUMNS, **more: Any) -> dict[str, str]:
    return {**contract("people.persons", columns=columns, **more), **sql("persons", select)}


def mesh_of(tmp_path: Path, **domains: dict[str, str]) -> Settings:
    settings = settings_of(tmp_path / "mesh", domains)
    file = settings.root / "mesh.yaml"
    file.write_text(file.read_text() + KINDS)
    return settings


def made(settings: Settings, *selections: str) -> None:
    outcomes = refresh(settings, *selections)
    assert {each.state for each in outcomes.values()} == {"published"}, outcomes


def version_of(settings: Settings, name: str = "people.persons") -> Version:
    current = open_storage(open_mesh(settings).products[name], settings).current()
    assert current
    return current


def tokens(settings: Settings, name: str = "people.persons", column: str = "email") -> dict[Any, Any]:
    """Value -> token, as they lie in the product's storage."""
    storage, version = open_storage(open_mesh(settings).products[name], settings), version_of(settings, name)
    with duckdb.connect() as connection:
        relation = storage.relation(connection, version.parts, whole=True)
        query = f"SELECT {column}, {version.token_columns[column]} FROM {relation}"
        return dict(connection.execute(query).fetchall())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Two domains that know persons by their mail, and know nothing of one another."""
    shop = {**contract("shop.cards", columns=COLUMNS, storage="duckdb"), **sql("cards", CARDS)}
    return mesh_of(tmp_path, people={**people(), **grants("people.persons", TO_ADA)}, shop=shop)


def test_one_value_has_one_token_in_every_domain_and_another_as_another_kind(settings: Settings) -> None:
    made(settings)
    ours, theirs = tokens(settings), tokens(settings, "shop.cards")
    assert {mail for mail in ours if mail in theirs} == {f"m{n}@mail.example" for n in (8, 9, 10)}
    assert all(ours[mail] == theirs[mail] for mail in ours if mail in theirs)
    assert len({*ours.values(), *theirs.values(), *tokens(settings, column="person_id").values()}) == 12 + 10
    assert version_of(settings).tokens == {**version_of(settings, "shop.cards").tokens}


def test_the_key_is_in_its_secrets_file_and_nowhere_else(settings: Settings) -> None:
    made(settings)
    change(settings, sql("persons", f"{PEOPLE} UNION ALL SELECT 11, error('no'), ''"))
    assert refresh(settings, "people.persons")["people.persons"].state == "failed"
    file = settings.secrets / "tokens.env"
    keys = [line.partition("=")[2] for line in file.read_text().splitlines()]
    assert len(keys) == 2
    forms = [form for key in keys for form in (key.encode(), key.upper().encode(), bytes.fromhex(key))]
    looked = [each for each in settings.root.rglob("*") if each.is_file() and each != file]
    assert {"manifest.json", "snapshot.json"} <= {each.name for each in looked}
    assert [each for each in looked if each.suffix == ".db"], "Dagster's own records must have been looked at"
    assert [str(each) for each in looked if any(form in each.read_bytes() for form in forms)] == []


def test_nobody_meets_a_token_who_does_not_ask_for_one(settings: Settings) -> None:
    made(settings)
    answer = rows(settings, "SELECT * FROM people.persons ORDER BY person_id LIMIT 1")
    assert answer == [(1, "m1@mail.example", "south")]
    mesh = open_mesh(settings)
    page = product_page(mesh, settings, "people.persons")
    assert page["tokens"] == ["person_id (person)", "email (email)"]
    told = json.dumps([page, settings.snapshot_file.read_text()], default=str)
    assert "__token" not in told
    with open_instance(settings) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["people", "persons"]))
        assert event
        assert "__token" not in str(event)
    version = version_of(settings)
    assert list(version.columns) == ["person_id", "email", "region"]
    assert "__token" not in json.dumps(dict(version.stamp))


def test_a_step_of_the_own_domain_reads_no_token(tmp_path: Path) -> None:
    body = (
        "@data_product('people.persons')\n"
        "def copy(persons):\n"
        "    assert '__token' not in ' '.join(persons.columns), persons.columns\n"
        "    return persons"
    )
    own = {**contract("people.copy", columns=(PERSON, REGION), custom=("{property: grain, value: [person_id]}",))}
    settings = mesh_of(tmp_path, people={**people(), **own, **python("copy", body)})
    made(settings)
    assert version_of(settings, "people.copy").tokens.keys() == {"person_id"}
    assert tokens(settings, "people.copy", "person_id") == tokens(settings, column="person_id")


def test_another_key_makes_other_tokens_and_other_data(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    made(settings)
    before, first = tokens(settings), version_of(settings)
    monkeypatch.setenv("MESH_TOKENS_EMAIL", "ab" * 32)
    made(settings, "people.persons")
    after, second = tokens(settings), version_of(settings)
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())
    assert first.tokens["email"] != second.tokens["email"]
    assert first.tokens["person_id"] == second.tokens["person_id"]


@pytest.mark.parametrize("key", ["", "secret", "ab" * 31])
def test_without_a_key_nothing_is_published_and_the_mend_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("MESH_ENV", "production")
    monkeypatch.setenv("MESH_TOKENS_EMAIL", key)
    monkeypatch.setenv("MESH_ROOT", str(tmp_path / "mesh"))
    files = people(columns=(EMAIL, REGION), granularity="aggregate")
    settings = mesh_of(
        tmp_path,
        people={name: text.replace("environment: local", "environment: production") for name, text in files.items()},
    )
    settings = load_settings()
    outcome = refresh(settings)["people.persons"]
    assert outcome.state == "failed"
    assert "set MESH_TOKENS_EMAIL" in outcome.told
    assert not key or key not in outcome.told
    assert not list(settings.home.rglob("*.parquet"))
    assert not settings.secrets.exists()


def test_a_version_from_before_the_token_has_none(tmp_path: Path) -> None:
    plain = "{name: email, logicalType: string}"
    settings = mesh_of(
        tmp_path, people=people(columns=(PERSON.replace("property: token", "property: x"), plain, REGION))
    )
    made(settings)
    assert version_of(settings).tokens == {}
    change(settings, people())
    [finding] = validate(settings)
    assert (finding.what.count("has a token of"), finding.fix) == (2, "write `version: 1.1.0`")
    change(settings, people(version="1.1.0"))
    made(settings)
    assert version_of(settings).tokens.keys() == {"email", "person_id"}
    change(settings, people(columns=(PERSON, plain, REGION), version="1.2.0"))
    outcome = refresh(settings)["people.persons"]
    assert "column email has no token, before a token of email" in outcome.told


def test_partitions_get_their_tokens_one_by_one(tmp_path: Path) -> None:
    cut = "{{property: partitions, value: {{start: 2026-10-01, end: 2026-10-03}}}}".format()
    select = "SELECT n AS person_id, 'm' || n AS email, $window_start AS day FROM range(1, 4) r(n)"
    columns = (PERSON.replace("primaryKey: true", "required: true"), EMAIL, DAY)
    files = {**contract("people.days", columns=columns, custom=(cut,)), **sql("days", select)}
    settings = mesh_of(tmp_path, people=files)
    made(settings)
    version = version_of(settings, "people.days")
    assert len(version.parts) == 2
    assert version.tokens.keys() == {"email", "person_id"}
    assert len(tokens(settings, "people.days")) == 3


def test_rows_that_stay_and_rows_that_come_back_have_their_tokens(tmp_path: Path) -> None:
    cap = ("{property: quarantineFractionMax, value: 0.5}",)
    bad = f"{PEOPLE} UNION ALL SELECT 11, 'm11@mail.example', 'west'"
    settings = mesh_of(tmp_path, people=people(bad, quality=(NO_WEST,), custom=cap))
    made(settings)
    before = tokens(settings)
    assert len(before) == 10
    storage = open_storage(open_mesh(settings).products["people.persons"], settings)
    [refused] = storage.refused()
    with duckdb.connect() as connection:
        relation = storage.refused_relation(connection, refused)
        found = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()]
        assert found == ["person_id", "email", "region", "quarantine_reasons"]
    change(settings, people(bad, custom=cap, version="2.0.0"))
    with duckdb.connect() as connection:
        done = release(custody(load_settings({"MESH_ROOT": str(settings.root)}), connection), refused.id)
    assert done.version, done
    after = tokens(settings)
    assert after.keys() - before.keys() == {"m11@mail.example"}
    assert {mail: after[mail] for mail in before} == before
    assert len(set(after.values())) == 11


@pytest.mark.parametrize("storage", ["parquet", "duckdb"])
def test_who_is_erased_goes_with_their_token_and_the_others_keep_theirs(tmp_path: Path, storage: str) -> None:
    settings = mesh_of(tmp_path, people=people(storage=storage))
    made(settings)
    before, mesh = tokens(settings), open_mesh(settings)
    with duckdb.connect() as connection:
        erase("3", mesh, settings, connection=connection, now=NOW)
    after = tokens(settings)
    assert before.keys() - after.keys() == {"m3@mail.example"}
    assert {mail: before[mail] for mail in after} == after


def test_what_may_have_no_token_is_told_by_validate(tmp_path: Path) -> None:
    wrong = EMAIL.replace("value: email", "value: mail")
    settings = mesh_of(
        tmp_path,
        people=people(
            columns=(
                PERSON,
                wrong,
                REGION.replace("string", "date, customProperties: [{property: token, value: email}]"),
            )
        ),
    )
    told = [finding.what for finding in validate(settings)]
    assert told == ["unknown kind 'mail'", "given for DATE"]


def test_each_location_is_given_the_keys_of_its_own_tokens_only(settings: Settings) -> None:
    change(settings, contract("shop.cards", columns=(EMAIL, REGION), granularity="aggregate"), domain="shop")
    snapshot = open_mesh(settings).snapshot
    refresh(settings, "people.persons")
    found = {
        location.name: {
            name for name in location_environment(location, settings, snapshot) if name.startswith("MESH_TOKENS")
        }
        for location in read_workspace(settings.root)
    }
    assert found == {"people": {"MESH_TOKENS_EMAIL", "MESH_TOKENS_PERSON"}, "shop": {"MESH_TOKENS_EMAIL"}}
    for environment in (dagster_environment(settings), loading_environment(settings)):
        assert not [name for name in environment if name.startswith("MESH_TOKENS")]


def test_the_token_of_a_number_is_text_and_told_before_anybody_meets_it(tmp_path: Path) -> None:
    count = "{name: persons, logicalType: integer, required: true}"
    lab = {
        **derived("lab.counts", grain="persons", columns=(count,), granularity="aggregate"),
        **sql("counts", "SELECT sum(person_id) AS persons FROM people.persons"),
    }
    masked = "purposes: [measurement], masks: {person_id: token}}"
    to_both = f"{{id: ada, principals: [ada], {masked}", f"{{id: lab, principals: ['service:lab'], {masked}"
    settings = mesh_of(tmp_path, people={**people(), **grants("people.persons", *to_both)}, lab=lab)
    [finding] = validate(settings)
    assert "sum(VARCHAR)" in finding.what
    made(settings, "people.persons")
    described = dict(row[:2] for row in rows(settings, "DESCRIBE SELECT * FROM people.persons"))
    assert described["person_id"] == "VARCHAR"
    question = Question(principal="ada", product="people.persons", purpose="measurement")
    [told] = why(question, open_platform(settings))
    assert told.shown and told.shown.columns["person_id"].startswith("a token that joins, no value; VARCHAR where its")
