"""One location by itself, for `mesh validate`: what it declares, or what is wrong; by its own interpreter where it has one.

`python -m mesh_defs.authoring.examine NAME` answers as JSON on stdout. Code that is examined is given no secret there.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mesh_defs.authoring.folder import Declared, read_folder
from mesh_defs.authoring.product import ExternalProduct, read_sql_product
from mesh_defs.catalog.loader import load_section
from mesh_defs.documents.snapshot import dump_section, parse_section
from mesh_defs.documents.workspace import Location, read_workspace
from mesh_defs.errors import DeclarationError, Finding, MeshError
from mesh_defs.model.contract import Contract
from mesh_defs.model.mesh import DataProduct, Section
from mesh_defs.processes.apart import loading_environment
from mesh_defs.processes.interpreter import interpreter_of
from mesh_defs.settings import Settings, load_settings

EXAMINE_SECONDS_MAX = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """A location's declarations; `section` is None when something is wrong with them."""

    findings: tuple[Finding, ...] = ()
    products: Mapping[str, tuple[Contract, Declared]]
    section: Section | None = None


def examine(location: Location, settings: Settings) -> Examined:
    """Read a location's folder and asset graph. Imports its code, in a process of its own where it has an interpreter."""
    return _here(location, settings.root) if location.executable is None else _apart(location, settings)


def _here(location: Location, root: Path) -> Examined:
    try:
        folder = read_folder(location.folder, root=root)
        return Examined(products=folder.products, section=load_section(location, root=root, now=datetime.now(UTC)))
    except DeclarationError as error:
        return _wrong(*error.findings)
    except Exception as error:  # noqa: BLE001  a domain's import may raise anything
        what = f"does not import: {type(error).__name__}: {error}"
        return _wrong(Finding(where=str(location.file.relative_to(root)), what=what, fix="mend the import"))


def _apart(location: Location, settings: Settings) -> Examined:
    try:
        command = [str(interpreter_of(location, settings.root)), "-m", __name__, location.name]
        done = subprocess.run(
            command, env=loading_environment(settings), capture_output=True, timeout=EXAMINE_SECONDS_MAX, check=False
        )
        return _told(json.loads(done.stdout), settings.root)
    except MeshError as error:
        what = error.what
    except (OSError, subprocess.TimeoutExpired) as error:
        what = f"was not examined: {type(error).__name__}"
    except (ValueError, KeyError, TypeError):
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        what = f"gave no answer (exit code {done.returncode}): {last[0]}"
    fix = f"try `{location.executable} -c 'import mesh_defs'`; it needs this version of mesh-defs"
    return _wrong(Finding(where=f"workspace.yaml: {location.name}", what=f"its interpreter {what}", fix=fix))


def _wrong(*findings: Finding) -> Examined:
    return Examined(findings=findings, products={})


def _answer(examined: Examined) -> dict[str, Any]:
    return {
        "findings": [asdict(finding) for finding in examined.findings],
        "section": dump_section(examined.section).decode() if examined.section else None,
        "files": {name: made.file for name, (_, made) in examined.products.items()},
    }


def _told(answer: Mapping[str, Any], root: Path) -> Examined:
    """A SELECT is read again here; what made a product in Python stays in its own process but for name and inputs."""
    if answer["section"] is None:
        return _wrong(*(Finding(**finding) for finding in answer["findings"]))
    section = parse_section(answer["section"].encode())
    products: dict[str, tuple[Contract, Declared]] = {}
    for product in section.products:
        file = Path(answer["files"][product.name])
        products[product.name] = (
            product.contract,
            (
                read_sql_product(file, shown=str(file.relative_to(root)))
                if file.suffix == ".sql"
                else ExternalProduct(name=product.name.partition(".")[2], file=str(file), inputs=_read(product))
            ),
        )
    return Examined(products=products, section=section)


def _read(product: DataProduct) -> tuple[str, ...]:
    """The inputs that its step reads itself; what it asks a room about is the room's to read."""
    asked = product.contract.asks.products if product.contract.asks else ()
    return tuple(name for name in product.inputs if name not in asked)


def main() -> None:
    """Examine the location that argv names; what its code prints while it loads goes to stderr."""
    settings = load_settings()
    location = next(each for each in read_workspace(settings.root) if each.name == sys.argv[1])
    answers = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(answers, "w", encoding="utf-8") as out:
        json.dump(_answer(_here(location, settings.root)), out)


if __name__ == "__main__":
    main()
