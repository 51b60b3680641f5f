"""Whom a policy server trusts, and for how long; the names that only it knows."""

import threading

import pytest

from mesh_defs.errors import DeclarationError, UnreachableError
from mesh_defs.model.place import TrinoAccess
from mesh_defs.settings import load_settings
from mesh_defs.trino import serve
from mesh_defs.trino.canary import SEEN, TRUSTED_SECONDS, Canary
from mesh_defs.trino.coordinator import Coordinator
from mesh_defs.trino.names import names_of
from mesh_defs.trino.policy_server import PolicyServer
from mesh_defs.trino.serve import watch
from tests.meshes import make_mesh

NOWHERE = Coordinator(TrinoAccess(url="http://127.0.0.1:9", user="someone"))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_trust_ends_by_itself_when_nobody_looks_any_more() -> None:
    clock = Clock()
    canary = Canary("c", clock)
    assert not canary.trusted
    canary.returned(SEEN)
    clock.now += TRUSTED_SECONDS - 1
    assert canary.trusted
    clock.now += 1
    assert not canary.trusted


@pytest.mark.parametrize("rows", [[], [["bigint"]], [["canary"], ["canary"]]])
def test_a_reading_that_is_not_filtered_and_masked_ends_trust(rows: list[list[object]]) -> None:
    canary = Canary("c")
    canary.returned(SEEN)
    canary.returned(rows)
    assert not canary.trusted


def test_a_trino_that_is_gone_is_trusted_no_more(caplog: pytest.LogCaptureFixture) -> None:
    canary, stop = Canary("c"), threading.Event()
    canary.returned(SEEN)
    stop.set()
    watch(canary, NOWHERE, stop)
    assert not canary.trusted
    assert "does not answer: see --trino" in caplog.text


def test_a_thread_that_dies_leaves_no_trust_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    canary = Canary("c", clock)

    def dies(at: Coordinator, sql: str) -> list[list[object]]:
        raise RuntimeError

    canary.returned(SEEN)
    monkeypatch.setattr(Coordinator, "rows", dies)
    with pytest.raises(RuntimeError):
        watch(canary, NOWHERE, threading.Event())
    clock.now += TRUSTED_SECONDS
    assert not canary.trusted


def test_policy_servers_with_one_secret_know_one_another() -> None:
    secret = "0123456789abcdef" * 4
    assert names_of(secret) == names_of(secret)
    assert names_of() != names_of()
    ours, anothers = names_of(secret), names_of()
    assert [ours.is_anothers(user) for user in (ours.canary, ours.filters, "ada+measurement")] == [False] * 3
    assert ours.is_anothers(anothers.filters)
    assert ours.is_anothers(anothers.canary)
    assert secret not in f"{ours}{ours.canary}{ours.filters}"
    assert ours.filters not in f"{ours!r}{PolicyServer(lambda: None, Canary(ours.canary), ours, lambda user: [])!r}"  # type: ignore[arg-type, return-value]


def test_a_secret_that_could_be_guessed_is_refused() -> None:
    with pytest.raises(DeclarationError, match="MESH_TRINO_POLICY_SECRET: it could be guessed"):
        names_of("short")


def test_a_canary_with_a_password_goes_over_https_only(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = make_mesh(tmp_path_factory.mktemp("mesh") / "mesh", {})
    told = {"MESH_TRINO_CANARY": "bird", "MESH_TRINO_CANARY_PASSWORD": "a-password"}
    settings = load_settings({"MESH_ROOT": str(root), **told})
    with pytest.raises(UnreachableError, match="https only") as refused:
        serve.serve(settings, host="127.0.0.1", port=0, trino_url="http://127.0.0.1:9")
    assert "a-password" not in str(refused.value)
