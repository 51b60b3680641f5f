"""How an engineer declares a product: a decorated function, or one SELECT in a .sql file."""

import hashlib
import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import dagster as dg

from mesh_defs.errors import DeclarationError, Finding, QueryRejectedError
from mesh_defs.model.names import split_product
from mesh_defs.sql.build import canonical
from mesh_defs.sql.parse import parse_product

_GIVEN = ("context", "connection", "partition", "room")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What of Dagster's own a product may set. None leaves the platform's default."""

    retry_policy: dg.RetryPolicy | None = None
    pool: str | None = None
    automation_condition: dg.AutomationCondition[Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductFunction:
    """A product made by a Python function."""

    name: str
    inputs: tuple[str, ...]
    function: Callable[..., Any]
    options: Options
    made_with: Literal["sql", "python"] = "python"

    @property
    def file(self) -> str:
        """The file that defines the function."""
        return inspect.getsourcefile(self.function) or ""

    @property
    def code_version(self) -> str:
        """Changes when the file of the function does."""
        return _digest(Path(self.file).read_text())

    @property
    def input_parameters(self) -> tuple[inspect.Parameter, ...]:
        """The parameters that take inputs: all but context, connection, partition, room, config and resources."""
        return tuple(p for p in parameters(self.function).values() if not (p.name in _GIVEN or _is_dagsters(p)))

    @property
    def dagster_parameters(self) -> tuple[inspect.Parameter, ...]:
        """The parameters that Dagster fills: config and resources."""
        return tuple(p for p in parameters(self.function).values() if _is_dagsters(p))

    @property
    def takes(self) -> frozenset[str]:
        """Names of all parameters."""
        return frozenset(parameters(self.function))


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlProduct:
    """A product made by one SELECT; its inputs are read from the SQL."""

    name: str
    sql: str
    file: str
    inputs: tuple[str, ...]
    parameters: tuple[str, ...] = ()
    options: Options = field(default_factory=Options)
    made_with: Literal["sql", "python"] = "sql"

    @property
    def code_version(self) -> str:
        """Changes when the SELECT means something else; layout and comments do not count."""
        return _digest(canonical(self.sql))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalProduct:
    """A product that no code of this process makes: another system does, or a location by its own interpreter."""

    name: str
    file: str
    inputs: tuple[str, ...] = ()
    made_with: Literal["external"] = "external"
    code_version: str = ""


def data_product(
    *inputs: str,
    retry_policy: dg.RetryPolicy | None = None,
    pool: str | None = None,
    automation_condition: dg.AutomationCondition[Any] | None = None,
) -> Callable[[Callable[..., Any]], ProductFunction]:
    """Declare the function as a data product, named after it, that reads `inputs` (each `domain.product`).

    The function's parameters take the inputs in that order, or it takes none of them and returns a SELECT that names them.
    An input arrives as a DuckDB relation, or as what its parameter is annotated with: pandas.DataFrame, polars.DataFrame,
    pyarrow.Table. A partition's step gets those rows of a partitioned input that its partition reads. The function may
    also take `context`, `connection` (the step's DuckDB), `partition`, `room` (the clean room that its contract asks),
    `config` and any resource. It returns a relation, a
    DataFrame, an Arrow table or stream, or a SELECT. What it promises stands in its contract.
    """

    def declare(function: Callable[..., Any]) -> ProductFunction:
        options = Options(retry_policy=retry_policy, pool=pool, automation_condition=automation_condition)
        product = ProductFunction(name=function.__name__, inputs=inputs, function=function, options=options)
        _check(product)
        return product

    if len(inputs) == 1 and callable(inputs[0]):
        raise _wrong(inputs[0], "@data_product without brackets", "write `@data_product()` above the function")
    return declare


def read_sql_product(file: Path, *, shown: str) -> SqlProduct:
    """Read a .sql product. Raises DeclarationError when it is not one SELECT over products."""
    sql = file.read_text(encoding="utf-8")
    try:
        statement = parse_product(sql)
    except QueryRejectedError as error:
        where = f"{shown}: {error.where}" if error.where else shown
        raise DeclarationError([Finding(where=where, what=error.what, fix=error.fix)]) from None
    return SqlProduct(
        name=file.stem, sql=sql, file=str(file), inputs=statement.products, parameters=statement.parameters
    )


def parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """The function's parameters, their annotations resolved where they can be."""
    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError):
        hints = {}
    found = inspect.signature(function).parameters
    return {name: p.replace(annotation=hints.get(name, p.annotation)) for name, p in found.items()}


def _is_dagsters(parameter: inspect.Parameter) -> bool:
    """Config is named `config`; a resource is annotated with a resource's class or ResourceParam."""
    kind = parameter.annotation
    is_resource = isinstance(kind, type) and issubclass(kind, dg.ConfigurableResource)
    return parameter.name == "config" or is_resource or typing.get_origin(kind) is typing.Annotated


def _check(product: ProductFunction) -> None:
    for name in product.inputs:
        try:
            split_product(name)
        except ValueError as error:
            raise _wrong(product.function, str(error), 'name inputs as "domain.product"') from None
    taken = len(product.input_parameters)
    if taken not in (0, len(product.inputs)):
        what = f"takes {taken} inputs, but declares {len(product.inputs)}: {', '.join(product.inputs) or 'none'}"
        raise _wrong(product.function, what, "give the function one parameter for each input, in order")


def _wrong(function: Any, what: str, fix: str) -> DeclarationError:
    where = f"{inspect.getsourcefile(function) or '?'}:{function.__code__.co_firstlineno}: {function.__name__}"
    return DeclarationError([Finding(where=where, what=what, fix=fix)])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
