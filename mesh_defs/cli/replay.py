"""`mesh replay`: a question asked again, on the versions that its receipt names, under today's rights."""

from pathlib import Path
from typing import Any

import click

from mesh_defs.cli.query import TABLE_ROWS_MAX, asker, show_table
from mesh_defs.cli.render import as_json, print_json
from mesh_defs.documents.receipt import dump_receipt, read_receipt
from mesh_defs.model.query import QueryRequest
from mesh_defs.query.answer import Answer
from mesh_defs.query.platform import open_platform
from mesh_defs.query.run import run_query
from mesh_defs.settings import load_settings


@click.command()
@click.argument("receipt", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--as", "principal", metavar="NAME", help="Who asks (or MESH_PRINCIPAL); need not be who asked first.")
@click.option("--purpose", help="What for; otherwise as the receipt says.")
@click.option("--json", "as_json_object", is_flag=True, help="One JSON object: rows, and what is not as it was.")
@click.option("--limit", default=TABLE_ROWS_MAX, show_default=True, help="Rows that a table shows; 0 shows all.")
def replay(receipt: Path, principal: str | None, purpose: str | None, as_json_object: bool, limit: int) -> None:
    """Ask a receipt's question again on the very versions that it names (`mesh query --receipt FILE` writes one).

    Today's rights hold: what was revoked since is denied, what was narrowed is narrowed, and that is said.
    """
    settings = load_settings()
    before = read_receipt(receipt)
    request = QueryRequest(
        sql=before.sql,
        principal=asker(principal, settings),
        purpose=purpose or before.purpose,
        parameters=before.parameters,
        versions=before.versions,
        engine=before.engine,
    )
    with run_query(request, open_platform(settings, warm=True)) as answer:
        changed = _changed(before.plan_sha256 == answer.receipt.plan_sha256, before.revision == answer.receipt.revision)
        if as_json_object:
            print_json(_as_object(answer, changed))
            return
        show_table(answer, None, limit)
    for line in (f"receipt {before.decision} of {before.at}, asked by {before.principal}: same versions", *changed):
        click.echo(line, err=True)


def _changed(same_plan: bool, same_revision: bool) -> list[str]:
    told = [] if same_plan else ["! governed otherwise than then: rows or columns may be shown or hidden that were not"]
    if not same_revision:
        told.append("the mesh's rules have another revision than then" + (", to no effect here" if same_plan else ""))
    return told


def _as_object(answer: Answer, changed: list[str]) -> dict[str, Any]:
    rows = [{name: as_json(value) for name, value in row.items()} for row in answer.table().to_pylist()]
    return {"rows": rows, "changed": changed, "receipt": dump_receipt(answer.receipt)}
