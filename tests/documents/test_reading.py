"""YAML in, values that know their lines out; and nothing that a file holds may hang, crash or fill the platform."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, ConfigDict

from mesh_defs.documents import reading
from mesh_defs.documents.reading import BYTES_MAX, FINDINGS_MAX, LEVELS_MAX, VALUES_MAX, Document, read_document
from mesh_defs.documents.structure import build, build_sound_part, known_name
from mesh_defs.errors import DeclarationError
from tests.factories import findings_of, write


def read(tmp_path: Path, text: str | bytes) -> Document:
    return read_document(write(tmp_path, "d.yaml", text), root=tmp_path)


def wrong(tmp_path: Path, text: str | bytes) -> list[str]:
    with pytest.raises(DeclarationError) as caught:
        read(tmp_path, text)
    return findings_of(caught.value)


@pytest.fixture(params=["libyaml", "python"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Without libyaml PyYAML reads by itself; its messages differ, its verdicts must not."""
    monkeypatch.setattr(reading, "_Loader", yaml.CSafeLoader if request.param == "libyaml" else yaml.SafeLoader)
    yield request.param


def test_reads_values_as_yaml_means_them(tmp_path: Path) -> None:
    document = read(tmp_path, "a: 1\nb: [x, {c: yes}]\nd: 2027-12-31\n")
    assert document.file == "d.yaml"
    assert document.data["b"] == ["x", {"c": True}]


def test_a_file_outside_the_root_is_named_in_full(tmp_path: Path) -> None:
    file = write(tmp_path, "d.yaml", "")
    with pytest.raises(DeclarationError, match=str(file)):
        read_document(file, root=tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("field", "where"),
    [
        (("a",), "d.yaml:1: a"),
        (("a", "missing"), "d.yaml:1: a.missing"),
        (("list", 1, "c"), "d.yaml:5: list[1].c"),
        (("list", 7), "d.yaml:2: list[7]"),
        (("missing",), "d.yaml:1: missing"),
        (("custom", "grain"), "d.yaml:7: custom.grain"),
        (("custom", "grain", "value"), "d.yaml:8: custom.grain.value"),
        (("list",), "d.yaml:2: list"),
        (("custom", "absent"), "d.yaml:6: custom.absent"),
        ((), "d.yaml:1: document"),
    ],
)
def test_a_finding_stands_at_its_field_or_at_the_nearest_parent(tmp_path: Path, field: tuple, where: str) -> None:
    text = "a: {b: 1}\nlist:\n  - x\n  - y: 1\n    c: 2\ncustom:\n  - property: grain\n    value: [day]\n"
    document = read(tmp_path, text)
    assert document.finding(field, "w", "f").where == where


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "d.yaml:1: document: empty"),
        ("# only words\n", "d.yaml:1: document: empty"),
        ("---\n", "document: empty"),
        ("\n- a\n- b\n", "d.yaml:2: document: found a list, wanted a mapping"),
        ("just words", "d.yaml:1: document: found 'just words', wanted a mapping"),
        ("a: 1\n---\nb: 2\n", "d.yaml:2: document: not YAML: but found another document"),
        ("a: 1\nb: [1\n", "d.yaml:3: document: not YAML"),
        ("a: 1\nb: 'open\n\n", "(begun in line 2)"),
        ("a: b: c\n", "d.yaml:1: document: not YAML: mapping values are not allowed"),
        ("a:\n\tb: 1\n", "d.yaml:2: document: not YAML"),
        ("a: *x\n", "undefined alias"),
        ("a: 1\nb: 2\na: 3\n", "d.yaml:3: a: written twice in one mapping — keep one of the two"),
        ("a:\n  - {b: 1,\n     b: 2}\n", "d.yaml:3: a[0].b: written twice"),
        ("a: 1\non: 2\n", "d.yaml:2: document: the key on is no text to YAML — put it in quotes"),
        ("a:\n  1: 2\n", "d.yaml:2: a: the key 1 is no text"),
        ("a:\n  ~: 2\n", "d.yaml:2: a: the key nothing is no text"),
        ("a: {}\n? [x, y]\n: 1\n", "d.yaml:2: document: the key a list is no text"),
        ("a: 1\nb: 2024-13-45\n", "d.yaml:2: b: found 2024-13-45, which is no timestamp"),
        ("a: 0b_\n", "d.yaml:1: a: found 0b_, which is no int"),
        ("a: !!bool maybe\n", "d.yaml:1: a: found maybe, which is no bool"),
        (f"a: {'9' * 5000}\n", "which is no int"),
        ("a: !!python/object:os.system {}\n", "a value of the kind 'python/object:os.system'"),
        ("a: !!set {x, y}\n", "a value of the kind 'set'"),
        ("a: !!binary aGk=\n", "a value of the kind 'binary'"),
        ("a: !secret x\n", "a value of the kind '!secret'"),
        ("a: =\n", "a value of the kind 'value'"),
        ("a: b\0c\n", "d.yaml:1: document: holds a control character"),
        ("a: b\n\nc: \x1b[31mred\n", "d.yaml:3: document: holds a control character"),
        ('a: 1\nb: "x\\0y"\n', "d.yaml:2: b: holds a control character"),
        ('b: "\\uD800"\n', "d.yaml:1"),
        ("b: {<<: 5}\n", "d.yaml:1: document: not YAML"),
        (b"a: 1\nb: caf\xe9\n", "d.yaml:2: document: not UTF-8 text — save the file as UTF-8"),
        ("a: 1\n".encode("utf-16"), "d.yaml:1: document: not UTF-8 text"),
    ],
)
def test_refuses_what_is_no_plain_mapping(tmp_path: Path, text: str | bytes, told: str) -> None:
    findings = wrong(tmp_path, text)
    assert told in findings[0]
    assert " — " in findings[0]
    assert len(findings) == 1


