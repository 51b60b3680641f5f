"""`mesh query`: one SELECT through the door, with what it moved."""

import csv
import sys
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import IO, Any

import click

from mesh_defs.cli.render import as_json, print_json, print_table, size
from mesh_defs.documents.receipt import dump_receipt, write_receipt
from mesh_defs.errors import AccessDeniedError
from mesh_defs.model.access import service_of
from mesh_defs.model.query import EngineName, Movement, QueryRequest
from mesh_defs.query.answer import Answer
from mesh_defs.query.platform import open_platform
from mesh_defs.query.run import run_query
from mesh_defs.settings import Settings, load_settings

TABLE_ROWS_MAX = 40


@click.command()
@click.argument("sql")
@click.option("--as", "principal", metavar="NAME", help="Who asks (or MESH_PRINCIPAL).")
@click.option("--purpose", help="What for (or MESH_PURPOSE).")
@click.option("--json", "as_json_object", is_flag=True, help="Short for --format json.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json", "parquet"]), default="table")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write; parquet needs one.")
@click.option("--parameter", "-p", "given", multiple=True, metavar="NAME=VALUE", help="Value of $NAME in the SELECT.")
@click.option("--receipt", type=click.Path(dir_okay=False, path_type=Path), help="File to keep; see `mesh replay`.")
@click.option("--limit", default=TABLE_ROWS_MAX, show_default=True, help="Rows that a table shows; 0 shows all.")
@click.option("--engine", type=click.Choice(["duckdb", "trino"]), help="What runs it; otherwise the mesh chooses.")
def query(
    sql: str,
    principal: str | None,
    purpose: str | None,
    as_json_object: bool,
    form: str,
    out: Path | None,
    given: tuple[str, ...],
    receipt: Path | None,
    limit: int,
    engine: EngineName | None,
) -> None:
    """Ask one SELECT over products, e.g. "SELECT region, sum(reach) FROM events.daily_reach GROUP BY region".

    Each answer says what it moved: what was read where it lies, and what crossed to you. That goes to stderr, and into
    the JSON object under "movement".
    """
    settings = load_settings()
    form = "json" if as_json_object else form
    if form == "parquet" and out is None:
        raise click.UsageError("--format parquet needs --out FILE")
    request = QueryRequest(
        sql=_text(sql),
        principal=asker(principal, settings),
        purpose=purpose or settings.purpose,
        parameters=dict(_parameter(each) for each in given),
        engine=engine,
    )
    if out is not None and not out.absolute().parent.is_dir():
        raise click.UsageError(f"there is no folder {out.absolute().parent}")
    tell = _progress if sys.stderr.isatty() else None
    with run_query(request, open_platform(settings, warm=True, tell=tell)) as answer:
        _WRITERS[form](answer, out, limit)
        if receipt is not None:
            write_receipt(receipt, answer.receipt)
        if form != "json":
            _print_movement(answer.movement)


def _progress(stats: Mapping[str, Any]) -> None:
    """One line that is written over, and gone when the first rows are there."""
    told = ""
    if stats:
        splits = f"{stats.get('completedSplits', 0):,} of {stats.get('totalSplits', 0):,} splits"
        rows, seconds = stats.get("processedRows", 0), stats.get("elapsedTimeMillis", 0) / 1000
        told = f"trino: {str(stats.get('state', '')).lower()}, {splits}, {rows:,} rows read, {seconds:.0f} s"
    sys.stderr.write(f"\r\x1b[K{told}")
    sys.stderr.flush()


def asker(given: str | None, settings: Settings) -> str:
    """Who asks on the command line: a person."""
    who = given or settings.principal
    if who is None:
        raise click.UsageError("say who asks: --as NAME, or set MESH_PRINCIPAL")
    if service_of("") in who:
        raise AccessDeniedError(f"{who} is a pipeline's identity", fix="ask as a person: --as NAME")
    return who


