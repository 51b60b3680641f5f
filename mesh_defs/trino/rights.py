"""What one principal may do on a Trino: the door's own decision, said of Trino's catalogs, schemas, tables and columns.

Whatever is not named here is denied: every write, every procedure, a connector's own SQL (`query`), other people's queries,
service principals (pipelines do not come this way). A person's purpose is part of the name that Trino has authenticated
(`ada+measurement`): a client could put anything into a tag of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mesh_defs.errors import MeshError
from mesh_defs.model.access import AccessRequest, Decision, Principal
from mesh_defs.model.mesh import DataProduct
from mesh_defs.policy.authorize import Policy, authorize
from mesh_defs.query.bind import require_fresh_rules
from mesh_defs.query.mesh import served_from
from mesh_defs.query.platform import Platform
from mesh_defs.sql.translation.native import NativeView, native_view
from mesh_defs.trino.asked import Asked

Place = tuple[str, str, str]
# How the door's own name begins on a Trino that asks for no password: what follows is drawn at random, and secret.
DOOR = "mesh-door-"
# In each catalog; what it lists, Trino asks about thing by thing.
_LISTS = "information_schema"


@dataclass(frozen=True, slots=True)
class Rights:
    """Decides for one moment: `platform` and `policy` as they are now, `places` where its products are. `filters` is the
    name, known to nobody, as whom Trino evaluates rules and masks, over columns that the asker may not see; `door` the one as
    whom the door asks, if it is one that nobody else can be."""

    platform: Platform
    policy: Policy
    places: Mapping[Place, str]
    filters: str
    door: str | None = None

    def allows(self, asked: Asked) -> bool:
        """Whether this may be done, or be listed."""
        if asked.user == self.filters:
            return asked.operation in ("SelectFromColumns", "AccessCatalog") and self._knows(asked)
        if self.is_door(asked):
            return self._door_may(asked)
        if self._who(asked) is None:
            return False
        answer = _OPERATIONS.get(asked.operation)
        return answer is not None and answer(self, asked)

    def is_door(self, asked: Asked) -> bool:
        """Whether it is the door that asks: what it reads was decided there, and is on record."""
        return self.door is not None and asked.user == self.door

    def _door_may(self, asked: Asked) -> bool:
        """Read what its products' catalogs hold, and register Delta tables; write nothing."""
        if asked.catalog not in ("", *(catalog for catalog, _, _ in self.places)):
            return False
        if asked.operation in _REGISTERING and asked.catalog.endswith(_NOTED):
            return asked.operation != "ExecuteProcedure" or asked.routine in ("register_table", "unregister_table")
        return asked.operation in _DOOR

    def shown(self, asked: Asked) -> NativeView | None:
        """What is shown of the product at a table; None when nothing is, or the rules cannot be said to Trino."""
        try:
            return self._said(asked)
        except MeshError:
            return None

    def reasons(self, asked: Asked) -> tuple[str, ...]:
        """Why it was decided so, and what of the decision cannot be said to Trino."""
        decision = self.decided(asked, self.places[asked.place])
        told = decision.reasons if decision is not None else ()
        try:
            said = self._said(asked)
        except MeshError as error:
            return (*told, error.what)
        unsaid = said.unsaid.items() if said is not None else ()
        return (*told, *(f"'{column}' is left out: {why}" for column, why in unsaid))

    def _said(self, asked: Asked) -> NativeView | None:
        product = self.places.get(asked.place)
        decision = self.decided(asked, product) if product is not None else None
        view = decision.views.get(product) if decision is not None and product is not None else None
        if product is None or view is None:
            return None
        require_fresh_rules(product, self.platform)
        declared = self.platform.mesh.products[product]
        masked = any(mask.kind == "token" for mask in view.masks.values())
        tokens = self._tokens(declared) if masked else {}
        return native_view({each.name: each.type for each in declared.contract.columns}, view, tokens)

    def _tokens(self, product: DataProduct) -> dict[str, str | None]:
        """Where the tokens of what is published now stand: beside an Iceberg table's columns; Postgres's views have none."""
        version = self.platform.storage_of(product).current()
        columns = version.token_columns if version is not None else {}
        reached = served_from(product.contract, self.platform.settings).server.kind == "iceberg"
        return {name: token if reached else None for name, token in columns.items()}

    def decided(self, asked: Asked, product: str) -> Decision | None:
        """The door's decision on one product; None for a name that is nobody's."""
        who = self._who(asked)
        if who is None:
            return None
        principal, purpose = who
        request = AccessRequest(principal=principal, purpose=purpose, products=(product,), now=self.platform.clock())
        return authorize(request, self.policy)

    def _who(self, asked: Asked) -> tuple[Principal, str] | None:
        name, _, purpose = asked.user.rpartition("+")
        principal = self.platform.mesh.principal(name)
        known = principal is not None and principal.domain is None and purpose in self.platform.mesh.standards.purposes
        return (principal, purpose) if principal and known else None

    def _knows(self, asked: Asked) -> bool:
        return any(
            place[: 3 if asked.table else 1] == (asked.place if asked.table else (asked.catalog,))
            for place in self.places
        )

    def _sees_below(self, asked: Asked) -> bool:
        """Something is shown to them in this catalog, or this schema of it."""
        if asked.schema == _LISTS:
            asked = Asked(user=asked.user, query=asked.query, operation=asked.operation, catalog=asked.catalog)
        wanted = (asked.catalog, asked.schema) if asked.schema else (asked.catalog,)
        return any(
            place[: len(wanted)] == wanted and self.shown(_at(asked, place)) is not None for place in self.places
        )

    def _sees(self, asked: Asked) -> bool:
        if asked.schema == _LISTS:
            return self._sees_below(asked)
        shown = self.shown(asked)
        return shown is not None and set(asked.columns) <= shown.columns.keys()


_OPERATIONS: Mapping[str, Callable[[Rights, Asked], bool]] = {
    "ExecuteQuery": lambda rights, asked: True,
    **dict.fromkeys(
        ("AccessCatalog", "FilterCatalogs", "ShowSchemas", "FilterSchemas", "ShowTables"), Rights._sees_below
    ),
    **dict.fromkeys(("FilterTables", "ShowColumns", "FilterColumns", "SelectFromColumns"), Rights._sees),
}


_DOOR = frozenset(
    {"ExecuteQuery", "SetSystemSessionProperty", "AccessCatalog", "ShowCreateTable", "SelectFromColumns"}
    | {"FilterCatalogs", "ShowSchemas", "FilterSchemas", "ShowTables", "FilterTables", "ShowColumns", "FilterColumns"}
)
# What it takes to note where a table lies, in catalogs that know no other way.
_REGISTERING, _NOTED = (
    frozenset({"CreateSchema", "CreateTable", "DropTable", "ExecuteProcedure"}),
    ("_delta", "_delta_s3"),
)


def _at(asked: Asked, place: Place) -> Asked:
    catalog, schema, table = place
    return Asked(
        user=asked.user, query=asked.query, operation=asked.operation, catalog=catalog, schema=schema, table=table
    )
