"""Names to products of the mesh, at the versions that are current now. One name for "missing" and "not for you"."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from mesh_defs.errors import AccessDeniedError, NotFoundError, StorageError
from mesh_defs.model.access import Decision, Principal
from mesh_defs.model.mesh import DataProduct
from mesh_defs.model.version import Pin
from mesh_defs.query.mesh import open_storage, server_in
from mesh_defs.query.platform import Platform
from mesh_defs.storage.parallel import in_parallel


def find(names: tuple[str, ...], platform: Platform) -> dict[str, DataProduct]:
    """Return those of the named products that exist; what is missing is not told from what is not permitted."""
    products = platform.mesh.products
    return {name: products[name] for name in names if name in products}


def refusal(
    names: tuple[str, ...], decision: Decision, principal: Principal, mesh_names: Mapping[str, object]
) -> Exception:
    """The error for a request that is not allowed. A pipeline's owner learns which grant is missing; others one sentence."""
    refused = [name for name in names if name not in decision.grants]
    reasons = dict(zip(names, decision.reasons, strict=True))
    if principal.domain is not None:
        what = "; ".join(reasons[name] if name in mesh_names else f"{name}: no such product" for name in refused)
        return AccessDeniedError(f"{principal.name} may not read this: {what}", fix=decision.fix)
    told = [name for name in refused if not reasons[name].endswith(": no grant")]
    if told:
        return AccessDeniedError("; ".join(reasons[name] for name in told), fix=decision.fix)
    what = f"{', '.join(refused)}: not found or not permitted to {principal.name}"
    askable = "mesh access request" in decision.fix
    fix = decision.fix if askable else "`mesh products` lists what there is; its owner can grant it"
    return NotFoundError(what, fix=fix)


def pin_all(
    products: Mapping[str, DataProduct], platform: Platform, *, versions: Mapping[str, str] | None = None
) -> dict[str, Pin]:
    """Resolve every pointer once, so that the query sees one cut of the mesh; `versions` are those to read instead.

    A pin has the columns that were promised when it was published: a contract that changed since changes no reader's query.
    """
    for name in products:
        require_fresh_rules(name, platform)
    wanted = versions or {}
    near = all(_is_near(product, platform) for product in products.values())
    names, each_of = list(products), map if near else in_parallel
    pins = each_of(lambda name: _pin(products[name], platform, wanted.get(name)), names)
    return dict(zip(names, pins, strict=True))


def _is_near(product: DataProduct, platform: Platform) -> bool:
    """Whether its pointer is a file here, which is read sooner than a thread has started."""
    return server_in(product.contract, platform.settings.environment).kind in ("parquet", "duckdb")


def _pin(product: DataProduct, platform: Platform, wanted: str | None) -> Pin:
    storage = platform.storage_of(product)
    version = storage.current()
    if wanted is not None and (version is None or version.id != wanted):
        kept = () if product.contract.external else open_storage(product, platform.settings).versions()
        version = next((each for each in kept if each.id == wanted), None)
        if version is None:
            what = f"version {wanted} of {product.name} is gone"
            raise StorageError(what, fix="replaced versions are kept for mesh.yaml's retention_seconds; ask anew")
    if version is None:
        what = f"{product.name} has no published version yet"
        raise StorageError(what, fix=f"run `mesh refresh --select {product.name} --in-process`")
    return replace(storage.pin(product.name, version), data_version=version.data_version, token_keys=version.tokens)


def require_fresh_rules(name: str, platform: Platform) -> None:
    """Fail closed when the rules were read too long ago to be trusted."""
    section = platform.mesh.section_of(name)
    limit = platform.mesh.standards.snapshot_age_seconds_max
    if section and platform.clock() - section.loaded_at > timedelta(seconds=limit):
        what = f"the declarations of {section.location} are older than {limit:g} s"
        why = f": {section.error}" if section.error else ""
        raise AccessDeniedError(what + why, fix="run `mesh refresh --catalog`")
