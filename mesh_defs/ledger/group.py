"""Group commit: what several threads want to write at once is written by one of them, at one go. No thread of its own."""

import copy
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mesh_defs.errors import MeshError, StorageError

_Item = TypeVar("_Item")
_Done = TypeVar("_Done")


@dataclass(slots=True, eq=False)
class _Ticket(Generic[_Item, _Done]):
    item: _Item
    done: _Done | None = None
    error: MeshError | None = None
    settled: bool = False


class Group(Generic[_Item, _Done]):
    """Whoever holds the lock writes all that is pending, its own among it; the others find theirs done.

    A group is as large as threads are waiting. When writing fails, every item of that group fails with the same error,
    and the next group begins anew.
    """

    def __init__(self) -> None:
        self._leading = threading.Lock()
        self._queueing = threading.Lock()
        self._pending: list[_Ticket[_Item, _Done]] = []

    def submit(self, item: _Item, write: Callable[[Sequence[_Item]], Sequence[_Done]]) -> _Done:
        """Return what became of the item, once it is written.

        `write` takes items in the order of their arrival, others' too, and returns what became of each.
        """
        ticket: _Ticket[_Item, _Done] = _Ticket(item)
        with self._queueing:
            self._pending.append(ticket)
        with self._leading:
            if not ticket.settled:
                self._lead(write)
        if ticket.error is not None:
            raise copy.copy(ticket.error) from None  # one exception raised in two threads mixes their traces
        assert ticket.done is not None
        return ticket.done

    def _lead(self, write: Callable[[Sequence[_Item]], Sequence[_Done]]) -> None:
        with self._queueing:
            group, self._pending = self._pending, []
        told: MeshError | None = StorageError("the thread that wrote for this one ended in the middle", fix="ask again")
        done: Sequence[_Done] = ()
        try:
            done, told = write([ticket.item for ticket in group]), None
        except MeshError as error:
            told = error
        finally:  # whatever ends the leader, an interrupt too, nobody waits for it
            for number, ticket in enumerate(group):
                ticket.settled, ticket.error = True, told
                ticket.done = None if told else done[number]
