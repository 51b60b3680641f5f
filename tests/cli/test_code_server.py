"""`mesh code-server`: one location by itself, in an environment that was chosen or that its container chose."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mesh_defs.catalog.build import build
from mesh_defs.processes.programs import code_server_answers, free_ports
from tests.meshes import settings_of, two_domains
from tests.processes.machine import shown_by


@pytest.mark.parametrize("environment", ["apart", "inherit"])
def test_becomes_the_code_server_of_one_location(tmp_path: Path, environment: str) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains())
    build(settings)
    settings.secrets.mkdir(parents=True)
    (settings.secrets / "shop.env").write_text("TILL=own-secret\n")
    (port,) = free_ports(1)
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    command = [sys.executable, "-m", "mesh_defs.cli.main", "code-server", "shop", "--port", str(port)]
    settings.dagster_home.mkdir(parents=True)
    process = subprocess.Popen(
        [*command, "--environment", environment],
        env={**inherited, "MESH_ROOT": str(settings.root), "UNIT": "of-the-unit", "DAGSTER_DISABLE_TELEMETRY": "1"},
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not code_server_answers(port):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)
        shown = shown_by(process.pid)
        assert b"code-server" in shown
        assert b"MESH_LOCATION=shop" in shown
        assert (b"own-secret" in shown, b"of-the-unit" in shown) == (environment == "apart", environment == "inherit")
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def test_an_unknown_location_is_told_with_the_nearest(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "mesh", two_domains())
    command = [sys.executable, "-m", "mesh_defs.cli.main", "code-server", "shopp"]
    environ = {"PATH": os.environ["PATH"], "MESH_ROOT": str(settings.root), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "workspace.yaml: no location 'shopp' — did you mean 'shop'?\n")
