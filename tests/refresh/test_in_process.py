"""A refresh of small meshes: progress, failures that stay where they belong, broken locations."""

from pathlib import Path

from mesh_defs.query.mesh import build_snapshot, open_mesh
from mesh_defs.refresh.in_process import refresh_in_process
from mesh_defs.refresh.instance import open_instance
from tests.meshes import contract, python, refresh, rows, settings_of, sql, two_domains


def test_reports_each_product_when_it_is_done(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains())
    seen: list[str] = []
    refresh_in_process(settings, open_mesh(settings), report=lambda outcome: seen.append(outcome.product))
    assert seen == ["people.persons", "shop.regions"]


def test_what_it_made_is_there_in_dagsters_instance(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains())
    refresh(settings)
    with open_instance(settings) as instance:
        materialized = {".".join(key.path) for key in instance.all_asset_keys()}
        assert materialized == {"people.persons", "shop.regions"}
        assert not instance.telemetry_enabled


def test_a_failure_stops_its_own_downstream_only(tmp_path: Path) -> None:
    people = {**contract("people.other"), **sql("other", "SELECT 1 AS person_id, 'x' AS region")}
    domains = two_domains(people=people)
    domains["people"]["products/persons.sql"] = "SELECT 1 AS person_id"
    outcomes = refresh(settings_of(tmp_path / "mesh", domains))
    states = {name: outcome.state for name, outcome in outcomes.items()}
    assert states == {"people.persons": "failed", "people.other": "published", "shop.regions": "stopped"}


def test_a_location_that_stops_importing_fails_alone_and_its_last_version_is_still_read(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains())
    refresh(settings)
    (settings.root / "domains/people/definitions.py").write_text("import nothing_like_this\n")
    outcomes = refresh(settings)
    assert outcomes["people.persons"].state == "failed"
    assert "does not load" in outcomes["people.persons"].told
    assert rows(settings, "SELECT count(*) FROM people.persons") == [(10,)]
    section = next(each for each in open_mesh(settings).snapshot.sections if each.location == "people")
    assert "nothing_like_this" in str(section.error)


def test_a_location_that_never_imported_harms_no_other(tmp_path: Path) -> None:
    domains = two_domains()
    domains["shop"]["definitions.py"] = "import sys\nsys.exit(3)\n"
    settings = settings_of(tmp_path / "mesh", domains)
    outcomes = refresh(settings)
    assert {name: outcome.state for name, outcome in outcomes.items()} == {"people.persons": "published"}


def test_a_cycle_between_domains_is_named_and_harms_nobody_else(tmp_path: Path) -> None:
    from tests.meshes import PERSON, derived

    one = {**derived("people.loop", columns=(PERSON,)), **sql("loop", "SELECT person_id FROM shop.loop")}
    two = {**derived("shop.loop", columns=(PERSON,)), **sql("loop", "SELECT person_id FROM people.loop")}
    outcomes = refresh(settings_of(tmp_path / "mesh", two_domains(people=one, shop=two)))
    assert "cycle" in outcomes["people.loop"].told
    assert outcomes["shop.regions"].state == "published"


def test_two_groups_of_one_location_run_in_their_order(tmp_path: Path) -> None:
    from tests.meshes import derived

    count = "{name: persons, logicalType: integer, required: true}"
    back = {
        **derived("people.counted", grain="persons", columns=(count,), granularity="aggregate"),
        **sql("counted", "SELECT sum(persons) AS persons FROM shop.regions"),
    }
    domains = two_domains(people=back)
    domains["shop"]["access/regions.access.yaml"] = (
        "format: 1\nproduct: shop.regions\n"
        "grants:\n  - {id: people, principals: ['service:people'], purposes: [measurement]}\n"
    )
    settings = settings_of(tmp_path / "mesh", domains)
    assert {outcome.state for outcome in refresh(settings).values()} == {"published"}
    assert rows(settings, "SELECT persons FROM people.counted", who="service:people") == [(10,)]


def test_a_python_product_may_import_its_neighbour(tmp_path: Path) -> None:
    body = "from .words import GREETING\n\n\n@data_product()\ndef persons():\n    return GREETING"
    files = {
        **contract("people.persons"),
        **python("persons", body),
        "products/words.py": "GREETING = \"SELECT 1 AS person_id, 'hello' AS region\"\n",
    }
    settings = settings_of(tmp_path / "mesh", {"people": files})
    assert refresh(settings)["people.persons"].told == ""
    build_snapshot(settings, everything=True)
