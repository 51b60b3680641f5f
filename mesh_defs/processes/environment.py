"""What one location's process is given of the environment: an allow-list, its own secrets, how to read its inputs, and
the keys of those kinds of tokens that its contracts declare.

Everything else is left out, so that what nobody thought of stays where it was. Pure: reads neither environment nor file.
A variable belongs to a domain by its whole name: MESH_AD_EVENTS_POSTGRES is ad_events', never ad's. One that could be of
two domains is given to neither; in a domain's own secrets file names are free.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from mesh_defs.settings import token_variable

# What a process needs to run at all. DAGSTER_…: the instance's own, which every process of the instance must reach.
_BARE = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|TERM|LD_LIBRARY_PATH|PYTHON\w+|VIRTUAL_ENV"
    r"|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|(HTTPS?|NO|ALL)_PROXY|(https?|no|all)_proxy"
    r"|DAGSTER_\w+|MESH_(ROOT|HOME|ENV)|GX_ANALYTICS_ENABLED"
    r"|AWS_(DEFAULT_)?REGION|AWS_ENDPOINT_URL\w*|AWS_CA_BUNDLE"
)
# Who may not be told by a domain's file where the mesh lies or whose process this is.
_FIXED = frozenset(
    {"MESH_ROOT", "MESH_HOME", "MESH_ENV", "MESH_LOCATION", "MESH_DAGSTER_URL", "DAGSTER_HOME"}
    | {"MESH_LEDGER", "MESH_LEDGER_HEAD"}
)
# A domain with a key of its own would make tokens that join with nobody's.
_KEYS = token_variable("")
_STORE = re.compile(r"STORAGE|WAREHOUSE|(?:POSTGRES|S3)(?:_READ)?")
_ROLE = re.compile(r"((?:POSTGRES|S3)_READ)_FOR_(\w+)")
_OPEN_TO_READERS = re.compile(r"STORAGE|(?:POSTGRES|S3)_READ")

# The secrets file of Dagster's own processes and of locations that are no domain.
DAGSTER = "dagster"
# The secrets file of the keys of joinable tokens, which no domain owns.
TOKENS = "tokens"
# As whom locations that are no domain read: MESH_<DOMAIN>_POSTGRES_READ_FOR_PLATFORM.
PLATFORM = "platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """Who lives in a process: a location, its domain (none for the platform's own), the domains that it reads.

    `kinds` are those of the tokens that its products have.
    """

    location: str
    domain: str | None = None
    reads: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()


def bare(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what any process may know: enough to load code, and no credential of any domain."""
    return {name: value for name, value in environ.items() if _BARE.fullmatch(name)}


def environment_of(
    resident: Resident,
    *,
    domains: Collection[str],
    environ: Mapping[str, str],
    secrets: Mapping[str, Mapping[str, str]],
) -> dict[str, str]:
    """Return the whole environment of a resident's process. `secrets` are the secrets files, by domain.

    The environment goes before a file, as in `load_settings`; what a domain has in its own file goes before what others
    offer to all readers.
    """
    given = bare(environ)
    for other in resident.reads - {resident.domain}:
        offered = {**secrets.get(other, {}), **environ}
        given |= _readable(offered, of=other, by=resident.domain, domains=domains)
    own = {**_file(resident, domains, secrets), **_owned(environ, resident.domain, domains)}
    given |= {name: value for name, value in own.items() if name not in _FIXED and not name.startswith(_KEYS)}
    return given | _keys(resident, {**secrets.get(TOKENS, {}), **environ}) | {"MESH_LOCATION": resident.location}


def owner_of(name: str, domains: Collection[str]) -> tuple[str, str] | None:
    """Return (domain, rest) of MESH_<DOMAIN>_<REST>; None for another name, and for one that could be of two domains.

    A rest that settings know decides; else the name must fit one domain only.
    """
    fits = [(each, name[len(_prefix(each)) :]) for each in sorted(domains) if name.startswith(_prefix(each))]
    known = [(domain, rest) for domain, rest in fits if _is_known(rest, domains)]
    candidates = known or [(domain, rest) for domain, rest in fits if rest]
    return candidates[0] if len(candidates) == 1 else None


def unclear(names: Collection[str], domains: Collection[str]) -> tuple[str, ...]:
    """Return those variables that could be of two domains, and are therefore given to none."""
    return tuple(
        name
        for name in sorted(names)
        if owner_of(name, domains) is None and any(name.startswith(_prefix(domain)) for domain in domains)
    )


def _keys(resident: Resident, known: Mapping[str, str]) -> dict[str, str]:
    wanted = map(token_variable, resident.kinds)
    return {name: known[name] for name in wanted if known.get(name)}


def _is_known(rest: str, domains: Collection[str]) -> bool:
    role = _ROLE.fullmatch(rest)
    return bool(_STORE.fullmatch(rest)) or (
        role is not None and role[2] in {each.upper() for each in (*domains, PLATFORM)}
    )


def _prefix(domain: str) -> str:
    return f"MESH_{domain.upper()}_"


def _file(resident: Resident, domains: Collection[str], secrets: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    if resident.domain:
        return secrets.get(resident.domain, {})
    return {} if DAGSTER in domains else secrets.get(DAGSTER, {})


def _owned(environ: Mapping[str, str], domain: str | None, domains: Collection[str]) -> dict[str, str]:
    owners = {name: owner_of(name, domains) for name in environ}
    return {name: environ[name] for name, owner in owners.items() if owner and owner[0] == domain}


def _readable(offered: Mapping[str, str], *, of: str, by: str | None, domains: Collection[str]) -> dict[str, str]:
    """A role that may read exactly the declared inputs (…_READ_FOR_<BY>) stands in the place of the general one.

    The platform declares no inputs: it gets where things lie, and of roles only one that was made for it.
    """
    reader = (by or PLATFORM).upper()
    general: dict[str, str] = {}
    exact: dict[str, str] = {}
    for name, rest in _rests(offered, of, domains):
        role = _ROLE.fullmatch(rest)
        if role and role[2] == reader and (by or PLATFORM not in domains):
            exact[f"{_prefix(of)}{role[1]}"] = offered[name]
        elif rest == "STORAGE" or (by and _OPEN_TO_READERS.fullmatch(rest)):
            general[name] = offered[name]
    return general | exact


def _rests(offered: Mapping[str, str], of: str, domains: Collection[str]) -> Iterator[tuple[str, str]]:
    for name, value in offered.items():
        owner = owner_of(name, domains) if value else None
        if owner and owner[0] == of:
            yield name, owner[1]
