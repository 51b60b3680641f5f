"""Many questions at once to a store that answers each one slowly."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

THREADS_MAX = 16
_Given = TypeVar("_Given")
_Got = TypeVar("_Got")


def in_parallel(call: Callable[[_Given], _Got], given: Sequence[_Given]) -> list[_Got]:
    """Return the answers in order; S3 answers many questions at once faster than one after the other."""
    if len(given) <= 1:
        return [call(each) for each in given]
    with ThreadPoolExecutor(min(THREADS_MAX, len(given))) as threads:
        return list(threads.map(call, given))
