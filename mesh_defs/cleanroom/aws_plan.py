"""The same agreement at AWS Clean Rooms: the requests, member by member, that make the collaboration. Sends nothing.

What AWS cannot express is refused (aws_losses), and every request is held against the service's own model (aws_shapes).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from mesh_defs.cleanroom.aws_losses import (
    alias_of,
    askable,
    functions_of,
    level_of,
    protected_tables,
    refusals,
    rules_of,
    whole_epsilon_of,
)
from mesh_defs.cleanroom.aws_places import Places
from mesh_defs.cleanroom.aws_shapes import faults
from mesh_defs.cleanroom.rules import terms_of
from mesh_defs.documents.room import digest_of
from mesh_defs.errors import AnalysisRejectedError, DeclarationError, Finding
from mesh_defs.model.room import Agreement, AnalysisTemplate, SharedTable
from mesh_defs.sql.spark import SparkTemplate, spark_template

# What stands for an identifier that AWS has yet to give, while a request is held against the model.
_UUID = "00000000-0000-4000-8000-000000000000"
_SAMPLES = {
    "id": _UUID,
    "arn": f"arn:aws:cleanrooms:eu-west-1:111122223333:membership/{_UUID}/analysistemplate/{_UUID}",
}
COLLABORATION = "collaboration"


class Reference(NamedTuple):
    """An identifier that another step gives: its `id`, or its `arn`."""

    step: str
    part: str

    def __str__(self) -> str:
        return f"${{{self.step}:{self.part}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request of one party's account. `operation`: as the service names it; `request` may hold References."""

    name: str
    party: str
    operation: str
    request: Mapping[str, Any]


def plan(agreement: Agreement, places: Places) -> tuple[Step, ...]:
    """Return the requests in the order in which they can be sent; the same for the same agreement and places.

    Raises DeclarationError with all that AWS cannot express or would not take: then there is no plan at all.
    """
    found = list(refusals(agreement))
    if found:
        raise DeclarationError(found)
    steps = tuple(_steps(agreement, places))
    found = [
        Finding(where=step.name, what=fault, fix="agree on what AWS can take, or correct aws.yaml")
        for step in steps
        for fault in faults(step.operation, resolved(step.request, _SAMPLED))
    ]
    if found:
        raise DeclarationError(found)
    return steps


def resolved(value: Any, known: Mapping[Reference, str]) -> Any:
    """Return a request with identifiers in the place of References. KeyError for one that is not known."""
    if isinstance(value, Reference):
        return known[value]
    if isinstance(value, Mapping):
        return {name: resolved(each, known) for name, each in value.items()}
    return [resolved(each, known) for each in value] if isinstance(value, list) else value


def references(value: Any) -> Iterator[Reference]:
    """Yield the References in a request."""
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, Mapping | list):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from references(each)


class _Sampled(dict[Reference, str]):
    def __missing__(self, key: Reference) -> str:
        return _SAMPLES[key.part]


_SAMPLED = _Sampled()


def _steps(agreement: Agreement, places: Places) -> Iterator[Step]:
    """Templates name tables, so those are associated before; a table's CUSTOM rule names templates, so it comes after."""
    tables = askable(agreement)
    yield _collaboration(agreement, places)
    yield from (_membership(party.name, agreement, places) for party in agreement.parties)
    for table in tables:
        yield _configured(table, agreement, places)
        yield _association(table, places)
    if level_of(agreement) == "template":
        yield from _templates(agreement)
    for table in tables:
        yield _rule(table, agreement, places)
        yield _receivers(table, agreement, places)
    if level_of(agreement) == "privacy":
        yield _budget(agreement, places)


def _collaboration(agreement: Agreement, places: Places) -> Step:
    creator, *others = [party.name for party in agreement.parties]
    return Step(
        name=COLLABORATION,
        party=creator,
        operation="CreateCollaboration",
        request={
            "name": _called(agreement),
            "description": agreement.title,
            "creatorDisplayName": creator,
            "creatorMemberAbilities": _abilities(creator, agreement),
            "creatorPaymentConfiguration": _pays(creator, agreement),
            "members": [
                {
                    "accountId": places.account(each),
                    "displayName": each,
                    "memberAbilities": _abilities(each, agreement),
                    "paymentConfiguration": _pays(each, agreement),
                }
                for each in others
            ],
            "queryLogStatus": "ENABLED",
            "analyticsEngine": "SPARK",
            "autoApprovedChangeRequestTypes": [],
            "tags": _tags(agreement),
        },
    )


