"""A location's own Python: made at need below .interpreters, demanded elsewhere."""

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mesh_defs.authoring.validate import validate
from mesh_defs.catalog.build import build
from mesh_defs.documents.workspace import Location
from mesh_defs.errors import UnreachableError
from mesh_defs.processes.interpreter import interpreter_of, make_interpreter
from mesh_defs.settings import Settings
from tests.meshes import refresh, settings_of, two_domains


def location(executable: Path | None) -> Location:
    return Location(name="shop", file=Path("/x/definitions.py"), executable=executable)


def asked(python: Path, code: str) -> object:
    done = subprocess.run([python, "-c", f"import json; {code}"], capture_output=True, text=True, check=True, cwd="/")
    return json.loads(done.stdout)


def own_interpreter(settings: Settings, name: str, executable: str) -> None:
    file = settings.root / "workspace.yaml"
    told = f"location_name: {name}, executable_path: {json.dumps(executable)}}}"
    file.write_text(file.read_text().replace(f"location_name: {name}}}", told))


def test_the_platforms_where_none_is_named(tmp_path: Path) -> None:
    assert interpreter_of(location(None), tmp_path) == Path(sys.executable)


def test_one_below_interpreters_is_made_and_is_another_than_ours_with_our_packages(tmp_path: Path) -> None:
    wanted = tmp_path / ".interpreters" / "shop" / "bin" / "python"
    assert interpreter_of(location(wanted), tmp_path) == wanted
    prefix, dagster, platform = asked(
        wanted, "import sys, dagster, mesh_defs; print(json.dumps([sys.prefix, dagster.__file__, mesh_defs.__file__]))"
    )  # type: ignore[misc]
    assert prefix == str(tmp_path / ".interpreters" / "shop")
    assert (dagster, platform) == (sys.modules["dagster"].__file__, sys.modules["mesh_defs"].__file__)


def test_its_own_packages_go_before_the_platforms(tmp_path: Path) -> None:
    wanted = tmp_path / ".interpreters" / "shop" / "bin" / "python"
    interpreter_of(location(wanted), tmp_path)
    (packages,) = wanted.parents[1].glob("lib/python*/site-packages")
    (packages / "yaml.py").write_text("mine = True\n")
    assert asked(wanted, "import yaml; print(json.dumps(yaml.mine))") is True
    interpreter_of(location(wanted), tmp_path)
    assert (packages / "yaml.py").exists(), "it is not made again while it works"


def test_one_that_was_made_from_packages_that_are_gone_is_made_again(tmp_path: Path) -> None:
    wanted = tmp_path / ".interpreters" / "shop" / "bin" / "python"
    interpreter_of(location(wanted), tmp_path)
    (link,) = wanted.parents[1].glob("lib/python*/site-packages/platform.pth")
    link.write_text("# /nowhere\nimport site; site.addsitedir('/nowhere')\n")
    interpreter_of(location(wanted), tmp_path)
    assert asked(wanted, "import dagster; print(1)") == 1


def test_many_may_make_it_at_once(tmp_path: Path) -> None:
    folder = tmp_path / ".interpreters" / "shop"
    code = f"from pathlib import Path; from mesh_defs.processes.interpreter import *; make_interpreter(Path({str(folder)!r}))"
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda _: subprocess.run([sys.executable, "-c", code], check=False), range(6)))
    assert [each.returncode for each in done] == [0] * 6
    assert asked(folder / "bin" / "python", "import mesh_defs; print(1)") == 1
    assert [each.name for each in folder.parent.iterdir()] == ["shop"]


@pytest.mark.parametrize(
    "place", ["elsewhere/bin/python", ".interpreters/python", ".interpreters/shop/bin/python3", "/python"]
)
def test_another_that_is_missing_is_told_with_the_mend(tmp_path: Path, place: str) -> None:
    wanted = tmp_path / place
    if place.endswith("python3"):
        make_interpreter(wanted.parent.parent)
        shutil.rmtree(wanted.parent)
        wanted = wanted.with_name("perl")
    with pytest.raises(UnreachableError, match=r"shop has no interpreter at .* — make it: `python -m venv "):
        interpreter_of(location(wanted), tmp_path)
    assert not wanted.exists()


def test_the_catalog_is_read_by_each_locations_own_interpreter(tmp_path: Path) -> None:
    told = "import sys\nfrom mesh_defs import domain_definitions\nprint('noise')\nassert sys.prefix.endswith('shop')\n"
    domains = two_domains(shop={"definitions.py": told + "defs = domain_definitions(__file__)\n"})
    settings = settings_of(tmp_path / "mesh", domains)
    own_interpreter(settings, "shop", ".interpreters/shop/bin/python")
    sections = {section.location: section for section in build(settings).sections}
    assert {name: section.error for name, section in sections.items()} == {"people": None, "shop": None}
    assert [product.name for product in sections["shop"].products] == ["shop.regions"]
    assert build(settings).generation == 1


