"""workspace.yaml: the same locations, under the same names, as Dagster loads from it."""

import os
from pathlib import Path

import pytest

from mesh_defs.documents.workspace import Location, read_workspace
from mesh_defs.errors import DeclarationError
from tests.factories import findings_of, write

ROOT = Path(__file__).parents[2]


def read(tmp_path: Path, text: str) -> tuple[Location, ...]:
    write(tmp_path, "workspace.yaml", text)
    return read_workspace(tmp_path)


def refused(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(DeclarationError) as caught:
        read(tmp_path, text)
    return findings_of(caught.value)


@pytest.fixture
def location(tmp_path: Path) -> Location:
    write(tmp_path, "mesh.yaml", "format: 1\n")
    write(tmp_path / "d", "domain.yaml", "format: 1\n")
    return Location(name="d", file=write(tmp_path / "d", "definitions.py", ""))


def test_the_demos_locations_are_found() -> None:
    locations = {location.name: location for location in read_workspace(ROOT)}
    assert [name for name, location in locations.items() if location.is_domain] == [
        "audiences",
        "creatives",
        "events",
        "retailer",
    ]
    assert locations["platform"].file == ROOT / "mesh_defs" / "definitions.py"
    assert all(location.file.is_file() for location in locations.values())


@pytest.mark.parametrize(
    ("entry", "name", "file"),
    [
        ("python_file: {relative_path: d/x.py, location_name: dee}", "dee", "d/x.py"),
        ("python_file: d/x.py", "x.py", "d/x.py"),
        ("python_file: {relative_path: d/x.py, attribute: defs}", "x.py:defs", "d/x.py"),
        ("python_module: d.x", "d.x", "d/x.py"),
        ("python_module: {module_name: d.x, location_name: dee}", "dee", "d/x.py"),
        ("python_module: {module_name: x, working_directory: d}", "x", "d/x.py"),
        ("python_module: d", "d", "d/__init__.py"),
        ("python_module: mesh_defs.definitions", "mesh_defs.definitions", str(ROOT / "mesh_defs/definitions.py")),
        ("python_module: no.such.module", "no.such.module", "no/such/module.py"),
    ],
)
def test_an_entry_names_a_location_and_its_file(tmp_path: Path, entry: str, name: str, file: str) -> None:
    write(tmp_path / "d", "x.py", "raise SystemExit")
    write(tmp_path / "d", "__init__.py", "raise SystemExit")
    assert read(tmp_path, f"load_from:\n  - {entry}\n") == (Location(name=name, file=tmp_path / file),)


@pytest.mark.parametrize(
    ("told", "executable"),
    [(".interpreters/d/bin/python", "{root}/.interpreters/d/bin/python"), ("/opt/d/bin/python", "/opt/d/bin/python")],
)
def test_a_location_may_have_an_interpreter_of_its_own(tmp_path: Path, told: str, executable: str) -> None:
    """Never resolved: the python of a virtual environment is a link to another."""
    (tmp_path / ".interpreters/d/bin").mkdir(parents=True)
    (tmp_path / ".interpreters/d/bin/python").symlink_to("/bin/sh")
    (location,) = read(tmp_path, f"load_from:\n  - python_file: {{relative_path: d/x.py, executable_path: {told}}}\n")
    assert str(location.executable) == executable.format(root=tmp_path)


def test_another_interpreter_is_another_location_for_the_catalog(tmp_path: Path, location: Location) -> None:
    other = Location(name=location.name, file=location.file, executable=tmp_path / "python")
    assert other.fingerprint(tmp_path) != location.fingerprint(tmp_path)


def test_a_virtual_environment_in_a_domains_folder_is_none_of_its_files(tmp_path: Path, location: Location) -> None:
    before = location.fingerprint(tmp_path)
    write(location.folder / ".venv", "pyvenv.cfg", "home = /usr/bin\n")
    write(location.folder / ".venv" / "lib", "big.py", "x")
    assert location.fingerprint(tmp_path) == before


def test_dagster_gives_the_same_names(tmp_path: Path) -> None:
    from dagster._core.workspace.load import location_origins_from_yaml_paths

    text = """load_from:
  - python_file: d/x.py
  - python_file: {relative_path: d/y.py, attribute: defs}
  - python_file: {relative_path: d/x.py, location_name: dee}
  - python_module: some.module
  - python_module: {module_name: some.module, attribute: defs}
"""
    names = [location.name for location in read(tmp_path, text)]
    origins = location_origins_from_yaml_paths([str(tmp_path / "workspace.yaml")])
    assert names == [origin.location_name for origin in origins]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("load_form: []\n", "workspace.yaml:1: load_form: unknown field — did you mean 'load_from'?"),
        ("load_from:\n", "workspace.yaml:1: load_from: found nothing — list one `python_file:`"),
        ("load_from: {python_file: x.py}\n", "workspace.yaml:1: load_from: found a mapping"),
        ("load_from:\n  - x.py\n", "workspace.yaml:2: load_from[0]: neither a Python file nor a module"),
        ("load_from:\n  - [x.py]\n", "workspace.yaml:2: load_from[0]: neither"),
        ("load_from:\n  -\n", "workspace.yaml:2: load_from[0]: neither"),
        ("load_from:\n  - grpc_server: {host: h, port: 1}\n", "workspace.yaml:2: load_from[0]: neither"),
        ("load_from:\n  - {python_file: x.py, python_module: y}\n", "workspace.yaml:2: load_from[0]: neither"),
        ("load_from:\n  - python_file:\n", "workspace.yaml:2: load_from[0].python_file.relative_path: missing"),
        ("load_from:\n  - python_file: [x.py]\n", "workspace.yaml:2: load_from[0].python_file.relative_path: missing"),
        ("load_from:\n  - python_file: 7\n", "workspace.yaml:2: load_from[0].python_file.relative_path: missing"),
        (
            "load_from:\n  - python_file: {location_name: x}\n",
            "workspace.yaml:2: load_from[0].python_file.relative_path: missing",
        ),
        (
            "load_from:\n  - python_file: {relative_path: 7}\n",
            "workspace.yaml:2: load_from[0].python_file.relative_path: found 7 — write text",
        ),
        (
            "load_from:\n  - python_file:\n      relative_path: x.py\n      locaton_name: x\n",
            "workspace.yaml:4: load_from[0].python_file.locaton_name: unknown field — did you mean 'location_name'?",
        ),
        (
            "load_from:\n  - python_file: {relative_path: a.py, location_name: x}\n"
            "  - python_module: {module_name: b, location_name: x}\n",
            "workspace.yaml:3: load_from[1]: a second location 'x'",
        ),
        (
            "load_from:\n  - python_file: a/x.py\n  - python_file: b/x.py\n",
            "workspace.yaml:3: load_from[1]: a second location",
        ),
    ],
)
def test_refuses_with_line_field_and_mend(tmp_path: Path, text: str, told: str) -> None:
    findings = refused(tmp_path, text)
    assert findings[0].startswith(told)
    assert " — " in findings[0]
    assert len(findings) == (2 if "load_form" in text else 1)


