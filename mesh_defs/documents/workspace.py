"""workspace.yaml: which code locations make up the mesh, and where their files lie. Dagster reads the same file."""

import hashlib
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesh_defs.documents.complaints import Complaints
from mesh_defs.documents.reading import Field, read_document
from mesh_defs.errors import nearest

# What Dagster knows of an entry, kind by kind; of the other kinds the mesh cannot read the files.
_TARGETS = {"python_file": "relative_path", "python_module": "module_name"}
_OPTIONS = ("attribute", "location_name", "working_directory", "executable_path")


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A code location: its name, the file that holds its Definitions, and the folder around it.

    `executable` is the Python that runs it, when it is not the platform's own.
    """

    name: str
    file: Path
    executable: Path | None = None

    @property
    def folder(self) -> Path:
        """The folder of the location; a domain's name is this folder's."""
        return self.file.parent

    @property
    def is_domain(self) -> bool:
        """True for a folder with a domain.yaml; the platform's own location has none.

        A folder that is gone counts as a domain: its last known good declarations stay, and an error says what is missing.
        """
        return (self.folder / "domain.yaml").is_file() or not self.folder.exists()

    def fingerprint(self, root: Path) -> str:
        """A hash of names, sizes and times of the location's files and of mesh.yaml.

        Cheap, and changes when they do.
        """
        digest = hashlib.sha256()
        for file in (root / "mesh.yaml", *sorted(_files(self.folder))):
            digest.update(_trace(file))
        digest.update(str(self.executable or "").encode(errors="surrogateescape"))
        return digest.hexdigest()


def read_workspace(root: Path) -> tuple[Location, ...]:
    """Read `root`/workspace.yaml. Raises DeclarationError for an entry that is no Python file or module of this mesh."""
    document = read_document(root / "workspace.yaml", root=root)
    wrong = Complaints(document)
    for field in document.data:
        if field != "load_from":
            wrong.add((field,), "unknown field", "did you mean 'load_from'? It is the only one")
    entries = document.data.get("load_from")
    if not isinstance(entries, list):
        wrong.add(
            ("load_from",), f"found {document.written(('load_from',))}", "list one `python_file:` per code location"
        )
        entries = []
    found: dict[str, Location] = {}
    for index, entry in enumerate(entries):
        location = _location(entry, ("load_from", index), root, wrong)
        if location and location.name in found:
            wrong.add(("load_from", index), f"a second location '{location.name}'", "give each its own location_name")
        elif location:
            found[location.name] = location
    wrong.raise_if_any()
    return tuple(found.values())


def _location(entry: Any, at: Field, root: Path, wrong: Complaints) -> Location | None:
    """Named as Dagster names it: by location_name, else by the file or module (and attribute)."""
    kind = next(iter(entry), None) if isinstance(entry, dict) and len(entry) == 1 else None
    if kind not in _TARGETS:
        fix = "write `python_file: {relative_path: domains/x/definitions.py, location_name: x}`"
        wrong.add(at, "neither a Python file nor a module", fix)
        return None
    target, body = _TARGETS[kind], entry[kind]
    told = {target: body} if isinstance(body, str) else body
    if not isinstance(told, dict) or not told.get(target):
        wrong.add((*at, kind, target), "missing", f"write `{kind}: {{{target}: …, location_name: …}}`")
        return None
    before = len(wrong.findings)
    for name, value in told.items():
        if name not in (target, *_OPTIONS):
            wrong.add((*at, kind, name), "unknown field", nearest(name, (target, *_OPTIONS)))
        elif not isinstance(value, str):
            wrong.add((*at, kind, name), f"found {wrong.document.written((*at, kind, name))}", "write text")
    if len(wrong.findings) > before:
        return None
    file = root / told[target] if kind == "python_file" else _module_file(told[target], root, told)
    default = file.name if kind == "python_file" else told[target]
    attribute = f":{told['attribute']}" if "attribute" in told else ""
    # Not resolved: a virtual environment's python is a link to the one that it was made from.
    own = (root / Path(told["executable_path"]).expanduser()).absolute() if told.get("executable_path") else None
    return Location(name=told.get("location_name") or default + attribute, file=file.resolve(), executable=own)


def _module_file(module: str, root: Path, told: dict[str, str]) -> Path:
    """The file of a module, without importing it: below the working directory, else where its package is installed."""
    top, *rest = module.split(".")
    folders = [root / told.get("working_directory", ".")]
    installed = importlib.util.find_spec(top) if top.isidentifier() and top != "__main__" else None
    if installed and installed.submodule_search_locations:
        folders += [Path(each).parent for each in installed.submodule_search_locations]
    candidates = [folder.joinpath(top, *rest) for folder in folders]
    files = [file for each in candidates for file in (each.with_suffix(".py"), each / "__init__.py")]
    return next((file for file in files if file.is_file()), files[0])


def _files(folder: Path) -> Iterator[Path]:
    """A virtual environment that a domain keeps in its folder is none of its files: tens of thousands, and no declaration."""
    for parent, folders, files in os.walk(folder):
        folders[:] = [
            each for each in folders if each != "__pycache__" and not Path(parent, each, "pyvenv.cfg").exists()
        ]
        yield from (Path(parent, name) for name in files)


def _trace(file: Path) -> bytes:
    """What tells that a file changed; nothing for a folder, a compiled file, or one that is gone meanwhile."""
    try:
        if file.suffix == ".pyc" or not file.is_file():
            return b""
        status = file.stat()
    except OSError:
        return b""
    return f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape")
