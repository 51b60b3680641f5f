"""Looks for identifiers in captured bytes, however they are written there: the eye of somebody who knows both sides' tables.

Looked through is what was captured, and all that can be made of it by taking encodings off, one after the other: base64 (at
each of its four offsets, both alphabets), hexadecimal, UTF-16, %- and \\u-escapes, gzip, zlib, zstd, LZ4. An Arrow column is
found without its schema, for its buffers lie there as they are, or as a zstd frame each.
Looked for is each identifier as text, whatever its case; its MD5, SHA-1 and SHA-256, whole or cut to 12 bytes; and hexadecimal
ones packed into bytes, in either order. What an encryption hides is not found, nor a number of a few digits.
"""

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote_to_bytes

import numpy as np
import pyarrow as pa

from mesh_defs.model.query import QueryRequest
from mesh_defs.query.platform import Platform
from mesh_defs.query.run import run_query

# Windows of this many bytes are compared first. A shorter identifier is not looked for.
_WINDOW = 6
# Below, a few megabytes of random bytes hold one of 50,000 by chance (once in 2,000 times): it takes two different ones.
_SURE_BYTES = 8
_DIGEST_BYTES = 12
_DEPTH_MAX = 4
_UNPACKED_BYTES_MAX = 5_000_000
_HEX = re.compile(rb"[0-9A-Fa-f]{12,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{8,}")
_WIDE = (re.compile(rb"(?:[\x20-\x7e]\x00){6,}"), re.compile(rb"(?:\x00[\x20-\x7e]){6,}"))
_ESCAPE = re.compile(rb"\\u00([0-9A-Fa-f]{2})")
_Codec = Literal["zstd", "lz4"]
_FRAMES: Mapping[_Codec, bytes] = {"zstd": b"\x28\xb5\x2f\xfd", "lz4": b"\x04\x22\x4d\x18"}
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08")


def identifiers(platform: Platform) -> Mapping[str, frozenset[str]]:
    """Every text by which a contract says that a person, an event or a file is known, and every restricted one, by column.

    Each domain's own are read through the door as that domain's pipelines, which see all their rows.
    """
    found = {}
    for name, product in platform.mesh.products.items():
        for column in product.contract.columns:
            if column.type == "VARCHAR" and (column.identifies or column.classification == "restricted"):
                found[f"{name}.{column.name}"] = frozenset(_values(name, column.name, platform))
    return found


@dataclass(frozen=True, slots=True)
class Wanted:
    """Identifiers in the forms that are looked for, by their first bytes: (form, whose)."""

    forms: Mapping[bytes, str]
    windows: np.ndarray
    lengths: tuple[int, ...]

    @classmethod
    def of(cls, columns: Mapping[str, Iterable[str]]) -> "Wanted":
        """Take the identifiers of some columns, by column. ValueError when that leaves nothing to look for."""
        forms: dict[bytes, str] = {}
        for column, values in columns.items():
            for value in values:
                forms |= {form: f"{column} {how}" for how, form in _forms(value) if len(form) >= _WINDOW}
        if not forms:
            raise ValueError("there is nothing to look for")
        windows = np.unique(_windows(b"".join(form[:_WINDOW] for form in forms))[::_WINDOW])
        return cls(forms, windows, tuple(sorted({len(form) for form in forms})))

    def found_in(self, captured: bytes) -> Mapping[str, int]:
        """How many different identifiers are in these bytes, by column and form. Empty: none."""
        found: set[bytes] = set()
        for view in _views(captured):
            for written in {view, view.lower()}:
                found.update(self._in(written))
        counted: dict[str, list[int]] = {}
        for form in found:
            counted.setdefault(self.forms[form], []).append(len(form))
        return {told: len(each) for told, each in counted.items() if len(each) > 1 or each[0] >= _SURE_BYTES}

    def _in(self, view: bytes) -> Iterator[bytes]:
        windows = _windows(view)
        nearest = np.searchsorted(self.windows[:-1], windows)
        for place in np.flatnonzero(self.windows[nearest] == windows):
            for length in self.lengths:
                form = view[place : place + length]
                if form in self.forms:
                    yield form


