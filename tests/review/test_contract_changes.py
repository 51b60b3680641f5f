"""Contracts, what breaks downstream, and findings that are new."""

import re

import pytest

from mesh_defs.review.breaks import Break
from mesh_defs.review.contracts import ProductChange
from mesh_defs.review.plan import Plan
from tests.meshes import contract, python, sql
from tests.review.repository import (
    COLUMNS,
    GRANTS,
    PEOPLE,
    PERSONS,
    REGIONS,
    SHOP,
    Repository,
)

PERSONS_COLUMN = "      - {name: persons, logicalType: integer, required: true}\n"
EMAIL = "      - {name: email, logicalType: string, classification: restricted}\n"


def without_email(mesh: Repository) -> None:
    mesh.change(PERSONS, (EMAIL, ""))
    mesh.put(GRANTS, re.sub(r"email: \S+, ", "", (mesh.root / GRANTS).read_text()))


def region_as(mesh: Repository, name: str) -> None:
    mesh.change(PERSONS, ("name: region", f"name: {name}"))
    text = (mesh.root / GRANTS).read_text().replace("principal.region", "principal.REGION")
    mesh.put(GRANTS, text.replace("region", name).replace("REGION", "region"))


def product(plan: Plan, name: str) -> ProductChange:
    return next(each for each in plan.products if each.product == name)


def told(plan: Plan) -> set[tuple[str, str, bool]]:
    return {(each.consumer, each.what, each.sure) for each in plan.breaks}


def of(plan: Plan, consumer: str) -> list[Break]:
    return [each for each in plan.breaks if each.consumer == consumer]


def test_a_column_that_is_gone_is_breaking_and_demands_a_major_version(mesh: Repository) -> None:
    without_email(mesh)
    change = product(mesh.plan(), "people.persons")
    assert [(each.breaking, each.what) for each in change.changes] == [(True, "column email removed")]
    assert (change.demanded, change.enough) == ("2.0.0", False)
    mesh.change(PERSONS, ("version: 1.0.0", "version: 2.0.0"))
    assert product(mesh.plan(), "people.persons").enough


def test_a_column_that_is_added_breaks_nothing(mesh: Repository) -> None:
    mesh.change(PERSONS, (EMAIL, EMAIL + "      - {name: phone, logicalType: string, classification: restricted}\n"))
    change = product(mesh.plan(), "people.persons")
    assert (change.breaking, change.demanded) == (False, "1.1.0")


def test_nobody_needs_to_agree_to_a_description(mesh: Repository) -> None:
    mesh.change(PERSONS, ("One row is one persons.", "One row is one person."), ("version: 1.0.0", "version: 1.0.1"))
    plan = mesh.plan()
    assert [(each.level, each.what) for each in plan.products[0].changes] == [("patch", "description changed")]
    assert plan.to_approve == ()
    assert mesh.text().startswith("Nothing to approve.\n")


def test_a_product_that_is_gone_breaks_whoever_reads_it(mesh: Repository) -> None:
    for file in (PERSONS, GRANTS, f"{PEOPLE}products/persons.sql"):
        (mesh.root / file).unlink()
    plan = mesh.plan()
    assert (product(plan, "people.persons").kind, product(plan, "people.persons").after) == ("removed", None)
    assert told(plan) == {
        ("shop.regions", "people.persons is gone", True),
        ("shop.sample", "people.persons is gone", True),
        ("shop", "people.persons no longer fits what is expected of it (any of it): no domain offers it", True),
    }
    assert of(plan, "shop.regions")[0].further == ("shop.top",)
    assert "1 product removed" in plan.to_approve


def test_a_product_by_another_name_is_recognised(mesh: Repository) -> None:
    text = (mesh.root / PERSONS).read_text()
    (mesh.root / PERSONS).unlink()
    renamed = text.replace("dataProduct: persons", "dataProduct: people").replace("- name: persons", "- name: people")
    mesh.put(f"{PEOPLE}contracts/people.odcs.yaml", renamed)
    plan = mesh.plan()
    assert product(plan, "people.persons").hint == "perhaps it became people.people"
    assert product(plan, "people.people").kind == "added"


def test_a_domain_that_is_gone_takes_its_products(mesh: Repository) -> None:
    text = (mesh.root / "workspace.yaml").read_text().splitlines(keepends=True)
    mesh.put("workspace.yaml", "".join(line for line in text if "shop" not in line))
    assert {each.product for each in mesh.plan().products if each.kind == "removed"} == {
        "shop.regions",
        "shop.sample",
        "shop.top",
    }


