"""aws.yaml of a room: where its parties and tables are at AWS. Says nothing of what is allowed; that is the agreement's alone."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from mesh_defs.cleanroom.aws_losses import askable, level_of, protected_tables
from mesh_defs.documents.complaints import Complaints
from mesh_defs.documents.reading import Document, read_document
from mesh_defs.documents.strict import Name, Strict, Text
from mesh_defs.documents.structure import build, refusal
from mesh_defs.errors import NotFoundError, nearest
from mesh_defs.model.room import Agreement, Level, SharedTable

_ACCOUNT = re.compile(r"[0-9]{12}")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,127}")
_GUIDE = "docs/guides/room-aws.md shows one"


def _account(text: str) -> str:
    if not _ACCOUNT.fullmatch(text):
        raise refusal(f"found '{text}'", 'write the 12 digits of an AWS account, in quotes: "111122223333"')
    return text


def _part(text: str) -> str:
    if not _PART.fullmatch(text):
        raise refusal(f"found '{text}'", "write letters, digits, _ and -, 128 at most")
    return text


_Account = Annotated[str, AfterValidator(_account)]
_Part = Annotated[str, AfterValidator(_part)]


class _Results(Strict):
    bucket: Text
    prefix: Text | None = None
    role: Text | None = None


class _Party(Strict):
    account: _Account
    role: Text
    results: _Results | None = None


class _Glue(Strict):
    database: _Part
    table: _Part


class _Athena(Strict):
    work_group: _Part
    database: _Part
    table: _Part
    output: Text | None = None


class _Snowflake(Strict):
    secret: Text
    account: Text
    database: Text
    schema_: Text = Field(alias="schema")
    table: Text
    types: Annotated[dict[Name, Text], Field(min_length=1)]


class _Table(Strict):
    glue: _Glue | None = None
    athena: _Athena | None = None
    snowflake: _Snowflake | None = None


class Places(Strict):
    """The file. `noise_users`: AWS's usersNoisePerQuery, which a privacy budget needs and no agreement names."""

    format: Literal[1]
    region: _Part
    parties: dict[Name, _Party]
    tables: dict[Text, _Table]
    noise_users: int | None = None

    def account(self, party: str) -> str:
        """A party's AWS account: 12 digits."""
        return self.parties[party].account

    def results(self, party: str) -> Mapping[str, Any] | None:
        """Where a party's results go, as CreateMembership has it; None when each query says it."""
        results = self.parties[party].results
        if results is None:
            return None
        prefix = {"keyPrefix": results.prefix} if results.prefix else {}
        output = {"s3": {"resultFormat": "PARQUET", "bucket": results.bucket, **prefix}}
        return {"outputConfiguration": output, **({"roleArn": results.role} if results.role else {})}

    def reference(self, table: SharedTable) -> Mapping[str, Any]:
        """Where a table's rows are, as CreateConfiguredTable has it."""
        at = self.tables[table.name]
        if at.glue:
            return {"glue": {"databaseName": at.glue.database, "tableName": at.glue.table}}
        if at.athena:
            output = {"outputLocation": at.athena.output} if at.athena.output else {}
            names = {"databaseName": at.athena.database, "tableName": at.athena.table}
            return {"athena": {"workGroup": at.athena.work_group, **names, **output}}
        if at.snowflake is None:
            raise AssertionError("read_places() lets no table through that is nowhere")
        types = at.snowflake.types
        columns = [{"columnName": column, "columnType": types[column]} for column in table.columns]
        return {
            "snowflake": {
                "secretArn": at.snowflake.secret,
                "accountIdentifier": at.snowflake.account,
                "databaseName": at.snowflake.database,
                "schemaName": at.snowflake.schema_,
                "tableName": at.snowflake.table,
                "tableSchema": {"v1": columns},
            }
        }


def read_places(path: Path, agreement: Agreement) -> Places:
    """Read aws.yaml of an agreement that AWS can express. DeclarationError with every finding; NotFoundError without a file."""
    if not path.is_file():
        raise NotFoundError("it is not known where parties and tables are at AWS", where=str(path), fix=_GUIDE)
    document = read_document(path, root=path.parent)
    places = build(Places, document)
    wrong = _complaints(places, agreement, document)
    wrong.raise_if_any()
    return places


def _complaints(places: Places, agreement: Agreement, document: Document) -> Complaints:
    wrong = Complaints(document)
    level = level_of(agreement)
    parties, tables = [party.name for party in agreement.parties], {table.name: table for table in askable(agreement)}
    for kind, given, known in (("parties", places.parties, parties), ("tables", places.tables, list(tables))):
        for name in given:
            if name not in known:
                wrong.add(
                    (kind, name),
                    f"'{name}' is none of the agreement's, or may not be asked about",
                    nearest(name, known),
                )
        for name in known:
            if name not in given:
                wrong.add((kind, name), f"'{name}' of the agreement is missing", _GUIDE)
    accounts = [party.account for party in places.parties.values()]
    for name, party in places.parties.items():
        if accounts.count(party.account) > 1:
            wrong.add(("parties", name, "account"), "two parties have one account", "write each party's own")
        if party.results and name not in agreement.recipients:
            fix = f"recipients: {', '.join(agreement.recipients)}"
            wrong.add(("parties", name, "results"), f"'{name}' may not have answers", fix)
    for name, at in places.tables.items():
        for what, fix in _misplaced(at, tables.get(name), level, agreement):
            wrong.add(("tables", name), what, fix)
    if (level == "privacy") != (places.noise_users is not None):
        wrong.add(
            ("noise_users",), "it goes with a budget, and a budget with it", "write it for rules of level privacy only"
        )
    return wrong


def _misplaced(at: _Table, table: SharedTable | None, level: Level, agreement: Agreement) -> Iterator[tuple[str, str]]:
    if sum(each is not None for each in (at.glue, at.athena, at.snowflake)) != 1:
        yield "it is in one place", "write one of glue, athena and snowflake"
    elif at.glue is None and level == "threshold":
        yield "AWS takes AGGREGATION rules for tables in S3 only", "write glue, or agree on templates"
    elif at.glue is None and level == "privacy" and table in protected_tables(agreement):
        yield "AWS has differential privacy for tables in S3 only", "write glue"
    if at.snowflake and table and set(at.snowflake.types) != set(table.columns):
        yield "the types are not those of the shared columns", f"write one for each of {', '.join(table.columns)}"
