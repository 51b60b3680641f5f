"""Tokens made with different keys never join: an answer that shows both says so, and no other does."""

from pathlib import Path

import pytest

from mesh_defs.settings import Settings
from tests.authoring.test_tokens import CARDS, COLUMNS, made, mesh_of, people
from tests.meshes import ask, contract, grants, rows, sql

MASKED = (
    "{id: ada, principals: [ada], purposes: [measurement], masks: {email: token}}",
    "{id: max, principals: [max], purposes: [measurement]}",
)
JOIN = "SELECT count(*) FROM people.persons p JOIN shop.cards c ON p.email = c.email"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    shop = {**contract("shop.cards", columns=COLUMNS), **sql("cards", CARDS), **grants("shop.cards", *MASKED)}
    return mesh_of(tmp_path, people={**people(), **grants("people.persons", *MASKED)}, shop=shop)


def test_a_join_of_tokens_by_different_keys_is_noted(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    made(settings)
    assert rows(settings, JOIN) == [(3,)]
    assert ask(settings, JOIN).movement.notes == ()
    monkeypatch.setenv("MESH_TOKENS_EMAIL", "ab" * 32)
    made(settings, "people.persons")
    assert rows(settings, JOIN) == [(0,)]
    assert ask(settings, JOIN).movement.notes == (
        "tokens of 'email' in people.persons.email and shop.cards.email were made with different keys and never join:"
        " publish the older ones anew",
    )
    assert rows(settings, JOIN, who="max") == [(3,)]
    for query, who in ((JOIN, "max"), ("SELECT email FROM people.persons", "ada")):
        assert ask(settings, query, who=who).movement.notes == ()
    made(settings, "shop.cards")
    assert ask(settings, JOIN).movement.notes == ()