def test_a_contract_that_cannot_be_read_is_not_called_removed(mesh: Repository) -> None:
    mesh.change(PERSONS, ("status: active", "status: activ"))
    plan = mesh.plan()
    change = product(plan, "people.persons")
    assert change.kind == "unreadable"
    assert "status" in change.hint
    assert plan.unread_now


def test_columns_break_by_name(mesh: Repository) -> None:
    region_as(mesh, "area")
    plan = mesh.plan()
    [regions] = of(plan, "shop.regions")
    assert (regions.needs, regions.columns, regions.outputs) == ("people.persons", ("region",), ("region",))
    assert regions.what == "people.persons.region is gone, perhaps renamed to area"
    [sample] = of(plan, "shop.sample")
    assert not sample.sure
    assert of(plan, "shop")[0].what.endswith("(known_region): there is no column 'region'")
    assert of(plan, "shop.top") == []


def test_a_column_that_nobody_reads_breaks_no_select(mesh: Repository) -> None:
    without_email(mesh)
    assert {each.consumer for each in mesh.plan().breaks} == {"shop.sample"}  # of Python nobody can tell


def test_a_column_that_only_filters_is_read_as_well(mesh: Repository) -> None:
    mesh.put(f"{SHOP}products/regions.sql", REGIONS.replace("GROUP", "WHERE email IS NOT NULL GROUP"))
    mesh.commit()
    without_email(mesh)
    [regions] = of(mesh.plan(), "shop.regions")
    assert (regions.columns, regions.outputs) == (("email",), ())


@pytest.mark.parametrize("email", ["p.email", "email AS region", "max(p.email) AS region", "concat(p.region, p.email)"])
def test_a_column_is_read_however_it_is_named(mesh: Repository, email: str) -> None:
    mesh.put(
        f"{SHOP}products/top.sql", f"SELECT p.region AS region, {email} AS more FROM people.persons AS p GROUP BY ALL"
    )
    if " AS region" in email:
        mesh.put(f"{SHOP}products/top.sql", f"SELECT {email} FROM people.persons AS p")
    mesh.commit()
    without_email(mesh)
    assert [each.columns for each in of(mesh.plan(), "shop.top")] == [("email",)]


def test_a_consumer_that_was_mended_along_is_not_broken(mesh: Repository) -> None:
    region_as(mesh, "area")
    mesh.change(
        f"{SHOP}products/regions.sql", ("SELECT region", "SELECT area AS region"), ("GROUP BY region", "GROUP BY area")
    )
    plan = mesh.plan()
    assert of(plan, "shop.regions") == []
    assert product(plan, "shop.regions").made == "computed otherwise (domains/shop/products/regions.sql)"


def test_a_star_does_without_a_column_that_is_not_promised(mesh: Repository) -> None:
    mesh.put(f"{SHOP}products/top.sql", "SELECT * FROM shop.regions")
    mesh.commit()
    mesh.change(f"{SHOP}contracts/regions.odcs.yaml", (PERSONS_COLUMN, ""))
    assert of(mesh.plan(), "shop.top") == []
    mesh.change(f"{SHOP}contracts/top.odcs.yaml", ("    properties:\n", f"    properties:\n{PERSONS_COLUMN}"))
    assert [each.columns for each in of(mesh.plan(), "shop.top")] == [("persons",)]


def test_another_type_is_told(mesh: Repository) -> None:
    mesh.change(PERSONS, ("{name: region, logicalType: string", "{name: region, logicalType: date"))
    assert ("shop.regions", "people.persons.region was VARCHAR and becomes DATE", True) in told(mesh.plan())


def test_a_pipeline_that_loses_its_grant_or_sees_less(mesh: Repository) -> None:
    mesh.change(f"{SHOP}products/regions.sql", ("region, count(*)", "region, count(email)"))
    mesh.change("mesh.yaml", ("unless: [delivery]", "unless: [delivery, measurement]"))
    mesh.commit()
    mesh.change("mesh.yaml", ("unless: [delivery, measurement]", "unless: [delivery]"))
    assert told(mesh.plan()) == {
        ("shop.regions", "people.persons shows service:shop email empty", True),
        ("shop.sample", "people.persons shows service:shop email empty", False),
    }
    mesh.change(GRANTS, ('  - {id: shop, principals: ["service:shop"], purposes: [measurement]}\n', ""))
    what = "people.persons may no longer be read by service:shop for measurement: no grant"
    assert {each for each in told(mesh.plan()) if "may no longer" in each[1]} == {
        ("shop.regions", what, True),
        ("shop.sample", what, True),
    }


