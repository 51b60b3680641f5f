"""Writes the whole ledger to a file, one row after the other, checking the chain on the way.

A row keeps the text of its body, so that whoever has the file can compute every hash anew: SHA-256 over the JSON list
[format, seq, at, kind, body, previous].
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from mesh_defs.errors import Finding, StorageError
from mesh_defs.ledger.audit import FINDINGS_MAX, WAIT_SECONDS, breaks, rows
from mesh_defs.ledger.entry import Chain
from mesh_defs.ledger.table import EntryTable
from mesh_defs.settings import Settings

Form = Literal["jsonl", "parquet"]
_BATCH_ROWS = 5_000
_Rows = Iterable[Mapping[Any, Any]]


def export(settings: Settings, out: Path, form: Form) -> tuple[int, tuple[Finding, ...]]:
    """Write every entry to `out`, in one step when all is written; return how many, and where the chain breaks.

    StorageError when the ledger cannot be read, or the file not written.
    """
    table, count = EntryTable(settings.ledger_url, wait_seconds=WAIT_SECONDS), 0
    found: list[Finding] = []

    def walked() -> Iterator[Mapping[Any, Any]]:
        nonlocal count
        chain = Chain()
        for row in rows(table):
            count += 1
            found.extend(list(breaks(chain, row))[: FINDINGS_MAX - len(found)])
            yield row

    new = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        _WRITERS[form](walked(), new)
        os.replace(new, out)
    except OSError as error:
        what = f"the export could not be written: {os.strerror(error.errno or 0)}"
        raise StorageError(what, where=str(out), fix="check the disk and its rights") from None
    finally:
        new.unlink(missing_ok=True)
    return count, tuple(found)


def _jsonl(found: _Rows, file: Path) -> None:
    with file.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(dict(row), default=repr) + "\n" for row in found)


def _parquet(found: _Rows, file: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    numbers, texts = ("seq", "format"), ("at", "kind", "body", "previous", "hash")
    typed = {**dict.fromkeys(numbers, pa.int64()), **dict.fromkeys(texts, pa.string())}
    schema = pa.schema([pa.field(name, type_) for name, type_ in typed.items()])
    walking = iter(found)
    with pq.ParquetWriter(file, schema) as writer:
        while batch := list(islice(walking, _BATCH_ROWS)):
            # What was tampered with may be of any type in SQLite: it is shown as text.
            columns = {name: [row[name] for row in batch] for name in numbers}
            columns |= {name: [str(row[name]) for row in batch] for name in texts}
            writer.write_batch(pa.RecordBatch.from_pydict(columns, schema=schema))


_WRITERS: Mapping[Form, Callable[[_Rows, Path], None]] = {"jsonl": _jsonl, "parquet": _parquet}
