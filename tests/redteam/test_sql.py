"""The corpora against the door: nothing leaks, nothing is answered wrongly, what is benign is answered."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mesh_defs.model.access import View
from tests.redteam.cases import Case, Corpus, read_corpus
from tests.redteam.run import Stage, run, staged
from tests.redteam.sql import passed, summary

HERE = Path(__file__).parent
BENIGN = read_corpus(HERE / "sql_benign.json")
SHARED = read_corpus(HERE / "sql_attacks.json")
OWN = read_corpus(HERE / "own_attacks.json")
# Of the other storages, what touches bytes: what is refused while it is parsed is refused alike.
TOUCHING = {
    "mask-inference",
    "count-alias",
    "error-side-channel",
    "hash-dictionary",
    "statistics",
    "capture",
    "bind-time",
}


def quiet(line: str) -> None:
    """Progress is for people."""


def told_of(corpus: Corpus, stage: Stage) -> dict[str, object]:
    verdicts, seconds = run(corpus, stage, quiet)
    return summary(corpus, verdicts, storage=stage.fixture.spot.kind, seconds=seconds)


def require_held(corpus: Corpus, stage: Stage) -> None:
    told = told_of(corpus, stage)
    assert passed(told), told["why"]
    assert told["not_run"] == {}


def quick(corpus: Corpus) -> Corpus:
    """Without what takes seconds each; `python -m tests.redteam.sql` runs all."""
    slow = [case for case in corpus.cases if case.oracle == "dos" or case.category == "limit-oracle"]
    return replace(corpus, cases=tuple(case for case in corpus.cases if case not in slow))


def test_the_shared_attacks_get_nothing_and_end_in_time(stage: Stage) -> None:
    require_held(SHARED, stage)


def test_our_own_attacks_get_nothing(stage: Stage) -> None:
    require_held(quick(OWN), stage)


def test_benign_questions_get_what_the_permitted_rows_give(stage: Stage) -> None:
    told = told_of(BENIGN, stage)
    assert (told["wrong"], told["benign_refused"]) == ([], [])


ELSEWHERE = ["duckdb", "delta", "external-duckdb", "postgres", "external-postgres", "s3", "iceberg"]


@pytest.fixture(scope="module", params=ELSEWHERE)
def elsewhere(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with staged(request.param) as made:
        yield made


def test_on_every_storage_hidden_bytes_stay_hidden(elsewhere: Stage) -> None:
    cases = (*SHARED.cases, *OWN.cases, *BENIGN.cases)
    touching = tuple(case for case in cases if case.category in TOUCHING or case.oracle == "benign")
    require_held(quick(Corpus(cases=touching, malformed={})), elsewhere)


def test_the_harness_finds_what_leaks_when_the_rules_are_gone(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A harness that cannot fail proves nothing."""
    seen_whole = View(grant="mutant")
    monkeypatch.setattr("mesh_defs.policy.authorize.view_of", lambda *given, **more: seen_whole)
    wanted = {"lexical", "mask-inference", "count-alias", "whole-row", "pivot", "oracle-pair"}
    cases = tuple(case for case in (*SHARED.cases, *OWN.cases) if case.category in wanted)
    told = told_of(Corpus(cases=cases, malformed={}), stage)
    assert not passed(told)
    leaking = {case.category for case in cases if case.id in told["leaks"]}  # type: ignore[operator]
    assert leaking == wanted


def test_a_case_that_cannot_be_arranged_is_told_and_not_safe(stage: Stage) -> None:
    odd = Case(id="X1", sql="select 1", oracle="markers", policy="a policy of another world")
    told = told_of(Corpus(cases=(odd,), malformed={}), stage)
    assert (list(told["not_run"]), told["safe"], passed(told)) == (["X1"], 0, False)  # type: ignore[call-overload]