def test_tabs_are_told_apart_from_other_slips(tmp_path: Path) -> None:
    assert "indent with blanks, not tabs" in wrong(tmp_path, "a:\n\tb: 1\n")[0]


def test_everything_that_yaml_alone_shows_is_told_at_once(tmp_path: Path) -> None:
    findings = wrong(tmp_path, "a: 1\na: 2\nb: !!bool x\nno: 3\nc: {d: 1, d: 2}\n")
    assert [finding.split(":")[1] for finding in findings] == ["2", "4", "3", "5"]


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    document = read(tmp_path, b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert document.data == {"a": 1, "b": 2}
    assert document.finding(("b",), "w", "f").where == "d.yaml:2: b"


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    for name, told in (("absent.yaml", "no such file"), (".", "not a file")):
        with pytest.raises(DeclarationError, match=told):
            read_document(tmp_path / name, root=tmp_path)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    assert "over 1,000,000 bytes" in wrong(tmp_path, "a: " + "x" * BYTES_MAX)[0]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_ends_neither_the_process_nor_the_stack(tmp_path: Path, opening: str, loader: str) -> None:
    assert f"more than {LEVELS_MAX} levels" in wrong(tmp_path, opening * 20_000)[0]


def test_nesting_up_to_the_limit_is_read(tmp_path: Path) -> None:
    levels = LEVELS_MAX - 1
    assert read(tmp_path, f"a: {'[' * levels}{']' * levels}").data["a"] is not None
    assert "levels deep" in wrong(tmp_path, f"a: {'[' * (levels + 1)}{']' * (levels + 1)}")[0]


def test_aliases_stand_for_what_they_name_and_keep_its_line(tmp_path: Path) -> None:
    document = read(tmp_path, "a: &rule\n  x: 1\nb: *rule\nc: {<<: *rule, y: 2}\n")
    assert document.data == {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1, "y": 2}}
    assert document.finding(("b", "x"), "w", "f").where == "d.yaml:2: b.x"


def test_what_overrides_a_merged_key_is_where_the_finding_stands(tmp_path: Path) -> None:
    document = read(tmp_path, "a: &rule\n  x: 1\nb:\n  <<: *rule\n  x: 2\n")
    assert document.data["b"] == {"x": 2}
    assert document.finding(("b", "x"), "w", "f").where == "d.yaml:5: b.x"


def laughs(lists: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, lists)]
    return "\n".join(lines)


def test_a_billion_laughs_are_refused_at_the_alias_that_is_too_much(tmp_path: Path, loader: str) -> None:
    assert f"more than {VALUES_MAX:,} values" in wrong(tmp_path, laughs(30))[0]
    assert "d.yaml:6: document" in wrong(tmp_path, laughs(30))[0]


def test_aliases_that_nest_too_deeply_are_refused(tmp_path: Path) -> None:
    chain = "a0: &a0 [x]\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, LEVELS_MAX + 5))
    assert "levels deep" in wrong(tmp_path, chain)[0]


