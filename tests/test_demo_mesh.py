"""The four domains of the repository: what they promise, really made, and the partner's rows that nobody gets."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from demo import apart
from demo.examined import identifiers
from demo.other_systems import main as write_other_systems
from demo.room import open_room
from mesh_defs.access.policy_tests import declared, run_tests
from mesh_defs.catalog.describe import product_rows
from mesh_defs.catalog.loader import load_definitions
from mesh_defs.documents.workspace import read_workspace
from mesh_defs.errors import AccessDeniedError, NotFoundError
from mesh_defs.ledger import open_ledger
from mesh_defs.processes.postgres import start, stop
from mesh_defs.processes.provision import provision_mesh
from mesh_defs.query.mesh import open_mesh, open_storage
from mesh_defs.query.platform import open_platform
from mesh_defs.refresh.outcome import WELL
from mesh_defs.settings import Settings, load_settings
from quality_checks import falls_back
from tests.meshes import ask, refresh, rows

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The real domains with a state and a Postgres of their own, made as `make demo` makes them."""
    root = tmp_path_factory.mktemp("demo") / "mesh"
    root.mkdir()
    for name in ("mesh.yaml", "workspace.yaml", "dagster.yaml", "domains"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, root / name)
    settings = load_settings({"MESH_ROOT": str(root)})
    start(settings)
    try:
        provision_mesh(settings, open_mesh(settings))
        settings = load_settings({"MESH_ROOT": str(root)})  # with the secrets that were written meanwhile
        write_other_systems(settings)
        outcomes = refresh(settings)
        assert {name: o.told for name, o in outcomes.items() if o.state not in WELL} == {}
        assert "audiences.retail_lift" not in outcomes  # waits for its room
        open_room(settings)
        assert refresh(settings, "audiences.retail_lift")["audiences.retail_lift"].state == "published"
        yield settings
    finally:
        stop(settings)


def test_offers_at_least_twelve_products_in_four_domains_with_everything_told(demo: Settings) -> None:
    listed = product_rows(open_mesh(demo), demo)
    assert len(listed) >= 12
    assert {row["domain"] for row in listed} == {"creatives", "audiences", "events", "retailer"}
    for row in listed:
        assert row["version"]
        assert row["rows"] > 0
        assert row["checks"]["promised"] == row["checks"]["passed"] + row["checks"]["failed"] > 0
        assert row["freshness"] in ("fresh", "unpromised")


def test_classes_every_granularity_and_both_storages(demo: Settings) -> None:
    listed = product_rows(open_mesh(demo), demo)
    assert {row["granularity"] for row in listed} == {"event", "audience", "creative", "aggregate"}
    assert {row["storage"] for row in listed} == {"parquet", "duckdb", "postgres", "delta", "iceberg"}
    assert any(row["made_with"] == "sql" for row in listed)


def test_three_products_or_more_are_made_across_domains(demo: Settings) -> None:
    crossing = [
        product.name
        for product in open_mesh(demo).products.values()
        if any(not name.startswith(f"{product.contract.domain}.") for name in product.inputs)
    ]
    assert len(crossing) >= 3


def test_the_real_data_is_all_there(demo: Settings) -> None:
    sizes = {row["name"]: row["rows"] for row in product_rows(open_mesh(demo), demo)}
    assert sizes["creatives.works"] == 17_472
    assert sizes["retailer.orders"] == 69_659
    assert 0.55 < sizes["audiences.persons"] / 23_570 < 0.65


def test_nine_in_ten_rules_compile_and_no_step_of_the_demo_needs_gx(demo: Settings) -> None:
    products = open_mesh(demo).products.values()
    rules = [
        (rule, {c.name: c.type for c in product.contract.columns})
        for product in products
        for rule in product.contract.expectations
    ]
    assert len(rules) > 250
    assert [rule.name for rule, types in rules if falls_back(rule, types)] == []


def test_nobody_gets_the_retailers_rows_through_the_ordinary_door(demo: Settings) -> None:
    mesh = open_mesh(demo)
    retailers = [name for name in mesh.products if name.startswith("retailer.")]
    others = [*mesh.standards.people, *(f"service:{domain}" for domain in mesh.domains if domain != "retailer")]
    assert len(retailers) >= 3
    for product in retailers:
        for who in others:
            for purpose in (*mesh.standards.purposes, None):
                with pytest.raises((NotFoundError, AccessDeniedError)):
                    ask(demo, f"SELECT 1 AS one FROM {product}", who=who, purpose=purpose)


def test_the_retailer_keeps_a_storage_root_of_its_own(demo: Settings) -> None:
    mesh = open_mesh(demo)
    roots = {name: demo.storage_root(name, domain.storage) for name, domain in mesh.domains.items()}
    assert not any(roots["retailer"].is_relative_to(roots[name].parent) for name in roots if name != "retailer")
    assert mesh.domains["retailer"].organisation != mesh.standards.organisation