def _parameter(given: str) -> tuple[str, Any]:
    """A value that reads as JSON is that; any other is a text."""
    import json

    name, equals, value = given.partition("=")
    if not equals:
        raise click.UsageError(f"'{given}' is no NAME=VALUE")
    try:
        read = json.loads(value)
    except ValueError:
        return name, value
    return name, read if isinstance(read, str | int | float | bool) or read is None else value


def _text(sql: str) -> str:
    return sys.stdin.read() if sql == "-" else sql


def show_table(answer: Answer, out: Path | None, limit: int) -> None:
    """Print the rows for people, at most `limit`; 0 means all."""
    names = answer.schema.names
    rows = (row for batch in answer.reader() for row in zip(*(c.to_pylist() for c in batch.columns), strict=True))
    shown = list(islice(rows, limit or None))
    numbers = [n for n, t in zip(names, answer.schema.types, strict=True) if _is_number(t)]
    with _target(out) as file:
        print_table(names, shown, right=numbers, file=file)
    if limit and len(shown) == limit and next(rows, None) is not None:
        sys.stderr.write(f"… cut at {limit} rows; --limit 0 shows all, --format csv or parquet takes all\n")


def _csv(answer: Answer, out: Path | None, limit: int) -> None:
    with _target(out) as file:
        writer = csv.writer(file)
        writer.writerow(answer.schema.names)
        for batch in answer.reader():
            writer.writerows(zip(*(column.to_pylist() for column in batch.columns), strict=True))


def _json(answer: Answer, out: Path | None, limit: int) -> None:
    names = answer.schema.names
    columns = (batch.columns for batch in answer.reader())
    rows = [
        dict(zip(names, row, strict=True))
        for each in columns
        for row in zip(*(c.to_pylist() for c in each), strict=True)
    ]
    body = {"columns": names, "rows": rows, "movement": movement_json(answer.movement)}
    body["receipt"] = dump_receipt(answer.receipt)
    if out is None:
        print_json(body)
        return
    import json

    out.write_text(json.dumps(body, ensure_ascii=False, default=as_json), encoding="utf-8")


def _parquet(answer: Answer, out: Path | None, limit: int) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(str(out), answer.schema) as writer:
        for batch in answer.reader():
            writer.write_batch(batch)


_WRITERS = {"table": show_table, "csv": _csv, "json": _json, "parquet": _parquet}


def _target(out: Path | None) -> Any:
    from contextlib import nullcontext

    opened: IO[str] | nullcontext[Any]
    opened = out.open("w", encoding="utf-8", newline="") if out else nullcontext(sys.stdout)
    return opened


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def movement_json(moved: Movement) -> dict[str, Any]:
    """The movement as JSON values."""
    return {
        "products": [
            {
                "product": r.product,
                "version": r.version,
                "grant": r.grant,
                "recovered": r.recovered,
                "filtered": r.filtered,
            }
            for r in moved.products
        ],
        "rows_read_in_place": moved.rows_read,
        "bytes_read_in_place": moved.bytes_read,
        "rows_crossed": moved.rows_crossed,
        "bytes_crossed": moved.bytes_crossed,
        "notes": list(moved.notes),
    }


def _print_movement(moved: Movement) -> None:
    read = ", ".join(f"{each.product}@{each.version}" for each in moved.products)
    filtered = ", ".join(each.product for each in moved.products if each.filtered)
    counted = not filtered or moved.rows_read
    amount = f"{moved.rows_read:,} rows, {size(moved.bytes_read)} " if counted else ""
    sys.stdout.flush()
    sys.stderr.write(
        f"\nmovement: read in place {amount}({read or 'no product'}); "
        f"crossed to you {moved.rows_crossed:,} rows, {size(moved.bytes_crossed)}\n"
    )
    if filtered:
        sys.stderr.write(f"of {filtered} you see some rows only: how many there are is not told\n")
    for note in (*(each.recovered for each in moved.products if each.recovered), *moved.notes):
        sys.stderr.write(f"! {note}\n")