def test_an_alias_to_what_it_is_part_of_is_refused(tmp_path: Path, loader: str) -> None:
    assert "d.yaml:2: document: *a stands for what it is part of" in wrong(tmp_path, "a: &a\n  b: [*a]\n")[0]


def test_many_values_are_refused(tmp_path: Path) -> None:
    assert "values" in wrong(tmp_path, f"a: [{'1,' * (VALUES_MAX + 1)}]")[0]


def test_no_more_findings_are_listed_than_anybody_reads(tmp_path: Path) -> None:
    findings = wrong(tmp_path, "\n".join(f"{number}: x" for number in range(10_000)))
    assert len(findings) == FINDINGS_MAX + 1
    assert "there is more" in findings[-1]


def test_long_names_and_values_are_cut(tmp_path: Path) -> None:
    assert max(map(len, wrong(tmp_path, f"{'k' * 900}: 1\n{'k' * 900}: 2\n{'j' * 900}: !!int {'x' * 900}\n"))) < 400


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(st.sampled_from(" \n\t-:[]{}&*!|>'\"%@`#?,ab01~=<.\0é\ud7ff"), max_size=60) | st.binary(max_size=60)
)
@example(text="a: &a\n  <<: *a")
@example(text="? ? ? a")
@example(text="a: !!timestamp ''")
@example(text="{a: !!int ''}")
def test_any_bytes_are_read_or_refused_with_a_mend(tmp_path: Path, text: str | bytes) -> None:
    try:
        assert isinstance(read(tmp_path, text).data, dict)
    except DeclarationError as error:
        assert all(finding.fix and finding.where.startswith("d.yaml") for finding in error.findings)


# What a document must hold: `build` and `build_sound_part`.


