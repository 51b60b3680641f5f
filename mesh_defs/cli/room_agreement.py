"""`mesh room new`, `freeze`, `sign` and `revoke`: an agreement from its draft to its end."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mesh_defs.cli.render import plain, print_json
from mesh_defs.settings import Settings, load_settings

if TYPE_CHECKING:
    from mesh_defs.cleanroom.signed import RoomFolder, Statement
    from mesh_defs.model.contract import Contract

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
_ROOM = click.argument("room")
_PARTY = click.option("--party", metavar="NAME", help="For which party, where this mesh has the keys of several.")


class _Pair(click.ParamType[tuple[str, str]]):
    """A name and a value with = between."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        name, equals, told = str(value).partition("=")
        if not (equals and name.strip() and told.strip()):
            self.fail(f"'{value}' is not NAME=VALUE", param, ctx)
        return name.strip(), told.strip()


PAIR = _Pair()


@click.command()
@_ROOM
@click.option("--share", "shared", type=PAIR, multiple=True, required=True, metavar="PARTY=PRODUCT", help="Or a file.")
@click.option("--asks", multiple=True, required=True, metavar="PARTY", help="Who may ask, and have the answers.")
@click.option("--joins", required=True, metavar="NAME", help="Who runs the process that adds up.")
@click.option("--key", "keys", type=PAIR, multiple=True, metavar="NAME=KEY", help="A public key, of `mesh room key`.")
@click.option("--values", type=PAIR, multiple=True, metavar="PRODUCT.COLUMN=A,B", help="Public values of a column.")
@_JSON
def new(
    room: str,
    shared: tuple[tuple[str, str], ...],
    asks: tuple[str, ...],
    joins: str,
    keys: tuple[tuple[str, str], ...],
    values: tuple[tuple[str, str], ...],
    as_json: bool,
) -> None:
    """Write a first rooms/ROOM/agreement.yaml out of the contracts of what the parties share, for people to finish.

    PRODUCT is one of this mesh, or the file of a partner's contract. Public values of a dimension come from what the contract
    promises of the column, or from --values: never from anybody's rows.
    """
    from mesh_defs.cleanroom.draft import Draft
    from mesh_defs.cleanroom.rooms import place_of
    from mesh_defs.errors import AccessDeniedError
    from mesh_defs.model.names import is_name
    from mesh_defs.storage import durable

    settings = load_settings()
    file = place_of(settings, room) / "agreement.yaml"
    if file.exists():
        raise AccessDeniedError(
            f"room '{room}' has an agreement already", fix="amend it: raise `version`, add `amends`"
        )
    contracts: dict[str, list[Contract]] = {}
    for party, product in shared:
        contracts.setdefault(party, []).append(_contract(product, settings))
    wrong = [name for name in (*contracts, joins) if not is_name(name)]
    if wrong:
        raise click.UsageError(f"'{wrong[0]}' is no party's name: lower case letters, digits and _, a letter first")
    unknown = [party for party in asks if party not in contracts]
    if unknown or len(contracts) < 2:
        raise click.UsageError(
            f"--share names {', '.join(contracts)}: name what two parties share, and one of them to ask"
        )
    draft = Draft(
        room=room,
        shared=contracts,
        asks=asks,
        joins=joins,
        keys=dict(keys),
        values={_column(name): [each.strip() for each in told.split(",") if each.strip()] for name, told in values},
        today=datetime.now(UTC).date(),
    )
    text = draft.text()
    durable.make_folder(file.parent)
    durable.replace(file, text.encode())
    left = [line.strip() for line in text.splitlines() if "TODO" in line and not line.startswith("#")]
    left += [line.strip(" #") for line in text.splitlines() if "no public values are promised" in line]
    if as_json:
        print_json({"file": str(file.relative_to(settings.root)), "left": left})
        return
    click.echo(f"{file.relative_to(settings.root)} is written; it is a draft")
    for line in left:
        click.echo(f"  to do: {line}")
    click.echo(f"then: mesh room freeze {room}, and every party: mesh room sign {room}")


