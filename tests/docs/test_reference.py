"""The reference is what the code says: nothing missing, nothing old."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from quality_checks import known_types

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page(name: str) -> str:
    return (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")


def test_the_reference_is_current(generate: ModuleType) -> None:
    stale = [name for name, text in generate.pages().items() if page(name) != text]
    assert not stale, "run `python docs/generate.py`"


def test_check_names_an_old_page(
    generate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "REFERENCE", tmp_path / "reference")
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    (tmp_path / "reference" / "errors.md").write_text("old")
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().err.startswith("docs/reference/errors.md is old")


def test_every_command_is_documented_and_says_what_it_does(generate: ModuleType) -> None:
    commands = generate.commands()
    assert {"mesh", "mesh query", "mesh new product"} <= commands.keys()
    assert all(command.help for command in commands.values())
    assert all(f"## `{name}`" in page("commands.md") for name in commands)


def test_every_setting_that_the_platform_reads_is_documented() -> None:
    code = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "mesh_defs").rglob("*.py"))
    read = set(re.findall(r"[\"'\[(](MESH_[A-Z_]*[A-Z]|DAGSTER_HOME)[\"']", code))
    assert {"MESH_HOME", "MESH_PRINCIPAL"} <= read
    assert [name for name in sorted(read) if f"`{name}`" not in page("settings.md")] == []


def test_every_error_code_is_documented(generate: ModuleType) -> None:
    codes = [kind.code for kind in generate.error_classes()]
    assert len(codes) == len(set(codes)), "a code names one class"
    assert [code for code in codes if f"| `{code}` |" not in page("errors.md")] == []


def test_every_expectation_type_is_documented_with_what_it_does(generate: ModuleType) -> None:
    assert [name for name in known_types() if f"## `{name}`" not in page("expectations.md")] == []
    assert [kind.name for kind in generate.TYPES.values() if not generate.told_by(kind)] == []
