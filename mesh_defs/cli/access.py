"""`mesh access`: ask for access, answer, renew, take back; and tests of what access files say."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mesh_defs.cli.main import FINDINGS
from mesh_defs.cli.render import print_json, print_table
from mesh_defs.settings import Settings, load_settings

if TYPE_CHECKING:
    from mesh_defs.access.requests import GrantRequest
    from mesh_defs.access.workflow import Desk

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


class _Id(click.ParamType[int]):
    """A request's id, with or without its prefix."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number = str(value).removeprefix("request-")
        if not (number.isascii() and number.isdigit() and len(number) < 16):
            self.fail(f"'{value}' is no request's id: write request-17", param, ctx)
        return int(number)


class _Columns(click.ParamType[tuple[str, ...]]):
    """Names of columns with commas between."""

    name = "a,b"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(name.strip() for name in str(value).split(",") if name.strip()))
        if not names:
            self.fail("name at least one column", param, ctx)
        return names


_ID = click.argument("id", type=_Id(), metavar="ID")
_AS = click.option("--as", "who", metavar="NAME", help="Who asks or answers (or MESH_PRINCIPAL).")
_DAYS = click.IntRange(min=1)


@click.group()
def access() -> None:
    """Ask for access and answer; which grants there are; why somebody sees what; tests of access files."""


@access.command()
@click.argument("product")
@click.option("--columns", type=_Columns(), help="Which; all that may be asked for when none is named.")
@click.option("--purpose", help="What for (or MESH_PURPOSE).")
@click.option("--days", type=_DAYS, required=True, help="For how long.")
@click.option("--why", default="", metavar="TEXT", help="Why, for whoever answers.")
@click.option("--under", metavar="ID", help="By which of the access file's requestables.")
@click.option("--dry-run", is_flag=True, help="Only show what would be given.")
@_AS
@_JSON
def request(
    product: str,
    columns: tuple[str, ...] | None,
    purpose: str | None,
    days: int,
    why: str,
    under: str | None,
    dry_run: bool,
    who: str | None,
    as_json: bool,
) -> None:
    """Ask for access to PRODUCT for a time: shows what would be given, and how. Answered at once, or left to the steward.

    What may be asked for, and for how long at most, stands in the product's access file.
    """
    from mesh_defs.access.offer import Wanted
    from mesh_defs.access.terms import preview
    from mesh_defs.access.workflow import ask
    from mesh_defs.cli.access_told import preview_json, print_preview

    settings = load_settings()
    purpose = purpose or settings.purpose
    if purpose is None:
        raise click.UsageError("say what for: --purpose, or set MESH_PURPOSE")
    name = _who(who, settings)
    desk = open_desk(settings)
    wanted = Wanted(
        principal=name, product=product, purpose=purpose, columns=columns or (), days=days, why=why, under=under
    )
    would_be, view = preview(desk.mesh, wanted, at=desk.clock())
    asked = None if dry_run else ask(desk, wanted)
    if as_json:
        print_json({**preview_json(desk, would_be, view), "request": _told(desk, asked) if asked else None})
        return
    print_preview(desk, would_be, view)
    if asked:
        _say(desk, asked)


@access.command()
@click.option("--mine", is_flag=True, help="Only what I asked for.")
@click.option("--to-answer", is_flag=True, help="Only what waits for my answer.")
@click.option("--all", "every", is_flag=True, help="Everybody's, answered ones too.")
@_AS
@_JSON
def requests(mine: bool, to_answer: bool, every: bool, who: str | None, as_json: bool) -> None:
    """List requests: mine, and those that wait for my answer."""
    settings = load_settings()
    name = "" if every else _who(who, settings)
    desk = open_desk(settings)
    found = []
    for asked in desk.book.page().requests.values():
        is_mine = asked.principal == name and (mine or not to_answer)
        waits_for_me = asked.state == "waiting" and desk.steward_of(asked.product) == name and (to_answer or not mine)
        if every or is_mine or waits_for_me:
            found.append(_told(desk, asked))
    if as_json:
        print_json(found)
    elif found:
        fields = ("id", "by", "product", "purpose", "columns", "days", "state", "answers", "why")
        print_table(fields, [[each[field] for field in fields] for each in found], right=["days"])
    else:
        click.echo("no requests")