def test_expectations_on_another_type_no_longer_hold(mesh: Repository) -> None:
    rule = "{name: short, type: expect_column_value_lengths_to_be_between, kwargs: {column: region, max_value: 9}}"
    expects = f"{SHOP}expects/persons.expects.yaml"
    mesh.put(expects, (mesh.root / expects).read_text() + f"  - {rule}\n")
    mesh.commit()
    mesh.change(PERSONS, ("{name: region, logicalType: string", "{name: region, logicalType: integer"))
    assert any("(short)" in each.what for each in of(mesh.plan(), "shop"))


def test_python_is_read_and_never_run(mesh: Repository) -> None:
    body = 'import sys\nsys.exit("ran")\n\n\n@product("people.persons", "shop.regions")\ndef sample(a, b):\n    ...\n'
    mesh.put(f"{SHOP}products/sample.py", f"from mesh_defs import data_product as product\n{body}")
    assert product(mesh.plan(), "shop.sample").made == (
        "computed otherwise (domains/shop/products/sample.py); reads shop.regions as well"
    )


@pytest.mark.parametrize("text", ["def (", "\x00", "@data_product(*NAMES)\ndef sample(): ...\n", "x = " + "(" * 5000])
def test_python_that_cannot_be_read_stops_nothing(mesh: Repository, text: str) -> None:
    mesh.put(f"{SHOP}products/sample.py", text)
    assert mesh.plan().base.name == "main"


def test_new_findings_only(mesh: Repository) -> None:
    mesh.put(f"{SHOP}products/top.sql", "SELECT region FROM people.person")
    plan = mesh.plan()
    found = [each.what for each in plan.findings]
    assert "shop.top reads people.person, which no domain offers" in found
    assert not any("no description" in what for what in found)  # as it was before
    mesh.commit()
    mesh.put(f"{SHOP}products/top.sql", "\n-- further down\nSELECT region FROM people.person")
    assert mesh.plan("HEAD").findings == ()


def test_a_new_product_owes_what_all_do(mesh: Repository) -> None:
    for path, text in {**contract("shop.copy", columns=COLUMNS), **sql("copy", "SELECT * FROM people.persons")}.items():
        mesh.put(f"{SHOP}{path}", text)
    found = [each.what for each in mesh.plan().findings]
    assert any("republishes" in what or "grain" in what for what in found)
    assert any("no description of" in what for what in found)
    assert any("service:shop may not read people.persons: granted only for measurement" in what for what in found)


def test_what_nothing_makes_is_found(mesh: Repository) -> None:
    mesh.put(
        f"{SHOP}products/sample.py", next(iter(python("other", "@data_product()\ndef other():\n    ...").values()))
    )
    assert {each.what for each in mesh.plan().findings} == {"nothing makes shop.sample", "shop.other has no contract"}


def test_a_column_that_is_made_of_a_more_sensitive_one(mesh: Repository) -> None:
    """Its contract does not change, and nobody's grant does; but masks go by what the column says that it is."""
    mesh.change(f"{SHOP}products/regions.sql", ("SELECT region", "SELECT email AS region"), ("BY region", "BY email"))
    plan = mesh.plan()
    assert plan.exposed == ("shop.regions.region (internal) is made of people.persons.email (restricted)",)
    assert "1 column made of more sensitive ones" in plan.to_approve
    mesh.commit()
    assert mesh.plan().is_empty


def test_a_count_exposes_nothing_in_an_aggregate_but_a_value_per_person_does(mesh: Repository) -> None:
    mesh.change(f"{SHOP}products/regions.sql", ("count(*)", "count(email)"))
    assert mesh.plan().exposed == ()
    mesh.change(f"{SHOP}contracts/regions.odcs.yaml", ("value: aggregate", "value: creative"))
    mesh.put(
        f"{SHOP}contracts/regions.odcs.yaml", creative((mesh.root / SHOP / "contracts/regions.odcs.yaml").read_text())
    )
    assert mesh.plan().exposed == ("shop.regions.persons (internal) is made of people.persons.email (restricted)",)


def creative(text: str) -> str:
    mark = "required: true, customProperties: [{property: identifies, value: creative_file}]}"
    return text.replace("logicalType: string, required: true}", f"logicalType: string, {mark}")
