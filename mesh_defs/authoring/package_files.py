"""Data files that installed packages carry, found without importing the packages."""

import importlib.util
from pathlib import Path

from mesh_defs.errors import UnreachableError


def package_file(package: str, path: str) -> Path:
    """Return the path of a data file inside an installed package. Raises UnreachableError when it is not there."""
    found = importlib.util.find_spec(package)
    for folder in (found.submodule_search_locations or ()) if found else ():
        if (file := Path(folder) / path).is_file():
            return file
    raise UnreachableError(f"no file {path} in the package '{package}'", fix=f"install {package}; `make demo` does")
