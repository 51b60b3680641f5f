"""How a plan reads: in a terminal, in a pull request, for programs."""

import json
import re
from pathlib import Path

import pytest

from mesh_defs.cli.render import as_json
from mesh_defs.review.document import as_document
from mesh_defs.review.markdown import CHARACTERS_MAX, as_markdown, plain
from mesh_defs.review.text import as_text
from tests.review.repository import GRANTS, NOW, PERSONS, SHOP, Repository

RULE = "    rows: region = ${principal.region}\n"
GOLDEN = Path(__file__).parent / "golden" / "plan.md"


def widened(mesh: Repository) -> None:
    mesh.change(GRANTS, (RULE, ""), ("days_max: 30", "days_max: 7"))
    mesh.change("mesh.yaml", ("max: {roles: [planner]}", "max: {roles: [planner, analyst]}"))


def markdown(mesh: Repository) -> str:
    return re.sub(r"main \([0-9a-f]{10}\)", "main (COMMIT)", as_markdown(mesh.plan()))


def test_as_markdown(mesh: Repository) -> None:
    widened(mesh)
    assert re.sub(r"\n### New findings.*", "", markdown(mesh), flags=re.DOTALL) == GOLDEN.read_text()


def test_as_text(mesh: Repository) -> None:
    mesh.change(PERSONS, ("{name: region, logicalType: string", "{name: region, logicalType: date"))
    mesh.change(GRANTS, ("[analyst]", "[analyst, planner]"), (RULE, ""))
    told = mesh.text()
    assert (
        "people.persons.region was VARCHAR and becomes DATE; region made of it; further downstream: shop.top\n" in told
    )
    assert "people.persons 1.0.0, too low: write 2.0.0\n    breaking  column region: type VARCHAR became DATE\n" in told
    assert "  + ada, bob (role analyst), for measurement\n      rows: only where region = ${principal.region}" in told


def test_nothing_at_all(mesh: Repository) -> None:
    assert mesh.text() == "Nothing changes for anybody.\n"
    assert markdown(mesh).splitlines()[2] == "**Nothing changes for anybody.**"


def test_what_cannot_be_read_comes_first(mesh: Repository) -> None:
    mesh.put(GRANTS, "{")
    lines = mesh.text().splitlines()
    assert lines[0].startswith("Not to be judged: 1 problem in files that cannot be read; what can be: ")
    assert lines[2] == "Cannot be read now, and counts as absent"
    assert "an access file of people cannot be read" in mesh.text()


def test_json_holds_all_of_it(mesh: Repository) -> None:
    widened(mesh)
    plan = mesh.plan()
    told = json.loads(json.dumps(as_document(plan), default=as_json))
    assert told["to_approve"] == list(plan.to_approve)
    assert [each["principals"] for each in told["access"]] == [["ada", "bob"], ["max"]]
    change = told["access"][1]
    assert (change["gains"], change["loses"], change["before"]) == (
        True,
        False,
        {"allowed": False, "reason": "no grant"},
    )
    assert change["after"]["columns"] == {
        "person_id": {"kind": "token", "value": None},
        "email": {"kind": "null", "value": None},
        "region": None,
        "consented": None,
    }
    assert change["test_rows"] == [{"principals": ["max"], "given": 3, "before": 0, "after": 2, "came": 2, "went": 0}]
    assert told["requestable"][0]["offer"] == "planners"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a | b", "a \\| b"),
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        ("**bold** `code` [a](http://b)", "\\*\\*bold\\*\\* \\`code\\` \\[a\\](http://b)"),
        ("@everyone fixes #12", "@\u200beveryone fixes #\u200b12"),
        ("two\nlines\r\n### Title", "two lines ### Title"),
        ("\\| already", "\\\\\\| already"),
    ],
)
def test_markdown_takes_the_files_words_for_words(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_words_of_files_cannot_end_a_table(mesh: Repository) -> None:
    mesh.change(GRANTS, ("region = ${principal.region}", "region = '| <b>x</b> |\\n\\n## All is well'"))
    rows = [line for line in as_markdown(mesh.plan()).splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in rows} == {6}
    assert "<b>" not in as_markdown(mesh.plan())


def test_markdown_fits_a_comment(mesh: Repository) -> None:
    lines = "".join(f"  p{n}: {{roles: [analyst], attributes: {{region: [r{n}]}}}}\n" for n in range(3000))
    mesh.change("mesh.yaml", ("  max:", f"{lines}  max:"))
    told = as_markdown(mesh.plan())
    assert len(told) <= CHARACTERS_MAX + 100
    assert re.search(r"\*\*\d+ more lines are not shown: run `mesh plan` to see them all\.\*\*\n$", told)


def test_a_control_character_of_a_file_name_reaches_no_terminal(mesh: Repository) -> None:
    mesh.put(f"{SHOP}products/\x1b[2Jtop.sql", "nonsense")
    assert "\x1b" not in as_text(mesh.plan(now=NOW))
    assert "\x1b" not in as_markdown(mesh.plan(now=NOW))
