"""Puts a configuration into a folder: writes what is new, removes what is no more, touches nothing else."""

from collections.abc import Mapping
from pathlib import Path

from mesh_defs.storage import durable
from mesh_defs.trino.config import HEADER


def write(folder: Path, files: Mapping[str, str]) -> dict[str, str]:
    """Return what was "written" or "removed", by path; nothing when all was as it should be.

    Files are replaced whole, each in one step. Only catalogs that an earlier run wrote are removed.
    """
    changed: dict[str, str] = {}
    for path, text in sorted(files.items()):
        file = folder / path
        if not file.is_file() or file.read_bytes() != text.encode():
            durable.make_folder(file.parent.absolute())
            durable.replace(file, text.encode())
            changed[path] = "written"
    for file in sorted((folder / "etc" / "catalog").glob("*.properties")):
        path = str(file.relative_to(folder))
        if path not in files and file.read_text(encoding="utf-8", errors="replace").startswith(HEADER):
            file.unlink()
            changed[path] = "removed"
    return changed
