"""Orders: the CDNOW log as published. Ours are only the number of the order and the id of the person."""

import duckdb
import pandas

from mesh_defs import data_product, package_file

# The source has no order number and repeats a few lines (two equal orders on one day); numbering a customer's orders
# within their day keeps every line, and the same number whatever the order of the lines.
# The formula of person_id is agreed with the mesh: both sides would get the same id for one e-mail address.
_ORDERS = """
    SELECT
        customer || '-' || day || '-'
            || row_number() OVER (PARTITION BY customer, day ORDER BY quantity, amount) AS order_id,
        CAST(customer AS INTEGER) AS customer_id,
        substr(md5('person ' || CAST(customer AS INTEGER)), 1, 12) AS person_id,
        CAST(strptime(day, '%Y%m%d') AS DATE) AS ordered_on,
        substr(day, 1, 4) || CASE WHEN substr(day, 5, 2) < '07' THEN '-1' ELSE '-2' END AS half,
        quantity,
        amount
    FROM (
        SELECT customer, day, CAST(quantity AS INTEGER) AS quantity, CAST(amount AS DECIMAL(10, 2)) AS amount FROM lines
    ) AS typed
    ORDER BY order_id
"""


@data_product()
def orders(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
    """One row per order line of the log."""
    source = package_file("lifetimes", "datasets/CDNOW_master.txt")
    columns = ["customer", "day", "quantity", "amount"]
    lines = pandas.read_csv(source, sep=r"\s+", header=None, skiprows=1, names=columns, dtype=str)
    return connection.from_df(lines).query("lines", _ORDERS)