def _membership(party: str, agreement: Agreement, places: Places) -> Step:
    results = places.results(party)
    return Step(
        name=f"membership/{party}",
        party=party,
        operation="CreateMembership",
        request={
            "collaborationIdentifier": Reference(COLLABORATION, "id"),
            "queryLogStatus": "ENABLED",
            "paymentConfiguration": _pays(party, agreement),
            **({"defaultResultConfiguration": results} if results else {}),
            "tags": _tags(agreement),
        },
    )


def _configured(table: SharedTable, agreement: Agreement, places: Places) -> Step:
    return Step(
        name=f"table/{table.name}",
        party=table.party,
        operation="CreateConfiguredTable",
        request={
            # Names of configured tables are of an account, not of a collaboration.
            "name": f"{alias_of(table.name)} {digest_of(agreement)[:12]}",
            "tableReference": places.reference(table),
            "allowedColumns": list(table.columns),
            "analysisMethod": "DIRECT_QUERY",
            "tags": _tags(agreement),
        },
    )


def _association(table: SharedTable, places: Places) -> Step:
    return Step(
        name=f"association/{table.name}",
        party=table.party,
        operation="CreateConfiguredTableAssociation",
        request={
            "name": alias_of(table.name),
            "membershipIdentifier": Reference(f"membership/{table.party}", "id"),
            "configuredTableIdentifier": Reference(f"table/{table.name}", "id"),
            "roleArn": places.parties[table.party].role,
        },
    )


def _templates(agreement: Agreement) -> Iterator[Step]:
    """Written by the first protected party: who asks writes no question."""
    party = protected_tables(agreement)[0].party
    for template in agreement.templates:
        written = _template(template, agreement)
        parameters = [
            {"name": name, "type": "BIGINT" if isinstance(agreement.domain(field)[0], int) else "STRING"}
            for name, field in sorted(template.parameters.items())
        ]
        yield Step(
            name=f"template/{template.name}",
            party=party,
            operation="CreateAnalysisTemplate",
            request={
                "membershipIdentifier": Reference(f"membership/{party}", "id"),
                "name": template.name,
                "format": "SQL",
                "source": {"text": written.sql},
                "analysisParameters": parameters,
            },
        )


def _template(template: AnalysisTemplate, agreement: Agreement) -> SparkTemplate:
    (analyst,) = agreement.analysts
    names = {table.name: alias_of(table.name) for table in askable(agreement)}
    try:
        written = spark_template(template, agreement, analyst=analyst, names=names)
        terms_of(written.analysis, agreement, analyst)
    except AnalysisRejectedError as error:
        finding = Finding(where=f"templates.{template.name}", what=error.what, fix=error.fix)
        raise DeclarationError([finding]) from None
    return written


def _rule(table: SharedTable, agreement: Agreement, places: Places) -> Step:
    level = level_of(agreement)
    kind = "aggregation" if level == "threshold" else "custom"
    return Step(
        name=f"rule/{table.name}",
        party=table.party,
        operation="CreateConfiguredTableAnalysisRule",
        request={
            "configuredTableIdentifier": Reference(f"table/{table.name}", "id"),
            "analysisRuleType": kind.upper(),
            "analysisRulePolicy": {"v1": {kind: _policy(table, agreement, places)}},
        },
    )


