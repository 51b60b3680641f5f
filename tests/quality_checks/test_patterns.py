"""The common subset of Python's re and RE2: what is translated means the same, what is not is refused with a reason."""

import re
import sys

import duckdb
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from quality_checks.errors import QualityError
from quality_checks.patterns import pattern_for_re2

SUBJECTS = [
    "",
    "a",
    "b",
    "ab",
    "aab",
    "abc",
    "A",
    "1",
    "é",
    "\n",
    "a\n",
    "a\nb",
    "\na",
    "b\n\n",
    "%",
    "_",
    ".",
    "[:a:]",
]
ATOMS = ["a", "b", "é", ".", "[ab]", "[^a]", "[^\\n]", "[a-c1]", "[[:a]", "[-\\]]", "(?:ab)", "(a|b)", "(?P<n>b)"]
ESCAPES = ["\\d", "[\\w.]", "\\S", "\\.", "%", "_", "\\\\", "\\x61", "\\n", "\\u00e9", "\\-"]
REPEATS = ["", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{,2}", "{1,}?"]


def found(connection: duckdb.DuckDBPyConnection, regex: str, subjects: list[str]) -> list[bool]:
    pattern = pattern_for_re2(regex)
    function = "regexp_full_match" if pattern.anchored else "regexp_matches"
    query = f"SELECT {function}(s, ?) FROM (SELECT unnest(?) AS s)"
    return [row[0] for row in connection.execute(query, [pattern.re2, subjects]).fetchall()]


@st.composite
def regexes(draw: st.DrawFn) -> str:
    def sequence() -> str:
        atoms = draw(st.lists(st.sampled_from(ATOMS + ESCAPES), max_size=4))
        begin, end = draw(st.sampled_from(["", "", "^", "\\A"])), draw(st.sampled_from(["", "", "$", "\\Z"]))
        return begin + "".join(atom + draw(st.sampled_from(REPEATS)) for atom in atoms) + end

    return "|".join(sequence() for _ in range(draw(st.integers(1, 3))))


@pytest.mark.filterwarnings("ignore:Possible nested set")
@settings(
    max_examples=120, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(regex=regexes(), subject=st.text(alphabet="ab1é\n.%", max_size=5))
def test_every_translated_pattern_finds_what_python_finds(
    connection: duckdb.DuckDBPyConnection, regex: str, subject: str
) -> None:
    subjects = [*SUBJECTS, subject]
    try:
        translated = found(connection, regex, subjects)
    except QualityError:  # such as "$|$", which Python reads as "$(?:|)"
        reject()
    assert translated == [re.search(regex, each) is not None for each in subjects]


@pytest.mark.parametrize("regex", ["^a$", r"\Aa\Z", "^(a|b)$", "^$", "^a{2,}$"])
def test_a_pattern_of_whole_values_is_anchored(regex: str) -> None:
    assert pattern_for_re2(regex).anchored


@pytest.mark.parametrize("regex", ["", "a", "^a", "a$", "^a$|b", "a|^b$"])
def test_other_patterns_are_not_anchored(regex: str) -> None:
    assert not pattern_for_re2(regex).anchored


@pytest.mark.parametrize(
    ("regex", "reason"),
    [
        (r"^[\w.-]{1,64}$", "slow in RE2"),
        (r"\bcat", "beyond ASCII"),
        (r"\Bcat", "beyond ASCII"),
        ("(?=a)", "lookahead"),
        ("(?<!a)b", "lookahead"),
        (r"(a)\1", "references to groups"),
        ("(a)?(?(1)b|c)", "conditional groups"),
        ("a++", "possessive"),
        ("(?>a)", "atomic"),
        ("(?i)us", "flags"),
        ("(?x) a", "flags"),
        ("(?s:.)", "no counterpart"),
        ("a$b", "anchor inside"),
        ("(a$)*", "anchor inside"),
        (r"a\Zb", "anchor inside"),
        ("^^", "anchor inside"),
        ("a^", "anchor inside"),
        ("a{1001}", "at most 1000"),
        ("(a{100}){11}", "at most 1000"),
        ("(", "mend the pattern"),
        ("a{9999999999999}", "mend the pattern"),
        ("\ud800", "surrogate"),
    ],
)
def test_what_the_engines_do_not_share_is_left_to_gx_with_a_reason(regex: str, reason: str) -> None:
    with pytest.raises(QualityError, match=reason):
        pattern_for_re2(regex)


@pytest.mark.parametrize("regex", ["^[A-Z]{1000}$", "(.{10}){100}", "^.{1000}$"])
def test_the_largest_repeats_still_run(connection: duckdb.DuckDBPyConnection, regex: str) -> None:
    assert found(connection, regex, ["A" * 1000]) == [True]


@pytest.mark.parametrize(
    "regex", [r"^\d$", r"^\D$", r"^\w$", r"^\W$", r"^\s$", r"^\S$", r"^[\w.]$", r"^[^\d\s]$", r"^[\D]$"]
)
def test_a_category_holds_the_characters_that_it_holds_in_python(
    connection: duckdb.DuckDBPyConnection, regex: str
) -> None:
    characters = [chr(code) for code in range(1, sys.maxunicode + 1, 7) if not 0xD800 <= code < 0xE000]
    characters += [chr(code) for code in range(1, 0x3000)]
    assert found(connection, regex, characters) == [bool(re.search(regex, char)) for char in characters]
