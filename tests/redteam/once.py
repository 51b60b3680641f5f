"""One question in a process of its own: `python -m tests.redteam.once ROOT [TRINO]`, the SQL on stdin, the outcome as JSON.

Prints `ready` when the mesh is open, so that whoever watches can start the clock.
"""

import json
import sys
from dataclasses import asdict, replace

from mesh_defs.query.platform import open_platform
from mesh_defs.settings import load_settings
from tests.redteam.door import Door


def main() -> int:
    """Ask, tell, and leave."""
    sql = sys.stdin.buffer.read().decode("utf-8", "surrogatepass")
    root, *trino = sys.argv[1:]
    settings = load_settings({"MESH_ROOT": root, **({"MESH_TRINO_URL": trino[0]} if trino else {})})
    door = Door(platform=open_platform(settings, build=False), engine="trino" if trino else "duckdb")
    print("ready", flush=True)
    outcome = door.ask(sql)
    print(json.dumps(asdict(replace(outcome, rows=outcome.rows[:1000])), default=str), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
