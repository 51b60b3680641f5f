"""`mesh plan` as people and CI run it: output, files, exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.review.repository import GRANTS, Repository, a_repository

RULE = "    rows: region = ${principal.region}\n"


@pytest.fixture
def clone(tmp_path: Path) -> Repository:
    return a_repository(tmp_path / "clone", below="mesh")


def plan(clone: Repository, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "mesh_defs.cli.main", "plan", *arguments],
        cwd=cwd or clone.root / "domains",
        env={**inherited, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_to_approve_exits_0(clone: Repository) -> None:
    done = plan(clone)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "Nothing changes for anybody.")


def test_something_to_approve_exits_4(clone: Repository) -> None:
    clone.change(GRANTS, (RULE, ""))
    done = plan(clone)
    assert done.returncode == 4, done.stderr
    assert done.stdout.startswith("To approve: ada, bob may see more.\n")
    told = json.loads(plan(clone, "--json").stdout)
    assert told["to_approve"] == ["ada, bob may see more"]


def test_to_a_file(clone: Repository, tmp_path: Path) -> None:
    clone.change(GRANTS, (RULE, ""))
    done = plan(clone, "--markdown", "--base", "HEAD", "--out", str(tmp_path / "plan.md"))
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == "To approve: ada, bob may see more.\n"
    assert (tmp_path / "plan.md").read_text().startswith("## What this change does to the mesh\n")


def test_usage_exits_2(clone: Repository, tmp_path: Path) -> None:
    assert plan(clone, "--json", "--markdown").returncode == 2
    assert plan(clone, "--nonsense").returncode == 2
    assert plan(clone, "--out", str(tmp_path)).returncode == 2
    done = plan(clone, "--out", str(tmp_path / "no" / "folder.md"))
    assert done.returncode == 2
    assert "No such file or directory" in done.stderr


def test_errors_exit_1_with_a_mend(clone: Repository) -> None:
    done = plan(clone, "--base", "nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("there is no revision 'nowhere' here — name another with --base")
    clone.git("update-ref", "-d", "HEAD")
    assert plan(clone).returncode == 1


def test_outside_a_repository_exits_1(clone: Repository) -> None:
    (clone.folder / ".git").rename(clone.folder / "git")
    done = plan(clone)
    assert done.returncode == 1
    assert "lies in no git repository" in done.stderr


def test_a_file_that_cannot_be_read_now_exits_1_and_tells_the_rest(clone: Repository) -> None:
    clone.put(GRANTS, "{")
    done = plan(clone)
    assert done.returncode == 1
    assert "Cannot be read now, and counts as absent" in done.stdout
    assert "ada, bob" in done.stdout


def test_help_says_the_exit_codes(clone: Repository) -> None:
    told = " ".join(plan(clone, "--help").stdout.split())
    assert "Exit codes: 0 nothing to approve, 4 something to approve" in told


def test_it_imports_no_dagster_and_no_code_of_a_domain(clone: Repository) -> None:
    clone.put("domains/shop/products/sample.py", "raise SystemExit(77)\n")
    clone.put("domains/shop/definitions.py", "raise SystemExit(77)\n")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "mesh_defs.cli.main", "plan"],
        cwd=clone.root,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 4), done.stdout
    assert "| dagster\n" not in done.stderr
