"""The platform's public names. They resolve lazily: reading the catalog must not pay for Dagster's import."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mesh_defs.authoring.domain import domain_definitions
    from mesh_defs.authoring.package_files import package_file
    from mesh_defs.authoring.product import data_product
    from mesh_defs.cleanroom.lift import lift_of
    from mesh_defs.cleanroom.released import ProductRoom

__all__ = ["ProductRoom", "data_product", "domain_definitions", "lift_of", "package_file"]

_HOMES = {
    "ProductRoom": "mesh_defs.cleanroom.released",
    "data_product": "mesh_defs.authoring.product",
    "domain_definitions": "mesh_defs.authoring.domain",
    "lift_of": "mesh_defs.cleanroom.lift",
    "package_file": "mesh_defs.authoring.package_files",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        try:
            return getattr(import_module(_HOMES[name]), name)
        except AttributeError as error:  # Python would report it as a name that we do not offer
            raise ImportError(f"{_HOMES[name]} does not import: {error}") from error
    raise AttributeError(f"module 'mesh_defs' has no attribute '{name}'")
