"""How many distinct values a column has, kept in a few kilobytes that can be merged: the k minimum hashes (KMV).

Source: Bar-Yossef et al., "Counting distinct elements in a data stream" (2002); Beyer et al., "On synopses for
distinct-value estimation" (SIGMOD 2007). Below k distinct values the count is that of the hashes, so too small only if
two of them collide in 64 bits; from k on the relative standard error is 1/sqrt(k - 2).
A hash is the first 8 bytes, little-endian, of the MD5 of a value's text: no engine and no release disagrees about it,
where DuckDB's own `hash()` may change with any release. Hashes are no values, but who guesses a value can recognise its
hash: sketch no column whose values must not be guessed.
"""

import base64
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

SKETCH_SIZE = 512  # 5.5 kB as JSON, 4.4 % standard error
HASHES = 1 << 64


@dataclass(frozen=True, slots=True)
class Sketch:
    """The `size` least different hashes, ascending; all there are, when they are fewer."""

    hashes: tuple[int, ...] = ()
    size: int = SKETCH_SIZE

    @classmethod
    def of(cls, hashes: Iterable[int], size: int = SKETCH_SIZE) -> "Sketch":
        """Keep the least of any hashes, in any order."""
        return cls(tuple(sorted(set(hashes))[:size]), size)

    def merge(self, other: "Sketch") -> "Sketch":
        """Return the sketch of both columns' values together; as coarse as the coarser of the two."""
        return Sketch.of((*self.hashes, *other.hashes), min(self.size, other.size))

    @property
    def is_full(self) -> bool:
        """Tell whether there may be more hashes than are kept."""
        return len(self.hashes) >= self.size

    @property
    def estimate(self) -> float:
        """The number of distinct values: unbiased when full, else the number of hashes."""
        return (self.size - 1) * HASHES / (self.hashes[-1] + 1) if self.is_full else float(len(self.hashes))

    @property
    def error(self) -> float:
        """The relative standard error of `estimate`."""
        return 1 / sqrt(self.size - 2) if self.is_full else 0.0

    def as_text(self) -> str:
        """Return the hashes as text for JSON."""
        return base64.b64encode(struct.pack(f"<{len(self.hashes)}Q", *self.hashes)).decode()

    @classmethod
    def from_text(cls, text: str, size: int) -> "Sketch":
        """Read what `as_text` wrote; raises ValueError for anything else."""
        packed = base64.b64decode(text, validate=True)
        if len(packed) % 8 or not 2 < size <= 1 << 20:
            raise ValueError("this is no sketch")
        hashes = struct.unpack(f"<{len(packed) // 8}Q", packed)
        if len(hashes) > size or any(low >= high for low, high in pairwise(hashes)):
            raise ValueError("this is no sketch")
        return cls(hashes, size)