class Pet(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    age: int | None = None


class Team(BaseModel):
    name: str | None = None


class House(BaseModel):
    model_config = ConfigDict(extra="forbid")
    city: Annotated[str, known_name("cities", "no city of ours")]
    pets: list[Pet] = []
    by_name: dict[str, Pet] = {}
    team: Team | list[Pet] | None = None
    either: str | float | None = None
    best: Pet | None = None


class Loose(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str | None = None
    tags: list[str] | None = None
    pets: list[Team] | None = None


def misbuilt(tmp_path: Path, text: str, **known: list[str]) -> list[str]:
    with pytest.raises(DeclarationError) as caught:
        build(House, read(tmp_path, text), known=known)
    return findings_of(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("city: x\nhose: 1\n", ["d.yaml:2: hose: unknown field — known: best, by_name, city, either, pets, team"]),
        ("city: x\npets:\n  - name: a\n    ag: 3\n", ["d.yaml:4: pets[0].ag: unknown field — did you mean 'age'?"]),
        ("city: x\nby_name:\n  Rex:\n    name: a\n    ag: 3\n", ["d.yaml:5: by_name.Rex.ag: unknown field"]),
        ("city: x\nbest:\n  name: a\n  ag: 3\n", ["d.yaml:4: best.ag: unknown field — did you mean 'age'?"]),
        ("city: x\nteam:\n - name: x\n   nam: y\n", ["d.yaml:4: team[0].nam: unknown field — did you mean 'name'?"]),
        ("city: x\nteam:\n  nam: y\n", ["d.yaml:3: team.nam: unknown field — did you mean 'name'?"]),
        ("pets: []\n", ["d.yaml:1: city: missing — add `city: …`"]),
        ("city: x\npets:\n  - age: 3\n", ["d.yaml:3: pets[0].name: missing"]),
        ("ciyt: x\n", ["d.yaml:1: ciyt: unknown field — did you mean 'city'?"]),
        ("city: 1.0\n", ["d.yaml:1: city: found 1.0, wanted text — put it in quotes"]),
        ("city: on\n", ["d.yaml:1: city: found on, wanted text — put it in quotes"]),
        ("city: 2024-01-01\n", ["d.yaml:1: city: found 2024-01-01, wanted text — put it in quotes"]),
        ("city:\n", ["d.yaml:1: city: found nothing, wanted text"]),
        ("city: x\npets: {a: b}\n", ["d.yaml:2: pets: found a mapping, wanted a list"]),
        ("city: x\npets:\n  - name: a\n  - 7\n", ["d.yaml:4: pets[1]: found 7, wanted a mapping"]),
        ("city: x\nteam: {name: 7}\n", ["d.yaml:2: team.name: found 7, wanted text"]),
        ("city: x\nteam: 7\n", ["d.yaml:2: team: found 7, wanted a mapping or a list"]),
        ("city: x\neither: [1]\n", ["d.yaml:2: either: found a list, wanted text or a number"]),
        ("city: x\nby_name: {Team: 3}\n", ["d.yaml:2: by_name.Team: found 3, wanted a mapping"]),
    ],
)
def test_each_flaw_is_told_once_with_line_field_and_mend(tmp_path: Path, text: str, told: list[str]) -> None:
    findings = misbuilt(tmp_path, text)
    assert len(findings) == len(told), findings
    for finding, beginning in zip(findings, told, strict=True):
        assert finding.startswith(beginning)


def test_all_flaws_of_a_document_are_told_together(tmp_path: Path) -> None:
    text = "hose: 1\npets:\n  - {name: 1}\n  - {nam: x}\n  - {name: x, age: old}\n"
    assert [finding.split(": ")[1] for finding in misbuilt(tmp_path, text)] == [
        "hose",
        "pets[1].nam",
        "city",
        "pets[0].name",
        "pets[2].age",
    ]


def test_names_are_known_or_refused_with_the_nearest(tmp_path: Path) -> None:
    told = "d.yaml:1: city: 'Rom' is no city of ours — did you mean 'Rome'?"
    assert misbuilt(tmp_path, "city: Rom\n", cities=["Rome", "Oslo"]) == [told]
    assert build(House, read(tmp_path, "city: Rom\n")).city == "Rom"


def test_an_unknown_name_and_a_broken_field_elsewhere_are_told_together(tmp_path: Path) -> None:
    assert len(misbuilt(tmp_path, "city: Rom\npets: 5\n", cities=["Rome"])) == 2


def test_the_sound_part_is_built_and_what_follows_from_a_flaw_is_not_told(tmp_path: Path) -> None:
    document = read(tmp_path, "name: 5\ntags: [a, 1]\npets:\n  - name: x\n  - 7\n  - name: z\n")
    built, wrong = build_sound_part(Loose, document)
    assert (built.name, built.tags, [pet.name for pet in built.pets or []]) == (None, None, ["x", None, "z"])
    assert len(wrong.findings) == 3
    wrong.add(("name",), "missing", "…")
    wrong.add(("tags", 0), "bad", "…")
    wrong.add(("pets", 1, "name"), "missing", "…")
    assert len(wrong.findings) == 3
    wrong.add(("pets", 2, "name"), "bad", "…")
    wrong.add(("pets",), "too many", "…")
    assert len(wrong.findings) == 5


def test_a_misspelt_field_hides_the_complaint_that_it_is_missing(tmp_path: Path) -> None:
    _, wrong = build_sound_part(Loose, read(tmp_path, "naem: x\n"))
    wrong.add(("name",), "missing", "…")
    assert findings_of(_raised(wrong)) == ["d.yaml:1: naem: unknown field — did you mean 'name'?"]


def test_flaws_of_what_an_alias_repeats_are_survived(tmp_path: Path) -> None:
    document = read(tmp_path, "pets:\n  - &p {name: 7}\n  - *p\n  - 3\n")
    _, wrong = build_sound_part(Loose, document)
    assert len(wrong.findings) == 3


def test_a_validators_own_words_reach_the_finding(tmp_path: Path) -> None:
    def no_cats(name: str) -> str:
        raise ValueError("no cats here")

    class Strange(BaseModel):
        name: Annotated[str, AfterValidator(no_cats)]

    with pytest.raises(DeclarationError, match="found 'Tom': value error, no cats here"):
        build(Strange, read(tmp_path, "name: Tom\n"))


def test_reading_takes_no_deep_stack(tmp_path: Path) -> None:
    """In a thread with little stack, as some servers have."""
    outcome: list[object] = []
    text = f"a: {'[' * (LEVELS_MAX - 1)}{']' * (LEVELS_MAX - 1)}"
    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=lambda: outcome.append(read(tmp_path, text).data))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert outcome and sys.getrecursionlimit() >= 1000


def _raised(wrong: object) -> DeclarationError:
    with pytest.raises(DeclarationError) as caught:
        wrong.raise_if_any()
    return caught.value