@access.command()
@_ID
@click.option("--days", type=_DAYS, help="Fewer days than asked for.")
@click.option("--columns", type=_Columns(), help="Fewer columns than asked for.")
@click.option("--rows", metavar="RULE", help="Only rows that fulfil this too, e.g. \"region = 'west'\".")
@_AS
@_JSON
def approve(
    id: int, days: int | None, columns: tuple[str, ...] | None, rows: str | None, who: str | None, as_json: bool
) -> None:
    """Give what a request asks for, or less. For the steward of the product's domain, never for oneself."""
    from mesh_defs.access.terms import Narrowing
    from mesh_defs.access.workflow import approve as give

    settings = load_settings()
    desk, name = open_desk(settings), _who(who, settings)
    _show(desk, give(desk, id, name, Narrowing(days=days, columns=columns or (), rows=rows)), as_json)


@access.command()
@_ID
@click.option("--reason", required=True, metavar="TEXT", help="Told to the one who asked.")
@_AS
@_JSON
def refuse(id: int, reason: str, who: str | None, as_json: bool) -> None:
    """Answer a request with no, and say why."""
    from mesh_defs.access.workflow import refuse as deny

    settings = load_settings()
    desk, name = open_desk(settings), _who(who, settings)
    _show(desk, deny(desk, id, name, reason), as_json)


@access.command()
@_ID
@_AS
@_JSON
def renew(id: int, who: str | None, as_json: bool) -> None:
    """Let a grant that still holds run as long again, from now.

    The steward does it for others. For oneself it is a new request under the same terms, answered at once where the file says so.
    """
    from mesh_defs.access.workflow import renew as prolong

    settings = load_settings()
    desk, name = open_desk(settings), _who(who, settings)
    _show(desk, prolong(desk, id, name), as_json)


@access.command()
@_ID
@click.option("--reason", required=True, metavar="TEXT", help="Kept in the ledger, and told to the one who asked.")
@_AS
@_JSON
def revoke(id: int, reason: str, who: str | None, as_json: bool) -> None:
    """End a grant before its time, or take a request back. The next query is denied."""
    from mesh_defs.access.workflow import revoke as end

    settings = load_settings()
    desk, name = open_desk(settings), _who(who, settings)
    _show(desk, end(desk, id, name, reason), as_json)


@access.command("list")
@click.argument("product", required=False)
@click.option("--as", "who", metavar="NAME", help="Only what NAME holds.")
@_JSON
def list_(product: str | None, who: str | None, as_json: bool) -> None:
    """List grants, of files and on request, with their ends; and how long it took from request to grant to first query."""
    from mesh_defs.access.listed import listed
    from mesh_defs.access.offer import person
    from mesh_defs.catalog.describe import find_product
    from mesh_defs.cli.access_told import listed_json, print_listed

    desk = open_desk(load_settings())
    name = find_product(desk.mesh, product).name if product else None
    found = listed(desk, principal=person(desk.mesh, who) if who else None, product=name)
    if as_json:
        print_json([listed_json(each) for each in found])
    elif found:
        print_listed(found)
    else:
        click.echo("no grants")


