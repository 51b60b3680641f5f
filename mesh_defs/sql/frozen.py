"""The content of a table as one number, so that its party is held to what it signed."""

from sqlglot import exp

from mesh_defs.model.room import SharedTable
from mesh_defs.sql.tree import write
from mesh_defs.sql.uniform import call


def content_sql(table: SharedTable) -> str:
    """Return a SELECT of one text, `digest`: SHA-256 of the sorted SHA-256 of each different row of person and dimensions.

    Rows are told apart by value, NULL from the empty text, and column from column; neither order nor repetition counts, as
    in a room. NULL for a table without rows.
    """
    domain, name = table.product.split(".")
    columns = [exp.column(_name(each)) for each in (table.person, *table.dimensions)]
    texts = [_told_apart(exp.Cast(this=each, to=exp.DataType.build("VARCHAR"))) for each in columns]
    row = exp.Alias(this=call("sha256", call("concat", *texts)), alias=_name("row"))
    rows = exp.Select(
        expressions=[row],
        distinct=exp.Distinct(),
        from_=exp.From(this=exp.Table(this=_name(name), db=_name(domain))),
    )
    ordered = exp.Order(this=exp.Literal.string(""), expressions=[exp.Ordered(this=exp.column(_name("row")))])
    joined = call("string_agg", exp.column(_name("row")), ordered)
    return write(
        exp.Select(
            expressions=[exp.Alias(this=call("sha256", joined), alias=_name("digest"))],
            from_=exp.From(this=exp.Subquery(this=rows, alias=exp.TableAlias(this=_name("rows")))),
        )
    )


def _told_apart(text: exp.Expr) -> exp.Expr:
    """Its length before each text, so that no two rows run into one."""
    length = exp.Cast(this=call("length", text.copy()), to=exp.DataType.build("VARCHAR"))
    missing = exp.If(this=exp.Is(this=text.copy(), expression=exp.Null()), true=exp.Literal.string("-"))
    return exp.Case(ifs=[missing], default=call("concat", length, exp.Literal.string(":"), text))


def _name(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)
