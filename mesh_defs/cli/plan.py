"""`mesh plan`: what a change to the mesh's files does, before anybody agrees to it."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from mesh_defs.cli.main import FINDINGS
from mesh_defs.cli.render import as_json
from mesh_defs.settings import load_settings

TO_APPROVE = 4


@click.command()
@click.option(
    "--base", help="The revision to compare with: a branch, tag or commit. Without it, main, else origin/main."
)
@click.option("--json", "json_", is_flag=True, help="Print JSON for programs: all of it.")
@click.option("--markdown", is_flag=True, help="Print Markdown, for a pull request's comment.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it to this file instead.")
def plan(base: str | None, json_: bool, markdown: bool, out: Path | None) -> None:
    """Show what the files here, committed or not, change for others.

    Contract changes and the version that they demand; products and columns that break downstream; who gains or loses which
    rows and columns, decided for everybody and every purpose under both sides' files; what may be asked for; columns that
    are made of more sensitive ones; access tests that are gone; new findings. Compared with the last commit that BASE and
    HEAD share. Nothing is run or published.

    Exit codes: 0 nothing to approve, 4 something to approve (a breaking change, a consumer affected, anybody who sees or
    may ask for more or less, a column made of a more sensitive one, an access test removed or changed, a governance rule
    dropped, a domain that somebody else answers for), 1 an error, or a file that cannot be read now, 2 usage.
    """
    from mesh_defs.review.document import as_document
    from mesh_defs.review.markdown import as_markdown
    from mesh_defs.review.plan import make_plan
    from mesh_defs.review.text import as_text
    from mesh_defs.review.told import summary

    if json_ and markdown:
        raise click.UsageError("--json and --markdown: give one of them")
    made = make_plan(load_settings().root, base, now=datetime.now(UTC))
    if json_:
        told = json.dumps(as_document(made), ensure_ascii=False, indent=2, default=as_json) + "\n"
    else:
        told = as_markdown(made) if markdown else as_text(made)
    if out is None:
        sys.stdout.write(told)
    else:
        _write(out, told)
        sys.stderr.write(f"{summary(made)}\n")
    if made.unread_now:
        raise click.exceptions.Exit(FINDINGS)
    if made.to_approve:
        raise click.exceptions.Exit(TO_APPROVE)


def _write(out: Path, told: str) -> None:
    try:
        out.write_text(told, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"--out {out}: {error.strerror}") from None