def test_the_rooms_lift_is_chance_as_the_exposure_was(demo: Settings) -> None:
    """Who saw what was drawn without a look at the orders: at 95 % each, one of four intervals may miss zero, not two."""
    told = rows(demo, "SELECT exposed, unexposed, exposed_buyers, lift, lift_low, lift_high FROM audiences.retail_lift")
    assert len(told) == 4
    for exposed, unexposed, buyers, lift, low, high in told:
        assert 500 < exposed < unexposed + exposed < 9_000  # type: ignore[operator]
        assert 50 < buyers < exposed  # type: ignore[operator]
        assert low < lift < high  # type: ignore[operator]
        assert abs(lift) < 0.05  # type: ignore[arg-type]
    assert sum(low <= 0 <= high for *_, low, high in told) >= 3  # type: ignore[operator]


def test_the_rooms_product_has_its_lineage_to_both_sides_and_spends_nothing_when_made_again(demo: Settings) -> None:
    product = open_mesh(demo).products["audiences.retail_lift"]
    assert set(product.inputs) == {"events.exposures", "retailer.orders"}
    before = open_storage(product, demo).current()
    ledger = open_ledger(demo)
    asked = len(ledger.entries(kind="room-asked", limit=None))
    refresh(demo, "audiences.retail_lift")
    after = open_storage(product, demo).current()
    assert before and after
    assert before.data_version == after.data_version
    told = after.stamp["read"]["retailer.orders"]
    assert (told["room"], told["room_version"], len(told["agreement"])) == ("spring", "1", 64)
    assert len(ledger.entries(kind="room-asked", limit=None)) == asked


