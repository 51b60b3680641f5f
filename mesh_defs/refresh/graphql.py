"""Dagster's webserver, as far as a refresh needs it: what loads, launch a run, what became of runs. Imports no Dagster.

Every query is small: a poll costs one for the runs and one for the new events of each run that goes on.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from mesh_defs.errors import UnreachableError

ANSWER_SECONDS_MAX = 120.0
_EVENTS_MAX = 1000
_ENDED = frozenset({"SUCCESS", "FAILURE", "CANCELED"})
LOADED = """__typename
  ... on RepositoryLocation { repositories { name } }
  ... on PythonError { message causes { message } }"""
_LOCATIONS = f"""{{ workspaceOrError {{ __typename
  ... on Workspace {{ locationEntries {{ name locationOrLoadError {{ {LOADED} }} }} }}
  ... on PythonError {{ message }} }} }}"""
_RELOAD = f"""mutation ($name: String!) {{ reloadRepositoryLocation(repositoryLocationName: $name) {{ __typename
  ... on WorkspaceLocationEntry {{ name locationOrLoadError {{ {LOADED} }} }} }} }}"""
_LAUNCH = """mutation ($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename
  ... on LaunchRunSuccess { run { runId } }
  ... on Error { message } } }"""
_RUNS = """query ($filter: RunsFilter!) { runsOrError(filter: $filter) { __typename
  ... on Runs { results { runId status creationTime tags { key value } assetSelection { path } } }
  ... on Error { message } } }"""
_EVENTS = """query ($run: ID!, $after: String, $limit: Int) { logsForRun(runId: $run, afterCursor: $after, limit: $limit) {
  ... on EventConnection { cursor hasMore events { __typename
    ... on MessageEvent { timestamp stepKey message }
    ... on MaterializationEvent { assetKey { path } }
    ... on ObservationEvent { assetKey { path } }
    ... on EngineEvent { error { className message cause { className message } } }
    ... on ExecutionStepFailureEvent {
      failureMetadata { description } error { className message cause { className message } } } } } } }"""
_MAKING = """query ($keys: [AssetKeyInput!]!) { assetsLatestInfo(assetKeys: $keys) {
  assetKey { path } unstartedRunIds inProgressRunIds } }"""
_QUEUE = """{ instance { runQueuingSupported daemonHealth {
  daemonStatus(daemonType: "QUEUED_RUN_COORDINATOR") { lastHeartbeatTime } } } }"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A code location as Dagster sees it: the name of its repository, or why it did not load."""

    repository: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One of Dagster's runs; `products` are those it was asked to make, none when it was not launched by selection."""

    id: str
    status: str
    created: float
    tags: Mapping[str, str]
    products: tuple[str, ...]

    @property
    def ended(self) -> bool:
        """True when nothing more comes of it."""
        return self.status in _ENDED

    @property
    def will_retry(self) -> bool:
        """True when its worker died and Dagster's daemon is about to launch it again, under the same tags."""
        return self.status == "FAILURE" and self.tags.get("dagster/will_retry") == "true"


