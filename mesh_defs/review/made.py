"""What makes each product of a domain's folder, told from the files: a SELECT is parsed, Python is looked at, never imported."""

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mesh_defs.errors import Finding, QueryRejectedError
from mesh_defs.sql.build import canonical
from mesh_defs.sql.parse import parse_product

_DECLARES = "data_product"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How a product is made. `inputs` None: Python that computes them. `code` changes when what is made may."""

    file: str
    inputs: tuple[str, ...] | None
    code: str
    sql: str | None = None


def made_in(folder: Path, root: Path, problems: list[Finding]) -> dict[str, Made]:
    """Products by name; a file that cannot be read is left out and complained of."""
    found: dict[str, Made] = {}
    for file in sorted((folder / "products").glob("*.sql")) + sorted((folder / "products").glob("*.py")):
        shown = str(file.relative_to(root))
        try:
            text = file.read_text(encoding="utf-8")
            made = [(file.stem, _selected(text, shown))] if file.suffix == ".sql" else list(_decorated(text, shown))
        except (OSError, UnicodeDecodeError, SyntaxError, ValueError, RecursionError) as error:
            problems.append(Finding(where=shown, what=f"{type(error).__name__}: {error}", fix="mend the file"))
        except QueryRejectedError as error:
            where = f"{shown}: {error.where}" if error.where else shown
            problems.append(Finding(where=where, what=error.what, fix=error.fix))
        else:
            found |= {f"{folder.name}.{name}": each for name, each in made}
    return found


def _selected(text: str, shown: str) -> Made:
    return Made(file=shown, inputs=parse_product(text).products, code=canonical(text), sql=text)


def _decorated(text: str, shown: str) -> Iterator[tuple[str, Made]]:
    """The functions of a module that are decorated as products, whatever the decorator was imported as."""
    tree = ast.parse(text)
    names = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name == _DECLARES
    }
    code = hashlib.sha256(text.encode()).hexdigest()
    for node in tree.body:
        for call in node.decorator_list if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _declares(call, names):
                yield node.name, Made(file=shown, inputs=_inputs(call), code=code)


def _declares(call: ast.expr, names: set[str]) -> bool:
    if not isinstance(call, ast.Call):
        return False
    if isinstance(call.func, ast.Attribute):
        return call.func.attr == _DECLARES
    return isinstance(call.func, ast.Name) and call.func.id in names


def _inputs(call: ast.expr) -> tuple[str, ...] | None:
    arguments = call.args if isinstance(call, ast.Call) else []
    told = [each.value for each in arguments if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return tuple(told) if len(told) == len(arguments) else None