def _forms(value: str) -> Iterator[tuple[str, bytes]]:
    told = value.encode()
    yield "as text", told.lower()
    for name in ("md5", "sha1", "sha256"):
        yield f"as {name}", hashlib.new(name, told, usedforsecurity=False).digest()[:_DIGEST_BYTES]
    if re.fullmatch(r"(?:[0-9a-f]{2})+", value):
        packed = bytes.fromhex(value)
        yield "in packed digits", packed
        yield "in packed digits", packed[::-1]


def _windows(view: bytes) -> np.ndarray:
    """Each window of the bytes as a number."""
    count = len(view) - _WINDOW + 1
    bytes_ = np.frombuffer(view, np.uint8).astype(np.uint64)
    windows = np.zeros(max(count, 0), np.uint64)
    for place in range(_WINDOW if count > 0 else 0):
        windows |= bytes_[place : place + count] << np.uint64(8 * place)
    return windows


def _views(captured: bytes) -> Iterator[bytes]:
    """The bytes, and all that taking encodings off makes of them."""
    seen: set[bytes] = set()
    due = [captured]
    for _ in range(_DEPTH_MAX):
        inner: list[bytes] = []
        for view in due:
            if view not in seen and len(view) >= _WINDOW:
                seen.add(view)
                yield view
                inner += _decoded(view)
        due = inner


def _decoded(view: bytes) -> Iterator[bytes]:
    for run in _HEX.findall(view):
        for digits in (run, run[1:]):
            yield bytes.fromhex(digits[: len(digits) // 2 * 2].decode())
    for run in _BASE64.findall(view):
        for offset in range(4):
            yield _from_base64(run[offset:].translate(bytes.maketrans(b"-_", b"+/")))
    for place, wide in enumerate(_WIDE):
        yield from (run[place::2] for run in wide.findall(view))
    if b"%" in view:
        yield unquote_to_bytes(view)
    if b"\\u00" in view:
        yield _ESCAPE.sub(lambda found: binascii.unhexlify(found[1]), view)
    for codec, start in _FRAMES.items():
        for found in re.finditer(re.escape(start), view):
            yield _decompressed(view[found.start() :], codec)
    for found in _ZLIB.finditer(view):
        yield _inflated(view[found.start() :])


def _from_base64(digits: bytes) -> bytes:
    """As many bytes as the digits tell; of a lone last one, none."""
    whole = digits[:-1] if len(digits) % 4 == 1 else digits
    return base64.b64decode(whole + b"=" * (-len(whole) % 4))


def _decompressed(framed: bytes, codec: _Codec) -> bytes:
    """What a frame holds, as far as it can be read; nothing when it is none."""
    told = bytearray()
    try:
        with pa.CompressedInputStream(pa.BufferReader(framed), codec) as opened:
            # Byte by byte: what follows a frame is none, and a read that meets it loses all that it had.
            while len(told) < _UNPACKED_BYTES_MAX and (piece := opened.read(1)):
                told += piece
    except (OSError, pa.ArrowException):
        pass
    return bytes(told)


def _inflated(framed: bytes) -> bytes:
    """The same of zlib and gzip, which tell where they end."""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(framed, _UNPACKED_BYTES_MAX)
    except zlib.error:
        return b""


def _values(product: str, column: str, platform: Platform) -> Iterator[str]:
    request = QueryRequest(
        sql=f"SELECT DISTINCT {column} FROM {product}",
        principal=f"service:{product.partition('.')[0]}",
        purpose=next(iter(platform.mesh.standards.purposes)),
    )
    with run_query(request, platform) as answer:
        yield from (value for value in answer.table().column(0).to_pylist() if value is not None)
