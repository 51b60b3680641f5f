"""workspace.yaml: which code locations make up the mesh, and where their files lie. Dagster reads the same file."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesh_defs.documents.reading import Document, read_document
from mesh_defs.errors import DeclarationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A code location: its name, the file that holds its Definitions, and the folder around it."""

    name: str
    file: Path

    @property
    def folder(self) -> Path:
        """The folder of the location; a domain's name is this folder's."""
        return self.file.parent

    @property
    def is_domain(self) -> bool:
        """True for a folder with a domain.yaml; the platform's own location has none."""
        return (self.folder / "domain.yaml").is_file()

    def fingerprint(self, root: Path) -> str:
        """A hash of names, sizes and times of the location's files and of mesh.yaml: cheap, and changes when they do."""
        files = [root / "mesh.yaml", *sorted(each for each in self.folder.rglob("*") if each.is_file())]
        digest = hashlib.sha256()
        for each in files:
            if each.suffix != ".pyc" and each.exists():
                status = each.stat()
                digest.update(f"{each}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
        return digest.hexdigest()


def read_workspace(root: Path) -> tuple[Location, ...]:
    """Read `root`/workspace.yaml. Raises DeclarationError for an entry that is not a Python file or module of this mesh."""
    document = read_document(root / "workspace.yaml", root=root)
    entries = document.data.get("load_from")
    if not isinstance(entries, list):
        finding = document.finding(("load_from",), "not a list", "list one `python_file:` per code location")
        raise DeclarationError([finding])
    locations = tuple(_location(entry, index, root, document) for index, entry in enumerate(entries))
    names = [location.name for location in locations]
    for index, name in enumerate(names):
        if name in names[:index]:
            finding = document.finding(("load_from", index), f"a second location '{name}'", "name each one apart")
            raise DeclarationError([finding])
    return locations


def _location(entry: Any, index: int, root: Path, document: Document) -> Location:
    for kind, target in (("python_file", "relative_path"), ("python_module", "module_name")):
        told = entry.get(kind) if isinstance(entry, dict) else None
        if told:
            body = {target: told} if isinstance(told, str) else told
            where = str(body.get(target, ""))
            file = root / str(body.get("working_directory", ".")) / where.replace(".", "/")
            path = root / where if kind == "python_file" else file.with_suffix(".py")
            return Location(name=str(body.get("location_name") or path.parent.name), file=path.resolve())
    fix = "write `python_file: {relative_path: domains/x/definitions.py, location_name: x}`"
    raise DeclarationError([document.finding(("load_from", index), "neither a Python file nor a module", fix)])
