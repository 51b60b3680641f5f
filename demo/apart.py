"""`make room`: the demo's clean room between three processes, with every byte between them captured and looked at.

Two organisations, and whom both trust to add up, with a folder, key and ledger each (demo/partners.py). Ends with 1 when
anything that identifies somebody, or has no place in the protocol, is found in what crossed; with 3 when a command fails.
"""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from demo.accounted import PARTIAL, Crossed, crossed
from demo.examined import Wanted, identifiers
from demo.partners import CADENCE, NORTHLIGHT, ROOM, Partner, agree, environment, partners_of, process, send, write
from demo.relay import Relay, relayed
from demo.told import as_typed, say
from mesh_defs.cleanroom.lift import lift_of
from mesh_defs.cli.main import FINDINGS, exit_code
from mesh_defs.cli.render import print_table, size
from mesh_defs.errors import MeshError, UnreachableError
from mesh_defs.model.room import Agreement
from mesh_defs.processes.postgres import start as start_postgres
from mesh_defs.processes.programs import free_ports
from mesh_defs.query.platform import Platform, open_platform
from mesh_defs.settings import Settings, load_settings

OVERLAP = """
SELECT e.region, count(DISTINCT e.person_id) AS persons, sum(o.amount) AS spent FROM northlight.exposures AS e
JOIN cadence.orders AS o ON o.person_id = e.person_id WHERE o.half = '1998-1' GROUP BY e.region
""".strip()
REACH = """
SELECT o.half, e.campaign, count(DISTINCT e.person_id) AS reached FROM northlight.exposures AS e
JOIN cadence.orders AS o ON o.person_id = e.person_id WHERE e.exposed = 'yes' GROUP BY o.half, e.campaign
""".strip()
BUYERS = """
SELECT e.campaign, e.exposed, count(DISTINCT e.person_id) AS buyers, sum(o.amount) AS spent FROM northlight.exposures AS e
JOIN cadence.orders AS o ON o.person_id = e.person_id WHERE o.half = '1998-1' GROUP BY e.campaign, e.exposed
""".strip()
AUDIENCE = "SELECT campaign, exposed, count(*) AS persons FROM events.exposures GROUP BY ALL ORDER BY ALL"
QUESTIONS: Mapping[str, str] = {
    "Overlap: whom both know, by region, and what they spent in 1998": OVERLAP,
    "Reach: how many of each half-year's buyers had been shown each campaign": REACH,
    "Sales by campaign, of those who were shown it and those who were not": BUYERS,
}
_SAID: Mapping[str, str] = {
    "ask": "the question, from Northlight's terminal to its own process",
    "start": "the question, to who adds up",
    "prepare": "the same, to each party; back: a key for this run",
    "share": "these keys; back: the run's secret, sealed for the other party",
    "partial": "the sealed secret; back: persons under tokens, codes, counts and sums",
    "commit": "which groups would be shown; back: the ledger's signed head",
    "cosign": "both heads; back: a signature for both",
    "deliver": "both signatures, and to Northlight's process the groups",
    "abandon": "nothing was delivered: what was reserved is free",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What came of the story: answers as they were printed, by question, and what was captured, stream by stream."""

    answers: Mapping[str, str]
    agreement: Agreement
    streams: tuple[bytes, ...]


def play(settings: Settings, platform: Platform) -> Played:
    """Found the three, sign, start, ask, stop; tells all of it. UnreachableError when a command fails."""
    partners = partners_of(settings, platform.mesh, settings.home / "apart")
    northlight, cadence = partners[NORTHLIGHT], partners[CADENCE]
    say(f"\n━━ Three organisations, each with a folder, a key and a ledger of its own: {settings.home / 'apart'}\n")
    for each in partners.values():
        write(each, settings.root / "domains")
    keys = {name: _run(each, "room", "key").strip() for name, each in partners.items()}
    with ExitStack() as stack:
        ports = dict(zip(partners, free_ports(len(partners)), strict=True))
        relays = stack.enter_context(relayed(ports))
        agree(partners, keys, {name: relay.url for name, relay in relays.items()})
        _sign(partners)
        say(
            "\n━━ Three processes, of three folders. What they say to one another passes a relay that keeps every byte\n"
        )
        for name, each in partners.items():
            say(f"{name}$ {as_typed(each.command(ports[name]))} &\n")
            log = settings.home / "apart" / f"{name}.log"
            stack.enter_context(process(each.command(ports[name]), each.environment, ports[name], log))
        answers = {}
        for title, question in QUESTIONS.items():
            say(f"\n━━ {title}\n")
            answers[question] = _run(northlight, "room", "ask", ROOM, question)
        _lift(northlight)
        say("\n━━ What Cadence sees of it: what was withheld of its rows, and why\n")
        _run(cadence, "room", "show", ROOM, part=_since("Released"))
        say("\n━━ Both hold the same: signatures, ledgers, and what each signed of the other's\n")
        for each in (northlight, cadence):
            _run(each, "room", "verify", ROOM)
    return Played(answers=answers, agreement=cadence.room.agreement(), streams=captured(relays))


def captured(relays: Mapping[str, Relay]) -> tuple[bytes, ...]:
    """All that was said, a stream for each direction of each connection."""
    return tuple(bytes(stream) for relay in relays.values() for stream in relay.streams if stream)


def verdict(played: Played, known: Mapping[str, frozenset[str]]) -> int:
    """Tell what crossed, and whether any of these identifiers, by column, or anything without a place is in it: then 1."""
    say("\n━━ What crossed between the three\n")
    told, wanted = crossed(played.streams, played.agreement), Wanted.of(known)
    _tell(told)
    values = {value for each in known.values() for value in each}
    say(
        f"\n━━ Is anything of the rows in it? Looked for: {len(values):,} persons, mail addresses, names, orders and creative\n"
        f"files of {len(known)} columns on both sides, as text, packed, hashed; in what was captured, and in what taking off\n"
        "base64, hexadecimal, UTF-16, escapes, gzip, zlib, zstd, LZ4 and Arrow leaves. And every byte must have its place\n"
    )
    found = [*told.findings]
    for stream in played.streams:
        found += [f"{count:,} of {whose}, in one stream" for whose, count in wanted.found_in(stream).items()]
    for each in found:
        say(f"FOUND: {each}\n")
    if not found:
        say("nothing: no identifier, no row, no byte without a place\n")
    return FINDINGS if found else 0


def main() -> int:
    """Play, examine, tell; 1 for a finding, 3 for something that is needed and does not answer."""
    started = time.monotonic()
    try:
        settings = load_settings()
        if not settings.snapshot_file.is_file():
            raise UnreachableError("the demo's products are not made yet", fix="run `make demo` first, two minutes")
        start_postgres(settings)
        platform = open_platform(settings)
        known = identifiers(platform)
        code = verdict(play(settings, platform), known)
    except MeshError as error:
        say(f"\nthe room stopped: {error}\n")
        return exit_code(error)
    except KeyboardInterrupt:
        say("\nthe room stopped, and its processes with it\n")
        return 130
    say(f"It took {time.monotonic() - started:.0f} s.\n")
    return code


def _sign(partners: Mapping[str, Partner]) -> None:
    northlight, cadence = partners[NORTHLIGHT], partners[CADENCE]
    say("\n━━ One agreement for all three. Northlight asks, so it freezes its table by what is in it, and signs\n")
    _run(northlight, "room", "freeze", ROOM)
    send(northlight, "agreement.yaml", partners)
    _run(northlight, "room", "sign", ROOM, "--yes", part=lambda lines: lines[-2:])
    send(northlight, f"signatures/{NORTHLIGHT}.json", partners)
    say("\n━━ Cadence reads what it agrees to, and signs\n")
    _run(cadence, "refresh", "--catalog")
    _run(cadence, "room", "sign", ROOM, "--yes")
    send(cadence, f"signatures/{CADENCE}.json", partners)


def _lift(northlight: Partner) -> None:
    """The released groups once more, and the audience's sizes, which are Northlight's own to count."""
    say("\n━━ Sales lift by campaign: the share of buyers among the exposed, less that among the others\n")
    buyers = _told(northlight, "room", "ask", ROOM, BUYERS)
    seat = ("--as", northlight.principal or "", "--purpose", "collaboration")
    persons = {key: row["persons"] for key, row in _told(northlight, "query", AUDIENCE, *seat).items()}
    rows = []
    for campaign in sorted({campaign for campaign, _ in buyers}):
        bought = {side: int(buyers[campaign, side]["buyers"]) for side in ("yes", "no")}
        lift = lift_of(bought["yes"], persons[campaign, "yes"], bought["no"], persons[campaign, "no"])
        shares = (lift.difference, lift.low, lift.high)
        rows.append([campaign, *(f"{100 * share:.1f} %" for share in shares)])
    say("\n")
    print_table(["campaign", "lift", "from", "to (95 %)"], rows, right=["lift", "from", "to (95 %)"])
    say("\nnear zero, for chance drew who saw what; of such intervals one in twenty misses zero\n")


def _tell(told: Crossed) -> None:
    pairs = {each: (each, f"{each}-answer") for each in _SAID if each in told.messages}
    rows = [
        [kind, sum(told.messages[each] for each in pair), size(sum(told.bytes_[each] for each in pair)), _SAID[kind]]
        for kind, pair in pairs.items()
    ]
    print_table(["step", "messages", "bytes", "what is in them"], rows, right=["messages", "bytes"])
    total, partials = sum(told.bytes_.values()), told.bytes_[PARTIAL]
    say(
        f"\n{sum(told.messages.values())} messages, {size(total)}. Of these {size(partials)} are persons under tokens:\n\n"
    )
    runs = list(dict.fromkeys(run for run, *_ in told.partials))
    lines = sorted((runs.index(run) + 1, *rest) for run, *rest in told.partials)
    print_table(["run", "from", "persons", "lines"], lines, right=["run", "persons", "lines"])
    say(
        "\nWhoever adds up sees these lines: a token, made anew in each run, with the codes, counts and sums that the question\n"
        "needs. No name, order or day is in them; but a sum may be one order's: it is personal data still, under another name.\n"
    )


def _run(partner: Partner, *command: str, part: Any = None, quiet: bool = False) -> str:
    """Run a command of `mesh` in a partner's folder and tell it, or `part` of its lines. UnreachableError when it fails."""
    say(f"{partner.name}$ {as_typed(command)}\n")
    done = subprocess.run(
        [sys.executable, "-m", "mesh_defs.cli.main", *command],
        env=environment(partner.environment),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    lines = done.stdout.splitlines()
    if not quiet or done.returncode:
        shown = part(lines) if part and not done.returncode else lines
        say("".join(f"{line}\n" for line in (["…", *shown] if len(shown) < len(lines) else shown)))
    if done.returncode:
        raise UnreachableError(
            f"that command ended with {done.returncode}", where=partner.name, fix="mend it, try again"
        )
    return done.stdout


def _told(partner: Partner, *command: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Rows of an answer, by campaign and side."""
    rows = json.loads(_run(partner, *command, "--json", quiet=True))["rows"]
    return {(row["campaign"], row["exposed"]): row for row in rows}


def _since(heading: str) -> Any:
    return lambda lines: lines[lines.index(heading) :]


if __name__ == "__main__":
    sys.exit(main())
