"""Products that wait for a clean room which is not open here, and what is made of them: a refresh of all leaves them out."""

from collections.abc import Mapping
from datetime import datetime

from mesh_defs.cleanroom.asking import is_open
from mesh_defs.cleanroom.rooms import FOLDER
from mesh_defs.cleanroom.signed import RoomFolder
from mesh_defs.model.mesh import DataProduct
from mesh_defs.refresh.order import stopped_by
from mesh_defs.settings import Settings


def waiting(settings: Settings, products: Mapping[str, DataProduct], now: datetime) -> dict[str, str]:
    """Return why for each product that cannot be made while its room is not open, and for what is made of it."""
    asking = {name: product.contract.asks.room for name, product in products.items() if product.contract.asks}
    closed = {
        name: f"waits: room '{room}' is not open; `mesh room show {room}` says who has not signed"
        for name, room in asking.items()
        if not is_open(RoomFolder(settings.root / FOLDER / room), now)
    }
    after = stopped_by(products, closed, products.keys() - closed.keys())
    return {**closed, **dict.fromkeys(sorted(after), "is made of what waits for a room")}