def test_the_room_in_three_processes_answers_the_same_and_nothing_of_the_rows_crosses(
    demo: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    platform = open_platform(demo)
    known = identifiers(platform)
    played = apart.play(demo, platform)
    for question, answered in played.answers.items():
        alone = subprocess.run(
            [sys.executable, "-m", "mesh_defs.cli.main", "room", "ask", "spring", question],
            env={**os.environ, "MESH_ROOT": str(demo.root)},
            text=True,
            stdout=subprocess.PIPE,
            check=True,
        )
        assert answered.startswith(alone.stdout)
    assert apart.verdict(played, known) == 0
    told = capsys.readouterr().out
    assert "persons under tokens" in told and "FOUND" not in told and "Traceback" not in told
    assert sum(map(len, known.values())) > 100_000
    person = min(known["retailer.orders.person_id"])
    (longest, *others) = sorted(played.streams, key=len, reverse=True)
    planted = longest[:-1_000] + person.encode() + longest[-1_000 + len(person) :]
    assert apart.verdict(replace(played, streams=(planted, *others)), known) == 1
    assert "FOUND: 1 of retailer.orders.person_id as text" in capsys.readouterr().out


def test_without_the_demo_the_room_says_what_to_do_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copyfile(ROOT / "mesh.yaml", tmp_path / "mesh.yaml")
    monkeypatch.setenv("MESH_ROOT", str(tmp_path))
    assert apart.main() == 3
    assert "run `make demo` first" in capsys.readouterr().out


def test_only_persons_who_agreed_to_it_are_in_the_room(demo: Settings) -> None:
    shared = {
        str(who) for (who,) in rows(demo, "SELECT DISTINCT person_id FROM events.exposures", who="service:events")
    }
    agreed = rows(demo, "SELECT person_id FROM audiences.persons WHERE consent_collaboration", who="service:audiences")
    assert shared
    assert shared <= {str(who) for (who,) in agreed}


def test_answers_a_question_across_three_domains(demo: Settings) -> None:
    from demo.__main__ import QUESTION

    answer = ask(demo, QUESTION)
    assert answer.table().num_rows == 8
    assert {read.product.partition(".")[0] for read in answer.movement.products} == {"events", "audiences", "creatives"}


def test_persons_and_events_can_be_joined_by_tokens_and_the_partner_has_none(demo: Settings) -> None:
    mesh = open_mesh(demo)
    own = [name for name, product in mesh.products.items() if not product.contract.external]
    versions = {name: open_storage(mesh.products[name], demo).current() for name in own}
    tokenised = {name: version.tokens for name, version in versions.items() if version and version.tokens}
    assert {name: set(each) for name, each in tokenised.items()} == {
        "audiences.persons": {"person_id", "email"},
        "audiences.engagement": {"person_id"},
        "audiences.consents": {"person_id"},
        "events.impressions": {"person_id"},
        "events.clicks": {"person_id"},
    }
    found = []
    with duckdb.connect() as connection:
        for name in ("audiences.persons", "events.impressions"):
            storage, version = open_storage(mesh.products[name], demo), versions[name]
            assert version
            relation = storage.relation(connection, version.parts, whole=True)
            query = f"SELECT DISTINCT person_id, {version.token_columns['person_id']} FROM {relation}"
            found.append(set(connection.execute(query).fetchall()))
    assert len(found[1]) > 1000
    assert found[1] <= found[0]
    assert len({token for _, token in found[0]}) == len(found[0])


def test_the_ad_servers_input_is_filtered_and_masked_for_it(demo: Settings) -> None:
    """events.impressions is made of audiences.persons as the events may see them, and of nothing more."""
    everybody = rows(demo, "SELECT * FROM audiences.persons", who="service:audiences")
    names = ask(demo, "SELECT * FROM audiences.persons LIMIT 0", who="service:audiences").schema.names
    persons = {str(row["person_id"]): row for row in (dict(zip(names, each, strict=True)) for each in everybody)}
    addresses = {row["email"] for row in persons.values()} | {row["name"] for row in persons.values()}

    query = "SELECT person_id, email, name, consent_delivery FROM audiences.persons"
    seen = rows(demo, query, who="service:events", purpose="delivery")
    assert {str(who) for who, *_ in seen} == {who for who, row in persons.items() if row["consent_delivery"]}
    assert 0 < len(seen) < len(persons)
    assert {name for _, _, name, _ in seen} == {None}
    tokens = {email for _, email, _, _ in seen}
    assert len(tokens) == len(seen)  # one for each address: they join
    assert not tokens & addresses
    assert all(consented for *_, consented in seen)

    shown_to = {
        str(who) for (who,) in rows(demo, "SELECT DISTINCT person_id FROM events.impressions", who="service:events")
    }
    assert shown_to <= {str(who) for who, *_ in seen}
    assert shown_to & {who for who, row in persons.items() if row["consent_measurement"]} == shown_to

    counted = rows(demo, "SELECT bool_and(consent_measurement), count(*) FROM audiences.persons", who="service:events")
    assert counted == [(True, sum(bool(row["consent_measurement"]) for row in persons.values()))]


def test_no_masked_value_of_the_ad_servers_input_can_be_asked_about(demo: Settings) -> None:
    [(email, name)] = rows(
        demo,
        "SELECT email, name FROM audiences.persons WHERE consent_delivery ORDER BY 1 LIMIT 1",
        who="service:audiences",
    )
    for where in (
        f"email = '{email}'",
        f"name = '{name}'",
        "name IS NOT NULL",
        "email LIKE '%@%'",
        "NOT consent_delivery",
    ):
        query = f"SELECT count(*) FROM audiences.persons WHERE {where}"
        assert rows(demo, query, who="service:events", purpose="delivery") == [(0,)]


def test_the_access_files_say_what_their_tests_say(demo: Settings) -> None:
    policy, rules = declared(demo.root)
    outcomes = run_tests((test for each in rules for test in each.tests), policy)
    assert [f"{each.test.name}: {each.wrong}" for each in outcomes if each.wrong] == []
    assert len(outcomes) >= 7


def test_a_rerun_makes_the_same_rows(demo: Settings) -> None:
    def digest(product: str) -> list[tuple[object, ...]]:
        query = f"SELECT count(*), sum(hash(COLUMNS(*))) FROM {product}"
        return rows(demo, query, who=f"service:{product.partition('.')[0]}")

    names = ("events.impressions", "audiences.persons", "creatives.files")
    before = [digest(name) for name in names]
    refresh(demo)
    assert [digest(name) for name in names] == before


def test_dagster_sees_declarations_but_no_data_and_no_rules(demo: Settings) -> None:
    for location in read_workspace(ROOT):
        if not location.is_domain:
            continue
        graph = load_definitions(location).resolve_asset_graph()
        for key in graph.materializable_asset_keys:
            node = graph.get(key)
            assert node.group_name == location.name
            assert node.owners
            assert node.description
            assert node.code_version
            assert {
                "dagster/table_name",
                "dagster/uri",
                "dagster/column_schema",
                "mesh/product",
            } <= node.metadata.keys()
            assert node.tags.get("room") == ("spring" if key.path[-1] == "retail_lift" else None)
            told = json.dumps(node.metadata["mesh/product"].value)
            assert not any(word in told for word in ("grants", "principals", "service:", "analyst"))


def test_column_lineage_crosses_domains(demo: Settings) -> None:
    from mesh_defs.refresh.instance import open_instance

    with open_instance(demo) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["events", "daily_reach"]))
    assert event
    assert event.asset_materialization
    metadata = event.asset_materialization.metadata
    lineage = metadata["dagster/column_lineage"].value.deps_by_column
    assert dg.TableColumnDep(dg.AssetKey(["audiences", "persons"]), "region") in lineage["region"]
    assert metadata["dagster/row_count"].value > 0
    assert set(metadata["mesh/read"].value) == {"events.impressions", "events.clicks", "audiences.persons"}


def test_every_location_loads_in_dagster(demo: Settings) -> None:
    command = [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]


def test_versions_are_kept_for_their_retention(demo: Settings) -> None:
    product = open_mesh(demo).products["events.daily_reach"]
    assert len(open_storage(product, demo).versions()) == 2