class Dagster:
    """The webserver at a URL. Every method raises UnreachableError when it does not answer; threads may share one."""

    def __init__(self, url: str) -> None:
        told = urlsplit(url)
        self.shown = f"{told.scheme}://{told.hostname or ''}{f':{told.port}' if told.port else ''}{told.path}"
        self._url = url.rstrip("/") + "/graphql"

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Return the answer's data."""
        fix = "start it with `make dev`, or set MESH_DAGSTER_URL to where it is"
        try:
            answer = requests.post(
                self._url, json={"query": query, "variables": variables}, timeout=ANSWER_SECONDS_MAX
            ).json()
        except requests.JSONDecodeError:
            raise UnreachableError(f"what answers at {self.shown} is not Dagster", fix=fix) from None
        except requests.RequestException as error:
            what = f"Dagster's webserver does not answer at {self.shown} ({type(error).__name__})"
            raise UnreachableError(what, fix=fix) from None
        if not isinstance(answer, dict) or answer.get("errors") or not isinstance(answer.get("data"), dict):
            told = answer.get("errors") if isinstance(answer, dict) else None
            message = str(told[0].get("message", told[0])) if told else "no data"
            raise UnreachableError(f"Dagster at {self.shown} refused a query: {message}", fix="it must be Dagster 1.13")
        data: dict[str, Any] = answer["data"]
        return data

    def locations(self) -> dict[str, Loaded]:
        """Return every code location of the workspace by name."""
        found = self.ask(_LOCATIONS)["workspaceOrError"]
        if found["__typename"] != "Workspace":
            raise UnreachableError(f"Dagster's workspace does not load: {found['message']}", fix="see workspace.yaml")
        return {entry["name"]: loaded(entry["locationOrLoadError"]) for entry in found["locationEntries"]}

    def reload(self, location: str) -> Loaded:
        """Load a location again, which may have been mended since."""
        entry = self.ask(_RELOAD, name=location)["reloadRepositoryLocation"]
        if entry["__typename"] != "WorkspaceLocationEntry":
            return Loaded(error="Dagster cannot load it again; restart its code server")
        return loaded(entry["locationOrLoadError"])

    def launch(
        self,
        location: str,
        repository: str,
        products: Collection[str],
        *,
        partition: str | None = None,
        tags: Mapping[str, str],
    ) -> tuple[str | None, str]:
        """Launch one run of these products and their checks; returns (run id, "") or (None, why Dagster refused)."""
        given = {**tags, **({"dagster/partition": partition} if partition else {})}
        selector = {
            "repositoryLocationName": location,
            "repositoryName": repository,
            "pipelineName": "__ASSET_JOB",
            "assetSelection": [_key(name) for name in products],
        }
        metadata = {"tags": [{"key": key, "value": value} for key, value in given.items()]}
        params = {"selector": selector, "mode": "default", "executionMetadata": metadata}
        told = self.ask(_LAUNCH, params=params)["launchRun"]
        if told["__typename"] == "LaunchRunSuccess":
            return told["run"]["runId"], ""
        return None, _short(told.get("message") or told["__typename"])

    def runs(self, *, tags: Mapping[str, str] | None = None, ids: Collection[str] | None = None) -> tuple[Run, ...]:
        """Return the runs that carry these tags, or have these ids; the oldest first."""
        wanted: dict[str, Any] = {"tags": [{"key": key, "value": value} for key, value in (tags or {}).items()]}
        if ids is not None:
            wanted = {"runIds": sorted(ids)}
        found = self.ask(_RUNS, filter=wanted)["runsOrError"]
        if found["__typename"] != "Runs":
            raise UnreachableError(f"Dagster does not list its runs: {found['message']}", fix="see its log")
        return tuple(_run(each) for each in reversed(found["results"]))

    def events(self, run: str, after: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """Return the events of a run behind a cursor, and the next cursor."""
        events: list[dict[str, Any]] = []
        more = True
        while more:
            told = self.ask(_EVENTS, run=run, after=after, limit=_EVENTS_MAX)["logsForRun"]
            events += told.get("events", ())
            after, more = told.get("cursor", after), told.get("hasMore", False)
        return events, after

    def making(self, products: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the runs, whoever launched them, that are about to make each product or are at it; others are left out."""
        if not products:
            return {}
        found = self.ask(_MAKING, keys=[_key(name) for name in products])["assetsLatestInfo"]
        named = {product_of(each): (*each["unstartedRunIds"], *each["inProgressRunIds"]) for each in found}
        return {name: runs for name, runs in named.items() if runs}

    def queue_silence(self, now: float) -> float | None:
        """Return for how many seconds nobody has served the run queue: infinity for never, None when there is no queue."""
        instance = self.ask(_QUEUE)["instance"]
        if not instance["runQueuingSupported"]:
            return None
        last = instance["daemonHealth"]["daemonStatus"]["lastHeartbeatTime"]
        return float("inf") if last is None else max(0.0, now - last)


def product_of(event: Mapping[str, Any]) -> str:
    """`domain.product` of whatever has an asset key."""
    return ".".join((event.get("assetKey") or {}).get("path", ()))


def _key(product: str) -> dict[str, list[str]]:
    return {"path": product.split(".")}


def _run(told: Mapping[str, Any]) -> Run:
    return Run(
        id=told["runId"],
        status=told["status"],
        created=told["creationTime"],
        tags={tag["key"]: tag["value"] for tag in told["tags"]},
        products=tuple(sorted(".".join(key["path"]) for key in told["assetSelection"] or ())),
    )


def loaded(told: Mapping[str, Any] | None) -> Loaded:
    """Invariant: judged by what was loaded; Dagster says loadStatus LOADED of a location that failed, too."""
    if told is None:
        return Loaded(error="it is still loading")
    if told["__typename"] == "RepositoryLocation":
        return Loaded(repository=next((each["name"] for each in told["repositories"]), ""))
    return Loaded(error=_short((told.get("causes") or [told])[-1]["message"]))


def _short(message: str) -> str:
    """The first line that says something; Dagster appends its stack."""
    return next((line.strip() for line in message.splitlines() if line.strip()), "no reason was given")[:500]
