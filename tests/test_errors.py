"""Errors: what happened, where, how to mend it, with the nearest valid name; and they survive the way between processes."""

import copy
import inspect
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh_defs import errors
from mesh_defs.errors import (
    DeclarationError,
    Finding,
    MeshError,
    StorageError,
    StorageUnreachableError,
    UnreachableError,
    closest,
    nearest,
)

KINDS = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, MeshError)]
FINDINGS = [Finding(where="a.yaml:1: x", what="wrong", fix="mend it"), Finding(where="b", what="worse", fix="write it")]


def an_error(kind: type[MeshError]) -> MeshError:
    return DeclarationError(FINDINGS) if kind is DeclarationError else kind("it broke", where="here", fix="mend it")


@pytest.mark.parametrize(
    ("where", "fix", "told"),
    [("here", "mend it", "here: it broke — mend it"), ("", "mend it", "it broke — mend it"), ("", "", "it broke")],
)
def test_a_message_says_where_what_and_how_to_mend(where: str, fix: str, told: str) -> None:
    assert str(StorageError("it broke", where=where, fix=fix)) == told


def test_a_declaration_tells_all_its_findings() -> None:
    error = DeclarationError(FINDINGS)
    assert str(error) == "a.yaml:1: x: wrong — mend it\nb: worse — write it"
    assert (error.where, error.what, error.fix) == ("a.yaml:1: x", "wrong", "mend it")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_code_of_its_own_and_words(kind: type[MeshError]) -> None:
    assert [other.code for other in KINDS].count(kind.code) == 1
    assert kind.__doc__
    assert kind.__name__ in str(errors.__doc__)


def test_only_what_may_answer_later_is_worth_a_retry() -> None:
    assert [kind for kind in KINDS if kind.retryable] == [UnreachableError, StorageUnreachableError]


@pytest.mark.parametrize("kind", KINDS)
def test_errors_cross_processes_whole(kind: type[MeshError]) -> None:
    error = an_error(kind)
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is kind
        assert (str(other), vars(other)) == (str(error), vars(error))


@pytest.mark.parametrize(
    ("name", "known", "told"),
    [
        ("evnts", ["events", "audiences"], "did you mean 'events'?"),
        ("EVENTS", ["events"], "did you mean 'events'?"),
        ("string", ["String"], "did you mean 'String'?"),
        ("x", ["b", "a"], "known: a, b"),
        ("x", [], "there are none yet"),
        ("qq", [f"n{number:02}" for number in range(20)], "known: " + ", ".join(f"n{n:02}" for n in range(12)) + ", …"),
        ("", ["a"], "known: a"),
    ],
)
def test_the_nearest_name_is_offered_or_what_is_known(name: str, known: list[str], told: str) -> None:
    assert nearest(name, known) == told
    assert nearest(name, dict.fromkeys(known)) == told


def test_a_name_of_a_million_letters_is_compared_with_nothing() -> None:
    assert closest("x" * 1_000_000, ["x" * 999_999]) is None


@settings(max_examples=50, deadline=None)
@given(name=st.text(max_size=10), known=st.lists(st.text(max_size=10), max_size=5))
def test_what_is_offered_is_known(name: str, known: list[str]) -> None:
    assert closest(name, known) in [None, *known]
    assert nearest(name, known)
