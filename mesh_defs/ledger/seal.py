"""The file of the signed head: written after each commit, never back, and read before the ledger is believed.

It is one block of a disk, written in place under a lock: that takes no room on a full disk, and a crash leaves the old head
or the new. It is not waited for (no fsync): the entries are durable, and entries beyond the head are legal when they
chain on. So after a power cut the head may be older than the ledger, never newer.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh_defs.errors import StorageError
from mesh_defs.ledger.head import Head, parse, public_text, sign
from mesh_defs.ledger.key import KeyFiles
from mesh_defs.settings import Settings
from mesh_defs.storage import durable

BLOCK_BYTES = 512
_FIX = (
    "keep everything as it is and find out who changed it: `mesh audit verify` says what; "
    "what is known to be right (a backup that was put back) is accepted with `mesh audit sign`"
)


class LedgerDamagedError(StorageError):
    """The ledger is not what was recorded and signed: nothing may be recorded on top of it, so nothing may run."""

    def __init__(self, what: str, *, where: str, fix: str = _FIX) -> None:
        super().__init__(what, where=where, fix=fix)


class Seal:
    """Signs the newest entry, and says what was signed. Safe to share between threads and processes.

    A process without the key signs nothing; the next one that has it signs for both. `makes_key` says whether this process
    may begin: make the key and sign for the first time.
    """

    def __init__(self, file: Path, secrets: Path, *, makes_key: bool) -> None:
        self.file = file
        self._keys = KeyFiles(secrets)
        self._makes_key = makes_key
        # Of our threads, who reads the file while another writes it must not take what it read for the newer of the two.
        self._lock = threading.RLock()
        self._key: Ed25519PrivateKey | None = None
        self._read: tuple[bytes, Head] | None = None

    @property
    def begins(self) -> bool:
        """Tell whether the next signature would be the first."""
        return self._makes_key and self._loaded() is None and not self.raw()

    def head(self) -> Head | None:
        """Return the head, its signature verified; None before the first. LedgerDamagedError when it cannot be believed.

        Without any key of the mesh, of the signature only that it is the named key's own is known.
        """
        with self._lock:
            raw = self.raw()
            if self._read is not None and raw == self._read[0]:
                return self._read[1]
            if not raw:
                if self._read is None and self._loaded() is None:
                    return None
                raise self._damaged("the signed head of the ledger is gone")
            head = self._parsed(raw) or self._parsed(self.raw())  # a writer was in the middle, the first time
            if head is None:
                raise self._damaged("this is no head of a ledger")
            self._require_ours(head)
            if self._read is not None and head.seq < self._read[1].seq:
                raise self._damaged(f"the head went back from entry {self._read[1].seq} to {head.seq}")
            self._read = raw, head
            return head

    def raw(self) -> bytes:
        """What the head's file says, unread; nothing when there is none. StorageError when it cannot be read."""
        try:
            with open(self.file, "rb") as opened:
                return opened.read(8 * BLOCK_BYTES).strip(b" \n\0")
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise self._failed("read", error) from None

    def is_ours(self, head: Head) -> bool:
        """Tell whether a head names the mesh's key; so does any, where we may read no key."""
        return self._keys.public() in (None, head.key)

    def sign(self, newest: Mapping[str, Any]) -> None:
        """Sign that this entry, which is durable, is the newest; another process may have signed a newer one."""
        with self._lock, self._told():
            key = self._loaded()
            if key is None:
                if self._makes_key:
                    self._begin(newest)
                return
            with durable.locked(self.file):
                head = self.head()
                if head is None or head.seq < newest["seq"]:
                    self._write(key, newest)

    def accept(self, newest: Mapping[str, Any], *, over: bytes) -> None:
        """Sign this entry though the head says otherwise, if its file still reads `over`; else somebody signs who sees us.

        StorageError when this process has no key and can make none.
        """
        with self._lock, self._told():
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with durable.locked(self.file):
                key = self._loaded() or self._keys.prepared(make=True)
                if key is None:
                    fix = "run this as who may read it, or may make it"
                    raise StorageError("the key of the ledger cannot be read", where=self._keys.where, fix=fix)
                if self.raw() == over:
                    self._read = None
                    self._write(key, newest, first=True)
                    self._keys.settle()
                    return
        self.sign(newest)

    def _begin(self, newest: Mapping[str, Any]) -> None:
        """Sign for the first time; what a process that died in the middle of that left behind is finished."""
        if self.raw() and self._keys.prepared(make=False) is None:
            return  # signed by somebody whose key we may not read
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with durable.locked(self.file):
            if self._loaded() is None:
                raw = self.raw()
                key = self._keys.prepared(make=not raw)
                head = self._parsed(raw) if raw else None
                if key is None or (raw and (head is None or head.key != public_text(key))):
                    return
                if head is None or head.seq < newest["seq"]:
                    self._write(key, newest, first=True)
                self._keys.settle()
                return
        self.sign(newest)  # another process was faster

    def _write(self, key: Ed25519PrivateKey, newest: Mapping[str, Any], *, first: bool = False) -> None:
        head = sign(key, seq=newest["seq"], hash=newest["hash"], at=newest["at"])
        block = head.text.encode().ljust(BLOCK_BYTES - 1) + b"\n"
        assert len(block) == BLOCK_BYTES
        descriptor = os.open(self.file, os.O_WRONLY)
        try:
            os.pwrite(descriptor, block, 0)
            if first:  # its place on the disk and in the folder; from then on it is only overwritten
                os.ftruncate(descriptor, BLOCK_BYTES)
                os.fsync(descriptor)
                durable.sync(self.file.parent)
        finally:
            os.close(descriptor)
        self._read = block.strip(), head

    def _require_ours(self, head: Head) -> None:
        """The key is read again before it is said to be another: it may have been replaced while we ran."""
        if self._key is not None and public_text(self._key) != head.key:
            self._key = None
        public = public_text(self._key) if self._key is not None else self._keys.public()
        if public is not None and head.key != public:
            raise self._damaged("the head of the ledger is signed by another key than the mesh's")

    def _parsed(self, raw: bytes) -> Head | None:
        try:
            head = parse(raw)
        except ValueError:
            return None
        return head if head.is_genuine else None

    def _loaded(self) -> Ed25519PrivateKey | None:
        if self._key is None:
            self._key = self._keys.load()
        return self._key

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._failed("signed", error) from None

    def _failed(self, done: str, error: OSError) -> StorageError:
        what = f"the head of the ledger could not be {done}: {os.strerror(error.errno or 0)}"
        return StorageError(what, where=str(self.file), fix="check its disk and its rights. Nothing runs unsigned")

    def _damaged(self, what: str) -> LedgerDamagedError:
        return LedgerDamagedError(what, where=str(self.file))


def seal_of(settings: Settings) -> Seal:
    """The seal of a mesh. A code location's process makes no key: the secrets are not its own."""
    return Seal(settings.ledger_head, settings.secrets, makes_key=not settings.is_location)
