"""A party or the join that goes down at any step: nothing is released, the budget is whole, and the ledgers agree."""

from collections.abc import Callable

import pytest

from mesh_defs.cleanroom.host import JoinServer
from mesh_defs.cleanroom.processes import verify_signed
from mesh_defs.cleanroom.wire import read
from mesh_defs.errors import UnreachableError
from tests.cleanroom.inside import Inside, as_it_is
from tests.cleanroom.parties import AGENCY, JOIN, ROOM, SHOP, plain

BEFORE_DELIVERY = ("prepare", "share", "partial", "commit", "cosign")
STEPS = [(name, kind) for kind in BEFORE_DELIVERY for name in (SHOP, AGENCY) if (name, kind) != (AGENCY, "share")]


class Gone(BaseException):
    """The join's process, in the middle of something."""


class Fault:
    """From one message on a party is down: before it has taken that one, or after. Remembers the run."""

    def __init__(self, name: str, kind: str, *, handled: bool = False, error: type[BaseException] = UnreachableError):
        self.name, self.kind, self.handled, self.error = name, kind, handled, error
        self.down, self.run = False, ""

    def __call__(self, to: str, raw: bytes, handle: Callable[[bytes], bytes]) -> bytes:
        head = read(raw).head
        self.run = head.run if head.kind == "prepare" else self.run
        if to == self.name and (head.kind == self.kind or self.down):
            if self.handled and not self.down:
                handle(raw)
            self.down = True
            raise self.error("down")
        return handle(raw)


def agree(inside: Inside) -> None:
    """No ledger says of a run what another does not, and what was signed is still there."""
    shop, agency = inside.page(SHOP), inside.page(AGENCY)
    assert shop.micro_rho == agency.micro_rho == 0
    assert not shop.unsettled and not agency.unsettled
    assert {each.run for each in shop.releases} == {each.run for each in agency.releases}
    for name in (SHOP, AGENCY):
        assert verify_signed(inside.parties.meshes[name], ROOM) == ()


def require_answers(inside: Inside) -> None:
    answer = inside.ask()
    assert answer["kind"] == "ask-answer", answer
    assert sorted((channel, region, *numbers) for (channel, region), numbers, _ in answer["groups"]) == sorted(
        (channel, region, *numbers) for region, channel, *numbers in plain()
    )
    agree(inside)


def test_two_parties_and_a_join_answer_as_one_database_would(inside: Inside) -> None:
    require_answers(inside)
    assert inside.ask()["repeated"]
    run = inside.ask()["run"]
    assert inside.kinds(SHOP, run) == ["asked", "released"]
    assert inside.kinds(AGENCY, run) == ["asked", "released", "received"]


@pytest.mark.parametrize("handled", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("name", "kind"), STEPS)
def test_a_party_that_goes_down_leaves_nothing_released(inside: Inside, name: str, kind: str, handled: bool) -> None:
    fault = Fault(name, kind, handled=handled)
    inside.between = fault
    answer = inside.ask()
    assert (answer["kind"], answer["code"], answer["fix"]) == ("refused", "engine", "ask its parties, or again")
    assert f"(unreachable: {name})" in answer["what"]
    (other,) = {SHOP, AGENCY} - {name}
    assert inside.page(other).releases == () and inside.page(other).micro_rho == 0
    assert "received" not in inside.kinds(AGENCY, fault.run)
    inside.between = as_it_is
    inside.restart(name)
    require_answers(inside)
    assert {tuple(inside.kinds(each, fault.run))[-1:] for each in (SHOP, AGENCY)} <= {("abandoned",), ()}


@pytest.mark.parametrize(("name", "kind"), [each for each in STEPS if each[1] != "prepare"])
def test_a_party_that_starts_anew_in_mid_run_refuses_what_follows(inside: Inside, name: str, kind: str) -> None:
    def between(to: str, raw: bytes, handle: Callable[[bytes], bytes]) -> bytes:
        if (to, read(raw).head.kind) == (name, kind):
            inside.restart(name)
        return inside.servers[to].handle(raw)

    inside.between = between
    assert inside.ask()["kind"] == "refused"
    inside.between = as_it_is
    assert inside.page(SHOP).releases == inside.page(AGENCY).releases == ()
    require_answers(inside)


@pytest.mark.parametrize("kind", [*BEFORE_DELIVERY, "deliver"])
def test_a_join_that_dies_settles_its_run_when_it_is_back(inside: Inside, kind: str) -> None:
    fault = Fault(SHOP, kind, error=Gone)
    inside.between = fault
    with pytest.raises(Gone):
        inside.ask()
    inside.between = as_it_is
    inside.restart(JOIN)
    inside.restart(AGENCY)
    join = inside.servers[JOIN]
    assert isinstance(join, JoinServer)
    join.settle()
    assert inside.page(SHOP).releases == inside.page(AGENCY).releases == ()
    require_answers(inside)


def test_numbers_that_do_not_arrive_count_as_released_and_are_had_by_asking_again(inside: Inside) -> None:
    fault = Fault(AGENCY, "deliver")
    inside.between = fault
    assert inside.ask()["what"] == "the release did not arrive"
    assert inside.kinds(SHOP, fault.run) == inside.kinds(AGENCY, fault.run) == ["asked", "released"]
    inside.between = as_it_is
    inside.restart(AGENCY)
    require_answers(inside)


def test_an_answer_that_is_lost_on_its_way_back_is_had_all_the_same(inside: Inside) -> None:
    inside.between = Fault(AGENCY, "deliver", handled=True)
    assert inside.ask()["kind"] == "ask-answer"


def test_a_guard_that_goes_down_before_it_keeps_the_signatures_stops_the_release(inside: Inside) -> None:
    fault = Fault(SHOP, "deliver", handled=True)
    inside.between = fault
    assert inside.ask()["kind"] == "refused"
    assert "received" not in inside.kinds(AGENCY, fault.run)
    inside.between = as_it_is
    inside.restart(SHOP)
    require_answers(inside)
    assert inside.kinds(SHOP, fault.run) == inside.kinds(AGENCY, fault.run) == ["asked", "released", "abandoned"]
