"""The commands as a person runs them: output, JSON, exit codes, and what they do not import."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mesh_defs.settings import Settings
from tests.meshes import settings_of, two_domains


def mesh(settings: Settings, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "mesh_defs.cli.main", *command],
        env={**inherited, "MESH_ROOT": str(settings.root), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_products_lists_what_each_product_is_and_how_it_is(shared_mesh: Settings) -> None:
    done = mesh(shared_mesh, "products", "--json")
    assert done.returncode == 0, done.stderr
    row = next(each for each in json.loads(done.stdout) if each["name"] == "people.persons")
    assert row["checks"] == {"promised": 3, "passed": 3, "failed": 0}
    told = {key: row[key] for key in ("domain", "owner", "granularity", "storage", "rows", "freshness")}
    assert told == {
        "domain": "people",
        "owner": "testers",
        "granularity": "audience",
        "storage": "duckdb",
        "rows": 10,
        "freshness": "fresh",
    }
    assert row["version"]


def test_products_of_one_domain_as_a_table(shared_mesh: Settings) -> None:
    done = mesh(shared_mesh, "products", "--domain", "shop")
    assert "shop.regions" in done.stdout
    assert "people.persons" not in done.stdout


def test_show_tells_columns_and_checks(shared_mesh: Settings) -> None:
    page = json.loads(mesh(shared_mesh, "show", "shop.regions", "--json").stdout)
    assert [column["name"] for column in page["columns"]] == ["region", "persons"]
    assert page["inputs"] == ["people.persons"]
    assert all(check["passed"] for check in page["check_list"])


def test_lineage_follows_both_ways(shared_mesh: Settings) -> None:
    tree = json.loads(mesh(shared_mesh, "lineage", "people.persons", "--json").stdout)
    assert [node["name"] for node in tree["downstream"]] == ["shop.regions"]
    assert "└─ people.persons" in mesh(shared_mesh, "lineage", "shop.regions").stdout


def test_query_prints_rows_and_their_movement(shared_mesh: Settings) -> None:
    done = mesh(shared_mesh, "query", "SELECT * FROM shop.regions", MESH_PRINCIPAL="ada", MESH_PURPOSE="measurement")
    assert done.returncode == 0, done.stderr
    assert "north" in done.stdout
    assert "crossed to you 2 rows" in done.stderr


@pytest.mark.parametrize("form", ["csv", "json", "parquet", "table"])
def test_query_writes_every_format(shared_mesh: Settings, tmp_path: Path, form: str) -> None:
    out = tmp_path / f"answer.{form}"
    done = mesh(
        shared_mesh,
        *("query", "SELECT region, persons FROM shop.regions ORDER BY region"),
        *("--as", "ada", "--purpose", "measurement", "--format", form, "--out", str(out)),
    )
    assert done.returncode == 0, done.stderr
    if form == "csv":
        assert out.read_text().splitlines() == ["region,persons", "north,5", "south,5"]
    elif form == "json":
        assert json.loads(out.read_text())["rows"][0] == {"region": "north", "persons": 5}
    elif form == "parquet":
        import pyarrow.parquet as pq

        assert pq.read_table(out).to_pylist()[1] == {"region": "south", "persons": 5}
    else:
        assert "north" in out.read_text()


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        (("query", "SELECT * FROM shop.regions"), 2, "--as NAME"),
        (
            ("query", "SELECT * FROM shop.region", "--as", "ada", "--purpose", "measurement"),
            1,
            "not found or not permitted",
        ),
        (("query", "DROP TABLE x", "--as", "ada"), 1, "SELECT"),
        (("query", "SELECT 1 AS a", "--as", "service:people"), 1, "a pipeline's identity"),
        (("show", "shop.region"), 1, "did you mean 'shop.regions'?"),
        (("lineage", "nothing"), 1, "no product"),
        (("prodcuts",), 2, "did you mean 'products'?"),
        (("products", "--domain", "ship"), 1, "did you mean 'shop'?"),
        (("refresh", "--in-process", "--resume"), 2, "leave out the other options"),
        (("refresh", "--in-process", "--select", "shop.region"), 1, "did you mean 'shop.regions'?"),
        (("query", "SELECT 1 AS a", "--as", "ada", "--format", "parquet"), 2, "--out"),
        (("new", "domain", "Shop"), 2, "lower case"),
        (("new", "domain", "shop"), 2, "exists already"),
        (("new", "product", "ship.x"), 1, "mesh new domain ship"),
        (("new", "product", "shop"), 2, "domain.product"),
    ],
)
def test_says_what_is_wrong_and_exits_with_its_code(
    shared_mesh: Settings, command: tuple[str, ...], code: int, told: str
) -> None:
    done = mesh(shared_mesh, *command)
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_outside_a_mesh_it_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mesh_defs.cli.main", "products"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("MESH_")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "no mesh.yaml" in done.stderr


@pytest.mark.parametrize("command", [("products",), ("show", "shop.regions"), ("lineage", "shop.regions")])
def test_reading_the_catalog_imports_no_dagster_and_no_engine(shared_mesh: Settings, command: tuple[str, ...]) -> None:
    heavy = ("dagster", "sqlalchemy", "pandas", "pyarrow", "great_expectations", "sqlglot")
    code = (
        "import sys\nfrom mesh_defs.cli.main import mesh\n"
        f"mesh.main({list(command)!r}, standalone_mode=False)\n"
        f"sys.exit(', '.join(name for name in {heavy!r} if name in sys.modules) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "MESH_ROOT": str(shared_mesh.root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_query_imports_no_dagster(shared_mesh: Settings) -> None:
    code = (
        "import sys\nfrom mesh_defs.cli.main import mesh\n"
        "mesh.main(['query', 'SELECT 1 AS one', '--as', 'ada'], standalone_mode=False)\n"
        "sys.exit('dagster' in sys.modules)"
    )
    environment = {**os.environ, "MESH_ROOT": str(shared_mesh.root)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


def test_validate_finds_everything_at_once_and_exits_1(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains())
    assert mesh(settings, "validate").returncode == 0
    shop = settings.root / "domains/shop"
    (shop / "products/regions.sql").write_text("SELECT region, count(*) AS persons FROM people.person GROUP BY region")
    (settings.root / "domains/extra").mkdir()
    (settings.root / "domains/extra/domain.yaml").write_text("format: 1\n")
    done = mesh(settings, "validate")
    assert done.returncode == 1
    assert "did you mean 'people.persons'?" in done.stdout
    assert "domains/extra is no code location" in done.stdout


def test_validate_finds_a_missing_grant_a_hoard_and_a_cycle(tmp_path: Path) -> None:
    from tests.meshes import PERSON, derived, sql

    hoard = {**derived("shop.copy"), **sql("copy", "SELECT * FROM people.persons")}
    one = {**derived("people.loop", columns=(PERSON,)), **sql("loop", "SELECT person_id FROM shop.loop")}
    two = {**derived("shop.loop", columns=(PERSON,)), **sql("loop", "SELECT person_id FROM people.loop")}
    settings = settings_of(tmp_path / "mesh", two_domains(people=one, shop={**hoard, **two}))
    told = mesh(settings, "validate").stdout
    assert "republishes region of people.persons" in told
    assert "a cycle: " in told
    assert "service:people may not read shop.loop: no grant" in told


def test_a_new_domain_and_product_load_and_materialize_at_once(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains())
    assert mesh(settings, "new", "domain", "loyalty").returncode == 0
    for granularity in ("event", "audience", "creative", "aggregate"):
        done = mesh(settings, "new", "product", f"loyalty.{granularity}s", "--granularity", granularity)
        assert done.returncode == 0, done.stderr
    validated = mesh(settings, "validate")
    assert validated.returncode == 0, validated.stdout
    done = mesh(settings, "refresh", "--in-process", "--select", "loyalty", "--json")
    assert done.returncode == 0, done.stderr
    assert [each["state"] for each in json.loads(done.stdout)] == ["published"] * 4


def test_diff_names_breaking_changes_and_the_version_they_demand(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains())
    old = settings.root / "domains/people/contracts/persons.odcs.yaml"
    new = tmp_path / "new.odcs.yaml"
    new.write_text("".join(line for line in old.open() if "name: region" not in line))
    done = mesh(settings, "diff", str(old), str(new), "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["demanded_version"] == "2.0.0"
    assert "column region removed" in [change["what"] for change in told["changes"] if change["breaking"]]


def test_doctor_looks_at_this_machine(shared_mesh: Settings) -> None:
    done = mesh(shared_mesh, "doctor", "--json")
    assert done.returncode == 0, done.stdout
    assert {each["name"] for each in json.loads(done.stdout)} >= {"python", "duckdb", "catalog", "ledger"}


def test_doctor_names_what_is_damaged(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains())
    settings.snapshot_file.parent.mkdir(parents=True)
    settings.snapshot_file.write_text("{")
    done = mesh(settings, "doctor")
    assert done.returncode == 1
    assert "snapshot is damaged" in done.stdout


def test_completion_speaks_to_the_shell(shared_mesh: Settings) -> None:
    assert "_MESH_COMPLETE" in mesh(shared_mesh, "completion", "bash").stdout


def test_validate_binds_each_select_to_its_inputs(tmp_path: Path) -> None:
    domains = two_domains()
    domains["shop"]["products/regions.sql"] = "SELECT regio, count(*) AS persons FROM people.persons GROUP BY 1"
    settings = settings_of(tmp_path / "mesh", domains)
    assert 'column "regio" not found' in mesh(settings, "validate").stdout
    (settings.root / "domains/shop/products/regions.sql").write_text("SELECT region FROM people.persons GROUP BY 1")
    assert "does not yield the promised persons" in mesh(settings, "validate").stdout


def test_an_unpublished_change_of_a_contract_changes_no_readers_query(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains())
    assert mesh(settings, "refresh", "--in-process").returncode == 0
    contract = settings.root / "domains/people/contracts/persons.odcs.yaml"
    contract.write_text(contract.read_text().replace("name: region,", "name: area,"))
    done = mesh(settings, "query", "SELECT region FROM people.persons", "--as", "ada", "--purpose", "measurement")
    assert done.returncode == 0, done.stderr
