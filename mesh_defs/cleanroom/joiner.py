"""The process of one run, started by the join with an empty environment: `python -m mesh_defs.cleanroom.joiner FOLDER PARENT`.

It is told all that it needs by a line of JSON: no key but one made for the run, no credential, no mesh. Landlock lets it read
Python's own files and those that name hosts and certificates; it writes nowhere but in FOLDER, which is empty, and dies
with its parent. What it says are lines too: "deliver", which must be answered by "yes", and how the run ended.
"""

import base64
import json
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh_defs.cleanroom.channel import Trust, poster
from mesh_defs.cleanroom.joining import Round, joined, why
from mesh_defs.cleanroom.parcel import get_ready
from mesh_defs.cleanroom.wire import Speaker, Voucher, join, read
from mesh_defs.documents.room import adapter, digest_of
from mesh_defs.engine.attached import libraries
from mesh_defs.engine.confine import Confinement, confine, die_with

_FILE_BYTES_MAX = 1 << 20
_FILES_MAX = 256
# How to find a host, and whom to trust; and its own limits, without which DuckDB 1.5.5 does not even start.
_SYSTEM = (
    *("/proc/self/cgroup", "/sys/fs/cgroup"),
    *(
        "/etc/resolv.conf",
        "/etc/hosts",
        "/etc/nsswitch.conf",
        "/etc/host.conf",
        "/etc/gai.conf",
        "/run/systemd/resolve",
    ),
    *("/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/usr/share/ca-certificates", "/lib", "/lib64", "/usr/lib"),
)


def main(folder: str, parent: str) -> None:
    """Take one run, say how it ended, and end."""
    die_with(int(parent))
    get_ready()
    told: Mapping[str, Any] = json.loads(sys.stdin.readline())
    trust = Trust(**told["trust"])
    files = [each for each in (trust.ca, trust.certificate, trust.key) if each]
    confine(
        Confinement(
            readable=(*libraries(), *_SYSTEM, *files),
            listable=tuple(each for each in sys.path if each),
            writable=folder,
            network=True,
            data_bytes_max=told["memory_bytes_max"],
            file_bytes_max=_FILE_BYTES_MAX,
            files_max=_FILES_MAX,
        )
    )
    _say(_outcome(told, trust))


def _outcome(told: Mapping[str, Any], trust: Trust) -> dict[str, str]:
    try:
        return {"state": joined(_round(told, trust), _may_deliver)}
    except Exception as error:  # noqa: BLE001  a surface: what happened here must not cross with its values
        return {"state": "abandoned", "why": why(error)}


def _round(told: Mapping[str, Any], trust: Trust) -> Round:
    agreement = adapter().validate_python(told["agreement"])
    if digest_of(agreement) != told["digest"]:
        raise ValueError("the agreement did not arrive as it was signed")
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(told["key"]))
    return Round(
        agreement=agreement,
        digest=told["digest"],
        start=read(base64.b64decode(told["start"])),
        speaker=Speaker(
            name=join(agreement), key=key, clock=lambda: datetime.now(UTC), voucher=Voucher(**told["voucher"])
        ),
        post=poster(trust),
        deadline=time.monotonic() + told["seconds_max"],
        answer_bytes_max=told["answer_bytes_max"],
    )


def _may_deliver() -> bool:
    _say({"state": "deliver"})
    return sys.stdin.readline().strip() == "yes"


def _say(told: Mapping[str, str]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
