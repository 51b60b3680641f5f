"""The privacy level between processes: every public group with noise, paid for in every party's ledger, once."""

from typing import Any

import pytest

from tests.cleanroom.inside import URLS, Inside, as_it_is
from tests.cleanroom.parties import AGENCY, CHANNELS, QUESTION, SHOP, Parties, plain
from tests.cleanroom.test_processes_faults import STEPS, Fault

SHARE = 400_000
REACH = (
    "SELECT o.region, count(DISTINCT o.email) AS buyers"
    " FROM shop.orders AS o JOIN agency.reached AS r ON o.email = r.email GROUP BY 1"
)
# What a party that is up has spent on a run that another one ended at a step.
SPENT = {"prepare": {0}, "share": {0}, "partial": {0}, "commit": {0, SHARE}, "cosign": {SHARE}}


@pytest.fixture
def private(made: Parties) -> Inside:
    made.fresh()
    made.private(URLS)
    return Inside(made)


def spent(inside: Inside) -> set[int]:
    return {inside.page(name).micro_rho for name in (SHOP, AGENCY)}


def test_every_public_group_comes_out_near_the_truth(private: Inside) -> None:
    answer = private.ask()
    assert answer["kind"] == "ask-answer", answer
    found = {tuple(values): list(zip(numbers, accuracy, strict=True)) for values, numbers, accuracy in answer["groups"]}
    assert found.keys() == {(channel, region) for channel in CHANNELS for region in ("north", "south")}
    truth: dict[tuple[Any, ...], list[Any]] = {(channel, region): rest for region, channel, *rest in plain()}
    for group, numbers in found.items():
        for (number, within), wanted in zip(numbers, truth.get(group, [0, 0, 0]), strict=True):
            assert within > 0
            assert abs(number - wanted) <= 4 * within
    assert (answer["micro_rho"], spent(private)) == (SHARE, {SHARE})


def test_the_same_again_costs_nothing_and_more_than_is_left_is_refused(private: Inside) -> None:
    first, again = private.ask(), private.ask()
    assert (again["groups"], again["repeated"], spent(private)) == (first["groups"], True, {SHARE})
    assert private.ask(REACH)["kind"] == "ask-answer"
    refused = private.ask(QUESTION.replace("count(*) AS orders, ", ""))
    assert (refused["kind"], refused["code"], spent(private)) == ("refused", "budget-exhausted", {2 * SHARE})
    assert private.ask(QUESTION.replace("count(*) AS orders, ", ""), micro_rho=100_000)["micro_rho"] == 100_000


@pytest.mark.parametrize("micro_rho", [0, -1, SHARE + 1])
def test_a_cost_that_cannot_be_is_refused(private: Inside, micro_rho: int) -> None:
    assert private.ask(micro_rho=micro_rho)["code"] == "analysis-rejected"
    assert spent(private) == {0}


@pytest.mark.parametrize(("name", "kind"), STEPS)
def test_a_run_that_is_abandoned_costs_nothing_where_it_was_not_recorded(private: Inside, name: str, kind: str) -> None:
    """A party that was down keeps its reservation until it hears; one that had recorded the release keeps it spent."""
    private.between = fault = Fault(name, kind)
    assert private.ask()["kind"] == "refused"
    (other,) = {SHOP, AGENCY} - {name}
    assert private.page(other).micro_rho in SPENT[kind]
    assert "received" not in private.kinds(AGENCY, fault.run)
    private.between = as_it_is
    private.restart(name)
    assert private.ask()["kind"] == "ask-answer"
    assert spent(private) <= {SHARE, 2 * SHARE}
