"""The order in which the mesh is made."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh_defs.errors import NotFoundError
from mesh_defs.model.mesh import DataProduct
from mesh_defs.refresh.order import ready_groups, selected, stopped_by
from tests.factories import a_contract, a_product


def products(inputs: Mapping[str, tuple[str, ...]]) -> dict[str, DataProduct]:
    return {
        name: a_product(contract=a_contract(product=name), inputs=wanted, location=name.partition(".")[0])
        for name, wanted in inputs.items()
    }


CHAIN = {"a.one": (), "a.two": ("a.one",), "b.three": ("a.two",), "a.four": ("b.three",), "b.alone": ()}


def test_groups_what_one_location_can_make_together() -> None:
    groups = ready_groups(products(CHAIN), pending=CHAIN, blocked=())
    assert [(group.location, group.products) for group in groups] == [("a", ("a.one", "a.two")), ("b", ("b.alone",))]


def test_waits_for_other_locations() -> None:
    groups = ready_groups(products(CHAIN), pending={"b.three", "a.four"}, blocked=())
    assert [group.products for group in groups] == [("b.three",)]


def test_a_failure_stops_what_is_downstream_and_nothing_else() -> None:
    assert stopped_by(products(CHAIN), {"a.two"}, {"b.three", "a.four", "b.alone"}) == {"b.three", "a.four"}


def test_a_cycle_is_never_ready() -> None:
    assert ready_groups(products({"a.x": ("b.y",), "b.y": ("a.x",)}), pending={"a.x", "b.y"}, blocked=()) == ()


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        ((), tuple(CHAIN)),
        (("a",), ("a.one", "a.two", "a.four")),
        (("b.three",), ("b.three",)),
        (("+b.three",), ("a.one", "a.two", "b.three")),
        (("a.two+",), ("a.two", "b.three", "a.four")),
        (("+a.two+",), ("a.one", "a.two", "b.three", "a.four")),
        (("b.alone", "a.one"), ("a.one", "b.alone")),
    ],
)
def test_selects_by_domain_name_and_reach(selection: tuple[str, ...], names: tuple[str, ...]) -> None:
    assert selected(products(CHAIN), selection) == names


def test_an_unknown_selection_offers_the_nearest_name() -> None:
    with pytest.raises(NotFoundError, match=r"did you mean 'b\.three'"):
        selected(products(CHAIN), ("b.tree",))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_every_product_of_an_acyclic_mesh_is_made_once_after_its_inputs(edges: list[tuple[int, int]]) -> None:
    inputs: dict[str, tuple[str, ...]] = {f"d{n % 3}.p{n}": () for n in range(10)}
    for low, high in ((min(pair), max(pair)) for pair in edges if pair[0] != pair[1]):
        inputs[f"d{high % 3}.p{high}"] += (f"d{low % 3}.p{low}",)
    mesh, pending, made = products(inputs), set(inputs), []
    while pending:
        group = ready_groups(mesh, pending=pending, blocked=())[0]
        for name in group.products:
            assert not set(inputs[name]) & (pending - set(group.products))
        made += group.products
        pending -= set(group.products)
    assert sorted(made) == sorted(inputs)