@access.command()
@click.argument("product")
@click.option("--as", "who", metavar="NAME", help="Whose access (or MESH_PRINCIPAL).")
@click.option("--purpose", help="What for (or MESH_PURPOSE); all purposes when none is stated.")
@click.option("--row", "key", multiple=True, metavar="COLUMN=VALUE", help="One row, by its key.")
@click.option("--by", metavar="STEWARD", help="The steward, who asks about others and about rows.")
@_JSON
def why(
    product: str, who: str | None, purpose: str | None, key: tuple[str, ...], by: str | None, as_json: bool
) -> None:
    """Say which grant shows which rows and columns of PRODUCT, how, and until when; or why none does and what would help.

    With --row: for the steward (--by) which part of which rule is true of that row, without a value of it; that is recorded.
    For oneself only whether it is shown.
    """
    from mesh_defs.cli.access_why import print_row, print_why
    from mesh_defs.query.platform import open_platform
    from mesh_defs.query.why import Question

    settings = load_settings()
    question = Question(principal=_who(who, settings), product=product, purpose=purpose or settings.purpose, by=by)
    wanted = dict(_pair(each) for each in key)
    platform = open_platform(settings)
    if wanted and not print_row(question, wanted, platform, as_json=as_json):
        raise click.exceptions.Exit(FINDINGS)
    if not wanted and not print_why(question, platform, as_json=as_json):
        raise click.exceptions.Exit(FINDINGS)


@access.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@_JSON
def test(paths: tuple[Path, ...], as_json: bool) -> None:
    """Run the tests of access files, of all or of those at PATHS: given rows, as whom, expected rows. Exits 1 on a failure.

    No data is read: the given rows go through the same decision, rewriting and engine as real ones. A test may also ask for
    access, as `mesh access request` does, and expect the answer; nothing is recorded.
    """
    from mesh_defs.access.policy_tests import declared, run_tests

    root = load_settings().root
    policy, rules = declared(root)
    wanted = [path.resolve() for path in paths]
    tests = [test for each in rules for test in each.tests]
    if wanted:
        tests = [test for test in tests if any(_lies_in(root / test.where.partition(":")[0], p) for p in wanted)]
    outcomes = run_tests(tests, policy)
    failed = [each for each in outcomes if each.wrong]
    if as_json:
        fields = [(each.test, each.wrong) for each in outcomes]
        print_json([{"product": t.product, "name": t.name, "where": t.where, "wrong": wrong} for t, wrong in fields])
    else:
        for each in outcomes:
            wrong = f"\n        {each.test.where}: {each.wrong}" if each.wrong else ""
            click.echo(f"{'FAILED' if each.wrong else 'passed'}  {each.test.product}: {each.test.name}{wrong}")
    sys.stderr.write(f"{len(outcomes)} tests, {len(failed)} failed\n")
    if failed:
        raise click.exceptions.Exit(FINDINGS)


def open_desk(settings: Settings) -> "Desk":
    """Everything that asking and answering needs."""
    from datetime import UTC, datetime

    from mesh_defs.access.given import RequestBook
    from mesh_defs.access.workflow import Desk
    from mesh_defs.ledger import open_ledger
    from mesh_defs.query.mesh import open_mesh

    mesh, ledger = open_mesh(settings), open_ledger(settings)
    return Desk(mesh=mesh, ledger=ledger, book=RequestBook(ledger), clock=lambda: datetime.now(UTC))


def _who(name: str | None, settings: Settings) -> str:
    found = name or settings.principal
    if found is None:
        raise click.UsageError("say who you are: --as NAME, or set MESH_PRINCIPAL")
    return found


def _pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found or not name:
        raise click.UsageError(f"'{text}' is no COLUMN=VALUE")
    return name, value


def _lies_in(file: Path, path: Path) -> bool:
    return file.resolve().is_relative_to(path)


def _show(desk: "Desk", asked: "GrantRequest", as_json: bool) -> None:
    if as_json:
        print_json(_told(desk, asked))
    else:
        _say(desk, asked)


def _say(desk: "Desk", asked: "GrantRequest") -> None:
    from mesh_defs.cli.access_told import sentence

    click.echo(sentence(desk, asked))


def _told(desk: "Desk", asked: "GrantRequest") -> dict[str, Any]:
    from mesh_defs.cli.access_told import request_json

    return request_json(desk, asked)
