"""Products that wait for a clean room which is not open here, and what is made of them: a refresh of all leaves them out."""

from collections.abc import Mapping

from mesh_defs.cleanroom.asking import is_open
from mesh_defs.cleanroom.rooms import FOLDER
from mesh_defs.cleanroom.signed import RoomFolder
from mesh_defs.model.mesh import DataProduct
from mesh_defs.refresh.order import stopped_by
from mesh_defs.settings import Settings


def waiting(settings: Settings, products: Mapping[str, DataProduct]) -> dict[str, str]:
    """Return why for each product that cannot be made until all parties of its room have signed."""
    closed = {
        name: f"waits until room '{product.contract.asks.room}' is signed by all; `mesh room show` says by whom it is"
        for name, product in products.items()
        if product.contract.asks and not is_open(RoomFolder(settings.root / FOLDER / product.contract.asks.room))
    }
    after = stopped_by(products, closed, products.keys() - closed.keys())
    return {**closed, **dict.fromkeys(sorted(after), "is made of what waits for a room")}
