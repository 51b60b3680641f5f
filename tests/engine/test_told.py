"""What a message of DuckDB's may repeat: the asker's own words, and nothing beneath them."""

import pytest

from mesh_defs.engine.told import Names, failure, names_of
from mesh_defs.errors import EngineError, MeshError, QueryRejectedError, StorageError
from mesh_defs.model.query import GovernedSQL

ASKED = Names(asked=frozenset({"emial", "p", "id", "sum", "name"}), hidden=frozenset({"salary", "pin_x__people"}))

SAID = {
    'Binder Error: Referenced column "emial" not found in FROM clause!': (
        'Referenced column "emial" not found in FROM clause!'
    ),
    'Binder Error: Referenced column "salary" not found': "Referenced column … not found",
    'Binder Error: Ambiguous reference to column name "id" (use: "p.id" or "pin_x__people.id")': (
        'Ambiguous reference to column name "id" (use: "p.id" or …)'
    ),
    "Binder Error: Table with name pin_x__people does not exist!": "Table with name … does not exist!",
    "Catalog Error: Table with name governed_0 does not exist!": "Table with name … does not exist!",
    "Binder Error: No function matches 'sum(VARCHAR)'. You can't do that": (
        "No function matches 'sum(VARCHAR)'. You can't do that"
    ),
    "Binder Error: No function matches 'sum(STRUCT(salary INTEGER))'.": "No function matches ….",
    "Binder Error: cannot compare salary with name": "cannot compare … with name",
    'Binder Error: a "name" and "sala': 'a "name" and …',
    "Binder Error: a \"na\"\"me\" and 'it''s a value'": "a … and …",
    "Binder Error: it's not 'salary'": "it's not …",
    "Binder Error: (memory.main.pin_x__people.salary)": "…",
    "no prefix at all": "no prefix at all",
    "": "the engine failed",
}


@pytest.mark.parametrize("said", SAID)
def test_repeats_only_what_was_asked(said: str) -> None:
    error = failure({"kind": "BinderException", "binding": said}, ASKED)
    assert error.what == SAID[said]


def test_without_words_of_the_asker_no_name_is_repeated() -> None:
    error = failure({"kind": "BinderException", "binding": 'Binder Error: column "id" of "p"'}, Names())
    assert error.what == "column … of …"


def test_the_askers_words_are_those_outside_of_the_guards() -> None:
    guard = 'SELECT "id" FROM "pin_x__people" WHERE "salary" > 5'
    names = names_of(GovernedSQL(text=f"SELECT Id, nope FROM ({guard}) AS P", pins=(), guards={"x.people": guard}))
    assert names.asked == {"select", "id", "nope", "from", "as", "p"}


def test_a_guard_that_is_not_found_as_it_is_leaves_no_word() -> None:
    names = names_of(GovernedSQL(text="SELECT salary FROM x", pins=(), guards={"x.people": "SELECT  salary FROM x"}))
    assert names.asked == frozenset()


@pytest.mark.parametrize(
    ("told", "kind", "what"),
    [
        ({"kind": "OutOfMemoryException"}, EngineError, "out of memory"),
        ({"kind": "MemoryError"}, EngineError, "out of memory"),
        ({"kind": "ConversionException"}, EngineError, "the engine failed"),
        ({"kind": "BinderException", "binding": "Binder Error: x"}, QueryRejectedError, "x"),
        (
            {"kind": "HTTPException", "status": 403},
            EngineError,
            "a product's storage did not answer as it should (HTTP 403)",
        ),
        (
            {"kind": "HTTPException", "status": None},
            EngineError,
            "a product's storage did not answer as it should (HTTP ?)",
        ),
        ({"mesh": {"code": "storage", "what": "w", "where": "h", "fix": "f"}}, StorageError, "w"),
        ({"mesh": {"code": "of a later release", "what": "w", "where": "h", "fix": "f"}}, EngineError, "w"),
        ({}, EngineError, "the engine failed"),
    ],
)
def test_each_failure_is_an_error_of_ours_with_a_mend(
    told: dict[str, object], kind: type[MeshError], what: str
) -> None:
    error = failure(told, ASKED)
    assert (type(error), error.what) == (kind, what)
    assert error.fix