def test_all_bad_entries_are_told_together(tmp_path: Path) -> None:
    assert len(refused(tmp_path, "load_from:\n  - x\n  - python_file: ok.py\n  - python_file: 7\n")) == 2


def test_a_mesh_without_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"workspace\.yaml: there is no such file"):
        read_workspace(tmp_path)


def test_a_location_whose_folder_is_gone_still_counts(tmp_path: Path) -> None:
    """Its last known good declarations stay readable, and the others are unharmed."""
    (gone,) = read(tmp_path, "load_from:\n  - python_file: {relative_path: gone/definitions.py, location_name: gone}\n")
    assert gone.is_domain
    assert gone.fingerprint(tmp_path)


def test_a_folder_without_a_domain_is_none(tmp_path: Path, location: Location) -> None:
    assert location.is_domain
    (location.folder / "domain.yaml").unlink()
    assert not location.is_domain


def test_the_fingerprint_tells_every_change_of_a_file(tmp_path: Path, location: Location) -> None:
    seen = [location.fingerprint(tmp_path)]

    def note() -> None:
        seen.append(location.fingerprint(tmp_path))

    new = write(location.folder / "products", "a.sql", "SELECT 1")
    note()
    new.write_text("SELECT 22")
    note()
    os.utime(new, ns=(1, 1))
    note()
    new.rename(new.with_name("b.sql"))
    note()
    new.with_name("b.sql").unlink()
    note()
    write(tmp_path, "mesh.yaml", "format: 1 # more\n")
    note()
    assert len(set(seen)) == len(seen) - 1  # what was added and removed again leaves no trace
    assert seen[0] == seen[5]


def test_the_fingerprint_does_not_mind_what_is_compiled_or_odd(tmp_path: Path, location: Location) -> None:
    before = location.fingerprint(tmp_path)
    write(location.folder / "__pycache__", "definitions.cpython-311.pyc", "x")
    (location.folder / "dangling").symlink_to(tmp_path / "nowhere")
    (location.folder / "loop").symlink_to(location.folder)
    assert location.fingerprint(tmp_path) == before
    write(location.folder, os.fsdecode(b"caf\xe9.sql"), "x")
    assert location.fingerprint(tmp_path) != before
