"""What the documents name is there: make targets, files, commands. And they stay short, and name no machine."""

import re
from pathlib import Path

import click
import pytest

from mesh_defs.cli.main import mesh

ROOT = Path(__file__).parents[2]
TOP = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES = sorted(file for file in (ROOT / "docs").rglob("*.md"))
LINES_MAX = 120
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")


def _name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def _typed(text: str) -> list[str]:
    """Commands as a reader would type them: `$ …` lines of fences, and code in a sentence."""
    fences = "\n".join(_FENCE.findall(text))
    lines = [line.removeprefix("$ ") for line in fences.splitlines() if line.startswith(("$ ", "make ", "mesh "))]
    return lines + _CODE.findall(_FENCE.sub("", text))


@pytest.mark.parametrize("file", [*TOP, *PAGES], ids=_name)
def test_links_lead_somewhere(file: Path) -> None:
    links = _LINK.findall(_FENCE.sub("", file.read_text(encoding="utf-8")))
    local = [link.partition("#")[0] for link in links if not link.startswith(("http://", "https://", "#"))]
    assert [link for link in local if not (file.parent / link).exists()] == []


@pytest.mark.parametrize("file", [*TOP, *PAGES], ids=_name)
def test_make_targets_exist(file: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = {
        word
        for typed in _typed(file.read_text(encoding="utf-8"))
        for word in re.findall(r"\bmake ([a-z]+)\b", typed.partition("#")[0])
    }
    assert named <= targets


@pytest.mark.parametrize("file", [*TOP, *PAGES], ids=_name)
def test_mesh_commands_exist(file: Path) -> None:
    known = set(mesh.list_commands(click.Context(mesh)))
    typed = "\n".join(_typed(file.read_text(encoding="utf-8")))
    named = set(re.findall(r"^mesh ([a-z-]+)|&& mesh ([a-z-]+)", typed, re.MULTILINE))
    assert {one or other for one, other in named} <= known


@pytest.mark.parametrize("file", [page for page in PAGES if page.parent.name != "reference"], ids=_name)
def test_pages_stay_short(file: Path) -> None:
    """Generated pages are as long as the code says."""
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LINES_MAX


@pytest.mark.parametrize("file", [*TOP, *PAGES], ids=_name)
def test_no_page_names_a_machine(file: Path) -> None:
    assert not re.search(r"(?<![\w.<])/(home|root|tmp|work|Users)/", file.read_text(encoding="utf-8"))


def test_readme_names_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in text
    assert "make test" in text
