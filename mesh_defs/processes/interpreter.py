"""Which Python runs a location: its own where workspace.yaml names one, else the platform's.

A domain brings its own virtual environment, with `mesh-defs` in it. For a domain that has no packages of its own yet, an
interpreter below <root>/.interpreters is made here: a sys.prefix of its own, the platform's packages by reference, and
room for a package in another version. It takes milliseconds and downloads nothing.
"""

import os
import shutil
import sys
import sysconfig
import venv
from pathlib import Path

from mesh_defs.documents.workspace import Location
from mesh_defs.errors import UnreachableError

FOLDER = ".interpreters"
_LINK = "platform.pth"


def interpreter_of(location: Location, root: Path) -> Path:
    """Return the Python of a location. Raises UnreachableError when workspace.yaml names one that is not there."""
    wanted = location.executable
    if wanted is None:
        return Path(sys.executable)
    if _is_ours(wanted, root) and not _works(wanted):
        make_interpreter(wanted.parent.parent)
    if not _works(wanted):
        fix = f"make it: `python -m venv {wanted.parent.parent}`, install mesh-defs there; or drop its executable_path"
        raise UnreachableError(f"{location.name} has no interpreter at {wanted}", where="workspace.yaml", fix=fix)
    return wanted


def make_interpreter(folder: Path) -> None:
    """Make a virtual environment that finds this one's packages after its own. Whole or not at all, whoever else makes it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = folder.with_name(f".{folder.name}.{os.getpid()}")
    venv.create(making, symlinks=True, with_pip=False)
    packages = next(making.glob("lib/python*/site-packages"))
    # addsitedir, not a bare path: only it follows the .pth files there, an editable install's for instance.
    theirs = sysconfig.get_path("purelib")
    (packages / _LINK).write_text(f"# {theirs}\nimport site; site.addsitedir({theirs!r})\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        making.rename(folder)
    except OSError:
        shutil.rmtree(making)


def _is_ours(wanted: Path, root: Path) -> bool:
    """<root>/.interpreters/<name>/bin/python."""
    return wanted.parent.name == "bin" and wanted.parent.parent.parent == root / FOLDER


def _works(executable: Path) -> bool:
    """There, and if it is ours, made from packages that are still there."""
    if not executable.is_file() or not os.access(executable, os.X_OK):
        return False
    link = next(executable.parent.parent.glob(f"lib/python*/site-packages/{_LINK}"), None)
    return link is None or Path(link.read_text(encoding="utf-8").partition("\n")[0][2:]).is_dir()