@click.command()
@_ROOM
@_JSON
def freeze(room: str, as_json: bool) -> None:
    """Write the digest of the asking parties' tables into the agreement, as far as this mesh speaks for them.

    Those tables choose persons: they must not change between two questions, so they are signed by what is in them. Repeated
    after each change of the table; all must sign again when a digest changed.
    """
    from mesh_defs.cleanroom.frozen import content_digest
    from mesh_defs.cleanroom.rooms import SEATS, room_at, seats_of
    from mesh_defs.documents.room_digests import with_digests
    from mesh_defs.errors import NotFoundError
    from mesh_defs.query.platform import open_platform
    from mesh_defs.storage import durable

    settings = load_settings()
    folder = room_at(settings, room)
    agreement, seats = folder.agreement(), seats_of(folder, open_platform(settings))
    own = [each for each in agreement.tables if each.party in seats and each.party in agreement.analysts]
    if not own:
        fix = f"name as whom this mesh reads for {' or '.join(agreement.analysts)} in rooms/{room}/{SEATS}"
        raise NotFoundError("this mesh speaks for no party that asks", fix=fix)
    digests = {table.name: content_digest(table, seats[table.party]) for table in own}
    changed = [table.name for table in own if table.digest != digests[table.name]]
    if changed:
        file = folder.path / "agreement.yaml"
        durable.replace(file, with_digests(file.read_text(encoding="utf-8"), digests).encode())
    if as_json:
        print_json({"digests": digests, "changed": changed})
        return
    for name, digest in digests.items():
        news = "frozen as" if name in changed else "still"
        click.echo(f"{name}: {news} {digest[:12]}…")
    if changed:
        click.echo(f"the agreement is another one now: every party signs it, with `mesh room sign {room}`")


@click.command()
@_ROOM
@_PARTY
@click.option("--yes", is_flag=True, help="Do not ask again.")
@_JSON
def sign(room: str, party: str | None, yes: bool, as_json: bool) -> None:
    """Say in plain words what is agreed to, and sign it for the party whose key this mesh has."""
    from mesh_defs.cleanroom.room_told import agreed_lines

    settings = load_settings()
    folder, said = _statement("signed", room, party, settings)
    if not as_json:
        for line in agreed_lines(folder, datetime.now(UTC)):
            click.echo(plain(line))
    if not yes:
        click.confirm(f"\nDoes {said.party} agree to this?", abort=True, err=as_json)
    _keep(
        said, folder, settings, as_json=as_json, told=f"{said.party} signed version {said.agreement[:12]}… of '{room}'"
    )


@click.command()
@_ROOM
@_PARTY
@click.option("--yes", is_flag=True, help="Do not ask again.")
@_JSON
def revoke(room: str, party: str | None, yes: bool, as_json: bool) -> None:
    """End this version of the agreement, for the party whose key this mesh has. Nothing may be asked from then on.

    What was released stays with those who have it.
    """
    settings = load_settings()
    folder, said = _statement("revoked", room, party, settings)
    if not yes:
        click.confirm(f"Does {said.party} end room '{room}', for all its parties?", abort=True, err=as_json)
    _keep(said, folder, settings, as_json=as_json, told=f"{said.party} revoked '{room}': nothing may be asked any more")


def _statement(kind: str, room: str, wanted: str | None, settings: Settings) -> "tuple[RoomFolder, Statement]":
    from mesh_defs.cleanroom.rooms import room_at, signer_of
    from mesh_defs.cleanroom.signed import state

    folder = room_at(settings, room)
    agreement = folder.agreement()
    party, key = signer_of(agreement, settings, wanted)
    return folder, state(kind, agreement, party, key, datetime.now(UTC))


def _keep(said: "Statement", folder: "RoomFolder", settings: Settings, *, as_json: bool, told: str) -> None:
    file = folder.keep(said).relative_to(settings.root)
    if as_json:
        print_json(
            {"room": said.room, "party": said.party, "kind": said.kind, "agreement": said.agreement, "file": str(file)}
        )
        return
    click.echo(told)
    click.echo(f"send {file} to the other parties")


def _column(name: str) -> tuple[str, str]:
    product, _, column = name.rpartition(".")
    return product, column


def _contract(product: str, settings: Settings) -> "Contract":
    from mesh_defs.catalog.describe import find_product
    from mesh_defs.documents.odcs import read_contract
    from mesh_defs.documents.standards import read_standards
    from mesh_defs.query.mesh import open_mesh

    if product.endswith((".yaml", ".yml")):
        return read_contract(Path(product), read_standards(settings.root), root=settings.root)
    return find_product(open_mesh(settings), product).contract
