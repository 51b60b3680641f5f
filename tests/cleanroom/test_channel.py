"""TLS as configured, and limits: large bodies, slow ones, connections that say nothing."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mesh_defs.cleanroom import serving
from mesh_defs.cleanroom.channel import Trust, poster
from mesh_defs.cleanroom.keys import identity, make_identity
from mesh_defs.errors import AccessDeniedError, NotFoundError, StorageError, UnreachableError
from mesh_defs.ledger.head import public_text
from mesh_defs.processes.programs import free_ports
from tests.cleanroom.certificates import trust_of
from tests.meshes import settings_of

Handle = Callable[[bytes], bytes]


def echo(raw: bytes) -> bytes:
    return raw


@contextmanager
def served(handle: Handle, trust: Trust | None = None) -> Iterator[int]:
    (port,) = free_ports(1)
    server = serving.server(handle, host="127.0.0.1", port=port, trust=trust or Trust())
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(20)


def test_tls_asks_both_sides_for_a_certificate(certificates: Path) -> None:
    with served(echo, trust_of(certificates)) as port:
        url = f"https://127.0.0.1:{port}"
        assert poster(trust_of(certificates))(url, b"hello", 20, 100) == b"hello"
        for wrong in (
            trust_of(certificates, "other"),
            trust_of(certificates, shown=None),
            trust_of(certificates, shown="other"),
        ):
            with pytest.raises(UnreachableError):
                poster(wrong)(url, b"hello", 20, 100)
        with pytest.raises(UnreachableError):
            poster(Trust())(f"http://127.0.0.1:{port}", b"hello", 20, 100)


def test_plain_http_stays_on_this_machine_unless_told_otherwise() -> None:
    for host in ("0.0.0.0", "::", "partner.example", "10.0.0.1"):
        with pytest.raises(AccessDeniedError, match="plain HTTP"):
            serving.serve(echo, host=host, port=1, trust=Trust())
    with pytest.raises(AccessDeniedError, match="plain HTTP"):
        poster(Trust())("http://partner.example", b"", 1, 1)
    Trust(plain=True).require_safe("partner.example", encrypted=False)


def test_a_port_in_use_or_a_host_of_another_machine_is_told() -> None:
    with (
        served(echo) as port,
        pytest.raises(UnreachableError, match=rf"port {port}: it cannot listen there: Address already in use — "),
    ):
        serving.serve(echo, host="127.0.0.1", port=port, trust=Trust())
    for host in ("203.0.113.9", "nowhere.invalid"):
        with pytest.raises(UnreachableError, match="cannot listen there"):
            serving.serve(echo, host=host, port=1, trust=Trust(plain=True))


def test_why_there_is_no_answer_is_told(certificates: Path) -> None:
    (port,) = free_ports(1)
    with pytest.raises(UnreachableError, match="nobody listens there"):
        poster(Trust())(f"http://127.0.0.1:{port}", b"", 20, 100)
    with pytest.raises(UnreachableError, match="no such host"):
        poster(Trust(plain=True))("http://nowhere.invalid:1", b"", 20, 100)
    with served(echo, trust_of(certificates)) as port, pytest.raises(UnreachableError, match="of no authority"):
        poster(trust_of(certificates, "other"))(f"https://127.0.0.1:{port}", b"", 20, 100)


def test_a_file_that_is_no_certificate_is_named() -> None:
    with pytest.raises(NotFoundError, match="certificate"):
        poster(Trust(ca="/nowhere.pem"))("https://127.0.0.1:1", b"", 1, 1)


def test_bodies_have_a_limit_both_ways() -> None:
    with served(lambda raw: bytes(10_000)) as port:
        url = f"http://127.0.0.1:{port}"
        with pytest.raises(UnreachableError, match="over"):
            poster(Trust())(url, b"", 20, 9_999)
        with pytest.raises((AccessDeniedError, UnreachableError)):
            poster(Trust())(url, bytes(serving.BODY_BYTES_MAX + 1), 60, 100_000)


def test_what_is_refused_or_fails_gets_a_status_and_no_word() -> None:
    def refuse(raw: bytes) -> bytes:
        raise AccessDeniedError("secret") if raw == b"1" else RuntimeError("secret")

    with served(refuse) as port:
        for body, status in ((b"1", 403), (b"2", 500)):
            with pytest.raises(AccessDeniedError, match=str(status)) as caught:
                poster(Trust())(f"http://127.0.0.1:{port}", body, 20, 100)
            assert "secret" not in str(caught.value)


def test_who_connects_and_says_nothing_or_half_does_not_keep_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "HEAD_SECONDS_MAX", 0.2)
    monkeypatch.setattr(serving, "BODY_SECONDS_MAX", 0.2)
    with served(echo) as port:
        begun = [b"", b"POST /room HT", b"POST /room HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf"]
        open_ = [socket.create_connection(("127.0.0.1", port)) for _ in range(60)]
        for place, each in enumerate(open_):
            each.sendall(begun[place % 3])
        assert poster(Trust())(f"http://127.0.0.1:{port}", b"hello", 20, 100) == b"hello"
        for each in open_:
            each.settimeout(20)
            while each.recv(1_000):
                pass
            each.close()


def test_a_server_that_drips_is_given_up_in_time() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        one, _ = listener.accept()
        one.recv(10_000)
        try:
            one.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
            while True:
                one.sendall(b".")
                time.sleep(0.05)
        except OSError:
            one.close()

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    with pytest.raises(UnreachableError):
        poster(Trust())(f"http://127.0.0.1:{listener.getsockname()[1]}", b"hello", 0.5, 1_000_000)
    thread.join(20)
    assert not thread.is_alive()
    listener.close()


def test_a_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "mesh", {})
    with pytest.raises(NotFoundError, match="no key"):
        identity(settings)
    public, new = make_identity(settings)
    assert new and make_identity(settings) == (public, False)
    file = settings.secrets / "room.key"
    assert file.stat().st_mode & 0o777 == 0o600 and public_text(identity(settings)) == public
    file.write_text("lost")
    with pytest.raises(StorageError, match="no ed25519 key"):
        make_identity(settings)
