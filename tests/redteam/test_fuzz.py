"""What ana sees does not depend on what she may not see: a seeded thousand random questions, and fuzzers that must fail."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from mesh_defs.model.access import View
from mesh_defs.policy.view import view_of
from tests.redteam.fuzz import Sides, as_json, fuzz, sides
from tests.redteam.grammar import Grammar

QUERIES, FEW = 1000, 300
MUTANTS = ("odd values, more rows", "no hidden rows, no hr")


@pytest.fixture(scope="module")
def meshes() -> Iterator[Sides]:
    with sides("parquet", MUTANTS) as made:
        yield made


def test_a_thousand_questions_come_to_the_same_whatever_is_hidden(meshes: Sides) -> None:
    report = fuzz(meshes, QUERIES, seed=20261128)
    assert report.complaints == [], as_json(report, storage="parquet", seed=20261128)["examples"]


FORGETFUL: dict[str, Callable[[View], View]] = {
    "the row rules": lambda view: replace(view, rules=()),
    "the masks": lambda view: replace(view, masks={}),
}


@pytest.mark.parametrize("forgotten", FORGETFUL)
def test_the_fuzzer_finds_a_door_that_forgot(meshes: Sides, monkeypatch: pytest.MonkeyPatch, forgotten: str) -> None:
    """A fuzzer that cannot fail proves nothing."""

    def forgetful(*given: Any, **more: Any) -> View:
        return FORGETFUL[forgotten](view_of(*given, **more))

    monkeypatch.setattr("mesh_defs.policy.authorize.view_of", forgetful)
    report = fuzz(meshes, FEW, seed=7)
    assert report.differ
    assert report.unlike_reference


def test_the_same_seed_asks_the_same() -> None:
    asked = [[grammar.query() for _ in range(50)] for grammar in (Grammar(random=Random(3)), Grammar(random=Random(3)))]
    assert asked[0] == asked[1]
