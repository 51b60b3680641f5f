"""What comes out of the door: rows in batches, and what it took to move them."""

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import pyarrow as pa

from mesh_defs.engine.session import Rows
from mesh_defs.errors import MeshError
from mesh_defs.model.access import Decision
from mesh_defs.model.query import Movement, ProductRead, QueryPlan, Receipt
from mesh_defs.model.version import Pin
from mesh_defs.query.unjoined import unjoined


class Answer:
    """A governed query's rows, readable once. Its movement is complete, and recorded, when the rows have been read."""

    def __init__(
        self,
        *,
        rows: Rows,
        pins: tuple[Pin, ...],
        plan: QueryPlan,
        decision: Decision,
        receipt: Receipt,
        record: Callable[[dict[str, Any]], None],
    ) -> None:
        self.decision, self.receipt, self.pins = decision, receipt, pins
        self.plan = plan
        self._running, self._tell = rows, record
        self._rows = self._bytes = 0
        self._recorded = False

    @property
    def schema(self) -> pa.Schema:
        """Columns of the answer."""
        return self._running.schema

    def reader(self) -> pa.RecordBatchReader:
        """The rows as an Arrow stream."""
        return pa.RecordBatchReader.from_batches(self.schema, self._counted())

    def table(self) -> pa.Table:
        """All rows in memory."""
        return self.reader().read_all()

    @property
    def movement(self) -> Movement:
        """What was read in place and what crossed to the asker so far.

        `rows_read` and `bytes_read` are those of the pinned versions as stored: the engine reads at most that, and less
        where it can prune. Of a product whose rules hide rows neither is told.
        """
        whole = [pin for pin in self.pins if not self.decision.views[pin.product].rules]
        reads = tuple(
            ProductRead(
                product=pin.product,
                version=pin.version,
                grant=self.decision.grants[pin.product],
                recovered=pin.recovered,
                filtered=pin not in whole,
            )
            for pin in self.pins
        )
        return Movement(
            products=reads,
            rows_read=sum(pin.rows for pin in whole),
            bytes_read=sum(pin.bytes for pin in whole),
            rows_crossed=self._rows,
            bytes_crossed=self._bytes,
            notes=tuple(unjoined(self.pins, self.decision.views)),
        )

    def close(self) -> None:
        """Stop reading; what has crossed by now is recorded."""
        self._running.close()
        self._record()

    def __enter__(self) -> "Answer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _counted(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._running.batches():
                self._rows += batch.num_rows
                self._bytes += batch.nbytes
                yield batch
        except MeshError as error:
            self._record(error.code)
            raise
        finally:
            self._record()

    def _record(self, code: str | None = None) -> None:
        """`code`: of the error that the answer ended with."""
        if self._recorded:
            return
        self._recorded = True
        moved = self.movement
        body: dict[str, Any] = {
            "rows_crossed": moved.rows_crossed,
            "bytes_crossed": moved.bytes_crossed,
            **({"code": code} if code else {}),
        }
        self._tell(body)