def _policy(table: SharedTable, agreement: Agreement, places: Places) -> dict[str, Any]:
    level = level_of(agreement)
    if level == "threshold":
        return _aggregation(table, agreement)
    if level == "template":
        return {
            "allowedAnalyses": [Reference(f"template/{each.name}", "arn") for each in agreement.templates],
            "additionalAnalyses": "NOT_ALLOWED",
            "disallowedOutputColumns": [table.person],
            "aggregationThresholds": [
                {
                    "identityColumns": [table.person],
                    "minimumIdentityCount": _persons_min(table, agreement),
                    "type": "COUNT_DISTINCT",
                    "allowedAggregateExpressionType": "COLUMNS_ONLY",
                }
            ],
        }
    private = {"differentialPrivacy": {"columns": [{"name": table.person}]}}
    return {
        "allowedAnalyses": ["ANY_QUERY"],
        "allowedAnalysisProviders": [places.account(each) for each in agreement.analysts],
        "additionalAnalyses": "NOT_ALLOWED",
        "disallowedOutputColumns": [table.person],
        **(private if table in protected_tables(agreement) else {}),
    }


def _aggregation(table: SharedTable, agreement: Agreement) -> dict[str, Any]:
    return {
        "aggregateColumns": list(_aggregates(table, agreement)),
        "joinColumns": [table.person],
        "joinRequired": "QUERY_RUNNER",
        "allowedJoinOperators": ["AND"],
        "dimensionColumns": list(table.dimensions),
        "scalarFunctions": [],
        "outputConstraints": [
            {"columnName": table.person, "minimum": _persons_min(table, agreement), "type": "COUNT_DISTINCT"}
        ],
    }


def _aggregates(table: SharedTable, agreement: Agreement) -> Iterator[dict[str, Any]]:
    allowed = functions_of(table, agreement)
    if "reach" in allowed:
        yield {"columnNames": [table.person], "function": "COUNT_DISTINCT"}
    if "count" in allowed:
        yield {"columnNames": [table.person], "function": "COUNT"}
    if table.party in agreement.analysts:
        return
    for function in sorted(allowed & {"sum", "avg"}):
        columns = [name for name, measure in table.measures.items() if function in measure.functions]
        if columns:
            yield {"columnNames": columns, "function": function.upper()}


def _receivers(table: SharedTable, agreement: Agreement, places: Places) -> Step:
    kind = "aggregation" if level_of(agreement) == "threshold" else "custom"
    receivers = [places.account(each) for each in agreement.recipients]
    return Step(
        name=f"receivers/{table.name}",
        party=table.party,
        operation="CreateConfiguredTableAssociationAnalysisRule",
        request={
            "membershipIdentifier": Reference(f"membership/{table.party}", "id"),
            "configuredTableAssociationIdentifier": Reference(f"association/{table.name}", "id"),
            "analysisRuleType": kind.upper(),
            "analysisRulePolicy": {
                "v1": {kind: {"allowedResultReceivers": receivers, "allowedAdditionalAnalyses": []}}
            },
        },
    )


def _budget(agreement: Agreement, places: Places) -> Step:
    party = protected_tables(agreement)[0].party
    epsilon = whole_epsilon_of(agreement.privacy.micro_rho if agreement.privacy else 0)
    return Step(
        name="budget",
        party=party,
        operation="CreatePrivacyBudgetTemplate",
        request={
            "membershipIdentifier": Reference(f"membership/{party}", "id"),
            "autoRefresh": "NONE",
            "privacyBudgetType": "DIFFERENTIAL_PRIVACY",
            "parameters": {"differentialPrivacy": {"epsilon": epsilon, "usersNoisePerQuery": places.noise_users}},
        },
    )


def _persons_min(table: SharedTable, agreement: Agreement) -> int:
    return max(rule.persons_min for rule in rules_of(table, agreement))


def _abilities(party: str, agreement: Agreement) -> list[str]:
    asks = ["CAN_QUERY"] if party in agreement.analysts else []
    return [*asks, *(["CAN_RECEIVE_RESULTS"] if party in agreement.recipients else [])]


def _pays(party: str, agreement: Agreement) -> dict[str, Any]:
    """Who asks pays."""
    return {"queryCompute": {"isResponsible": party in agreement.analysts}}


def _called(agreement: Agreement) -> str:
    """Names this very agreement, so that a next version is another collaboration."""
    return f"{agreement.id} v{agreement.version} {digest_of(agreement)[:12]}"


def _tags(agreement: Agreement) -> dict[str, str]:
    return {"mesh-room": agreement.id, "mesh-agreement": digest_of(agreement)}
