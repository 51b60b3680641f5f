"""`mesh room` as people type it, in this process."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
from click.testing import CliRunner

from mesh_defs.cli.main import USAGE, exit_code, mesh
from mesh_defs.errors import MeshError
from mesh_defs.settings import Settings
from tests.rooms import ROOM, agreement_of, make_keys, write_room


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def invoked(command: Sequence[str], environment: Mapping[str, str], typed: str | None = None) -> Done:
    """Run a command in this process, and end as `main` would."""
    result = CliRunner().invoke(mesh, list(command), env=environment, input=typed, standalone_mode=False)
    wrong = result.exception
    if isinstance(wrong, MeshError):
        return Done(exit_code(wrong), result.stdout, f"{result.stderr}{wrong}\n")
    if isinstance(wrong, click.Abort | click.ClickException):
        code = 130 if isinstance(wrong, click.Abort) else USAGE
        return Done(code, result.stdout, f"{result.stderr}{getattr(wrong, 'message', '')}")
    if wrong is not None:
        raise wrong
    return Done(result.return_value if isinstance(result.return_value, int) else 0, result.stdout, result.stderr)


class Terminal:
    """Runs commands of one party, with rooms, keys and a ledger of the test's own."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self._folder = settings, folder
        shutil.rmtree(settings.root / "rooms", ignore_errors=True)
        self.keys = make_keys(folder)

    def __call__(self, *command: str, party: str = "nobody", typed: str | None = None) -> Done:
        places = {"MESH_LEDGER": f"sqlite:///{self._folder}/ledger.sqlite", "MESH_LEDGER_HEAD": f"{self._folder}/head"}
        own = {"MESH_ROOT": str(self.settings.root), "MESH_SECRETS": str(self._folder / party)}
        return invoked(command, {**places, **own}, typed)

    def says(self, *command: str, code: int = 0, party: str = "nobody", typed: str | None = None) -> str:
        done = self("room", *command, party=party, typed=typed)
        assert done.returncode == code, done.stderr + done.stdout
        return done.stdout + done.stderr

    def json(self, *command: str, party: str = "nobody") -> Any:
        return json.loads(self("room", *command, "--json", party=party).stdout)

    def opened(self, **changes: Any) -> "Terminal":
        write_room(self.settings, agreement_of(self.keys, **changes))
        self.says("freeze", ROOM)
        for party in ("media", "shop"):
            self.says("sign", ROOM, "--yes", party=party)
        return self