@pytest.mark.parametrize("broken", ["missing", "no platform in it", "no python at all"])
def test_a_location_whose_interpreter_does_not_work_fails_alone(tmp_path: Path, broken: str) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains())
    build(settings)
    python = tmp_path / "own" / "bin" / "python"
    if broken == "no platform in it":
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "own"], check=True)
    elif broken == "no python at all":
        python.parent.mkdir(parents=True)
        python.write_text("")
        python.chmod(0o755)
    own_interpreter(settings, "shop", str(python))
    sections = {section.location: section for section in build(settings).sections}
    assert sections["people"].error is None
    assert [product.name for product in sections["shop"].products] == ["shop.regions"], "the last known good ones"
    told = {"missing": "has no interpreter", "no platform in it": "No module named", "no python at all": "OSError"}
    assert told[broken] in str(sections["shop"].error)


@pytest.mark.parametrize(
    "code", ["import os; os._exit(7)", "raise SystemExit", "1 / 0", "import sys; sys.stdout.buffer.write(b'+{}')"]
)
def test_survives_whatever_a_location_does_in_its_own_interpreter(tmp_path: Path, code: str) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains())
    own_interpreter(settings, "shop", ".interpreters/shop/bin/python")
    (settings.root / "domains/shop/definitions.py").write_text(code + "\n")
    sections = {section.location: section for section in build(settings).sections}
    assert sections["shop"].error
    assert [product.name for product in sections["people"].products] == ["people.persons"]


def test_code_that_is_loaded_for_the_catalog_sees_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look = (
        "import json, os\nfrom pathlib import Path\nfrom mesh_defs import domain_definitions\n"
        "from mesh_defs.settings import load_settings\n"
        "seen = [dict(os.environ), dict(load_settings().overrides)]\n"
        "Path(os.environ['MESH_HOME'], Path(__file__).parent.name + '.json').write_text(json.dumps(seen))\n"
        "defs = domain_definitions(__file__)\n"
    )
    domains = two_domains(shop={"definitions.py": look}, people={"definitions.py": look})
    settings = settings_of(tmp_path / "mesh", domains)
    own_interpreter(settings, "shop", ".interpreters/shop/bin/python")
    (settings.home / "secrets").mkdir(parents=True)
    for name in ("shop", "people"):
        (settings.home / "secrets" / f"{name}.env").write_text(f"MESH_{name.upper()}_POSTGRES=canary\nTOKEN=canary\n")
    monkeypatch.setenv("MESH_SHOP_S3", "canary")
    monkeypatch.setenv("SOME_TOKEN", "canary")
    build(settings)
    for name in ("shop", "people"):
        assert "canary" not in (settings.home / f"{name}.json").read_text()


def test_validation_imports_a_location_by_its_own_interpreter_and_still_judges_what_is_between(tmp_path: Path) -> None:
    told = "import sys\nfrom mesh_defs import domain_definitions\nprint('noise')\nassert sys.prefix.endswith('shop')\n"
    domains = two_domains(shop={"definitions.py": told + "defs = domain_definitions(__file__)\n"})
    settings = settings_of(tmp_path / "mesh", domains)
    own_interpreter(settings, "shop", ".interpreters/shop/bin/python")
    assert validate(settings) == ()
    (settings.root / "domains/shop/products/regions.sql").write_text("SELECT region, person FROM people.persons")
    (finding,) = validate(settings)
    assert "person" in finding.what
    (settings.root / "domains/shop/definitions.py").write_text("import no_such_package\n")
    (finding,) = validate(settings)
    assert finding.what == "does not import: ModuleNotFoundError: No module named 'no_such_package'"


@pytest.mark.parametrize("executable", ["missing/bin/python", ".interpreters/empty/bin/python"])
def test_validation_names_an_interpreter_that_does_not_answer(tmp_path: Path, executable: str) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains())
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "mesh/.interpreters/empty"], check=True)
    own_interpreter(settings, "shop", str(tmp_path / "mesh" / executable))
    (finding,) = validate(settings)
    assert finding.where == "workspace.yaml: shop"
    assert finding.what.startswith("its interpreter ")


def test_a_mesh_is_made_in_process_with_a_location_of_its_own_interpreter(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains())
    own_interpreter(settings, "shop", ".interpreters/shop/bin/python")
    assert {outcome.state for outcome in refresh(settings).values()} == {"published"}
