"""`mesh …` in a process that kills itself just before its nth change: python -m drills.victim N renovate people.persons"""

import os
import signal
import sys

from drills.stops import stop_before_change
from mesh_defs.cli.main import mesh

if __name__ == "__main__":
    stop_before_change(int(sys.argv[1]), lambda: os.kill(os.getpid(), signal.SIGKILL))
    mesh(sys.argv[2:])
