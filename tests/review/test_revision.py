"""The other side of the comparison, in every kind of clone that people and CI have."""

import subprocess
from pathlib import Path

import pytest

from mesh_defs.review.plan import make_plan
from mesh_defs.review.revision import RevisionNotFoundError, find_revision, write_files
from tests.review.repository import GRANTS, NOW, PERSONS, SHOP, Repository, a_repository

RULE = "    rows: region = ${principal.region}\n"


def who(mesh: Repository, base: str | None = None) -> set[str]:
    return {name for each in mesh.plan(base).access for name in each.principals}


def git(folder: Path, *command: str) -> str:
    return Repository(folder=folder, root=folder).git(*command)


def test_on_main_it_is_what_is_not_committed(mesh: Repository) -> None:
    mesh.change(GRANTS, (RULE, ""))
    assert who(mesh) == {"ada", "bob"}
    mesh.commit()
    assert who(mesh) == set()


def test_files_that_git_does_not_know_count(mesh: Repository) -> None:
    text = (mesh.root / GRANTS).read_text()
    (mesh.root / GRANTS).unlink()
    mesh.commit()
    mesh.put(GRANTS, text)
    assert who(mesh) == {"ada", "bob", "grace", "max", "service:shop"}


def test_on_a_branch_it_is_all_since_the_branch_began(mesh: Repository) -> None:
    mesh.git("checkout", "--quiet", "-b", "mine")
    mesh.change(GRANTS, (RULE, ""))
    mesh.commit()
    mesh.git("checkout", "--quiet", "main")
    mesh.change("mesh.yaml", ("max: {roles: [planner]}", "max: {roles: [planner, steward]}"))
    mesh.commit()
    mesh.git("checkout", "--quiet", "mine")
    mesh.change("mesh.yaml", ("grace: {roles: [steward]}", "grace: {roles: [steward, planner]}"))
    assert who(mesh) == {"ada", "bob", "grace"}  # not what happened to max on main since


def test_bases_by_tag_by_commit_and_at_origin(mesh: Repository, tmp_path: Path) -> None:
    first = mesh.commit()
    mesh.git("tag", "v1")
    mesh.change(GRANTS, (RULE, ""))
    mesh.commit()
    for base in ("v1", first, first[:8], "HEAD~1", "main~1"):
        assert who(mesh, base) == {"ada", "bob"}, base
    mesh.git("clone", "--quiet", str(mesh.folder), str(tmp_path / "other"))
    other = Repository(folder=tmp_path / "other", root=tmp_path / "other")
    other.git("checkout", "--quiet", "-b", "mine")
    other.git("branch", "--quiet", "-D", "main")
    assert other.plan().base.name == "origin/main"
    assert other.plan("origin/main").is_empty


def test_a_tag_called_main_is_not_main(mesh: Repository) -> None:
    mesh.git("tag", "main", mesh.commit())
    mesh.change(GRANTS, (RULE, ""))
    mesh.commit()
    assert who(mesh) == set()


@pytest.mark.parametrize(
    "base", ["", "nowhere", "mian", "--output=/tmp/x", "HEAD:mesh.yaml", "origin/main", "a b", "-"]
)
def test_a_revision_that_is_not_there_is_named(mesh: Repository, base: str) -> None:
    with pytest.raises(RevisionNotFoundError) as caught:
        mesh.plan(base)
    assert f"there is no revision '{base}' here" in str(caught.value)
    assert "--base" in caught.value.fix
    assert ("did you mean 'main'?" in caught.value.fix) == (base == "mian")


def test_outside_a_repository(tmp_path: Path) -> None:
    with pytest.raises(RevisionNotFoundError, match="lies in no git repository") as caught:
        make_plan(tmp_path, None, now=NOW)
    assert "clone" in caught.value.fix


def test_without_git(mesh: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(mesh.folder))
    with pytest.raises(RevisionNotFoundError, match="git does not run"):
        mesh.plan()


def test_before_the_first_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    with pytest.raises(RevisionNotFoundError, match="no commit yet"):
        make_plan(tmp_path, None, now=NOW)


def test_a_mesh_in_a_folder_of_a_bigger_repository(tmp_path: Path) -> None:
    mesh = a_repository(tmp_path / "clone", below="data/mesh")
    mesh.change(GRANTS, (RULE, ""))
    assert who(mesh) == {"ada", "bob"}


def test_in_a_worktree_from_its_hook(tmp_path: Path) -> None:
    """A hook's GIT_DIR names the repository, and would make the folder where git runs the top of its files."""
    mesh = a_repository(tmp_path / "clone", below="mesh")
    mesh.git("worktree", "add", "--quiet", str(tmp_path / "tree"))
    tree = Repository(folder=tmp_path / "tree", root=tmp_path / "tree" / "mesh")
    tree.change(GRANTS, (RULE, ""))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_DIR", str(mesh.folder / ".git" / "worktrees" / "tree"))
        patch.setenv("GIT_INDEX_FILE", "nowhere")
        assert who(tree) == {"ada", "bob"}


def test_a_shallow_clone(mesh: Repository, tmp_path: Path) -> None:
    mesh.git("checkout", "--quiet", "-b", "mine")
    mesh.change(GRANTS, (RULE, ""))
    mesh.commit()
    other = tmp_path / "other"
    git(tmp_path, "clone", "--quiet", "--depth", "1", "--branch", "mine", f"file://{mesh.folder}", str(other))
    shallow = Repository(folder=other, root=other)
    with pytest.raises(RevisionNotFoundError) as caught:
        shallow.plan()
    assert "fetch-depth: 0" in caught.value.fix
    shallow.git("fetch", "--quiet", "--depth", "1", "origin", "main:refs/remotes/origin/main")
    plan = shallow.plan()
    assert "shallow" in plan.base.note
    assert {name for each in plan.access for name in each.principals} == {"ada", "bob"}


def test_branches_without_a_common_history(mesh: Repository) -> None:
    mesh.git("checkout", "--quiet", "--orphan", "new")
    mesh.change(GRANTS, (RULE, ""))
    mesh.commit()
    plan = mesh.plan()
    assert "no common history" in plan.base.note
    assert {name for each in plan.access for name in each.principals} == {"ada", "bob"}


def test_before_there_was_a_mesh_everything_is_new(mesh: Repository) -> None:
    mesh.git("checkout", "--quiet", "--orphan", "empty")
    mesh.git("rm", "--quiet", "-r", "--cached", ".")
    mesh.git("commit", "--quiet", "--allow-empty", "--message", "x")
    plan = mesh.plan("empty")
    assert [each.what for each in plan.unread_before] == ["there is no such file"]
    assert {each.kind for each in plan.products} == {"added"}
    assert "ada" in {name for each in plan.access for name in each.principals}


@pytest.mark.parametrize("path", ["mesh.yaml", "workspace.yaml", PERSONS, GRANTS, f"{SHOP}domain.yaml"])
@pytest.mark.parametrize("text", ["{", "format: 99\n", "\x00"])
def test_a_broken_file_of_either_side_is_said_and_stops_nothing(mesh: Repository, path: str, text: str) -> None:
    sound = (mesh.root / path).read_text()
    mesh.put(path, text)
    now = mesh.plan()
    assert any(each.where.startswith(path) for each in now.unread_now)
    mesh.commit()
    mesh.put(path, sound)
    then = mesh.plan()
    assert not then.unread_now
    assert any(each.where.startswith(path) for each in then.unread_before)
    told = mesh.text()
    assert "Cannot be read at main (" in told


def test_git_attributes_hide_nothing(mesh: Repository, tmp_path: Path) -> None:
    mesh.put(".gitattributes", "*.access.yaml export-ignore\n*.yaml export-subst\n")
    mesh.put("mesh.yaml", (mesh.root / "mesh.yaml").read_text() + "# $Format:%H$\n")
    mesh.commit()
    assert mesh.plan().is_empty


def test_nothing_is_checked_out_or_left(mesh: Repository) -> None:
    mesh.change(GRANTS, (RULE, ""))
    before = mesh.git("status", "--porcelain", "--ignored"), sorted((mesh.folder / ".git").rglob("*"))
    mesh.plan()
    assert (mesh.git("status", "--porcelain", "--ignored"), sorted((mesh.folder / ".git").rglob("*"))) == before


def test_links_are_followed_inside_the_mesh_only(mesh: Repository, tmp_path: Path) -> None:
    outside = tmp_path / "outside.access.yaml"
    outside.write_text((mesh.root / GRANTS).read_text())
    (mesh.root / "shared").mkdir()
    (mesh.root / GRANTS).rename(mesh.root / "domains/people/shared.yaml")
    (mesh.root / GRANTS).symlink_to("../shared.yaml")
    mesh.commit()
    assert mesh.plan().is_empty
    (mesh.root / GRANTS).unlink()
    (mesh.root / GRANTS).symlink_to(outside)
    commit = mesh.commit()
    folder = tmp_path / "then"
    write_files(commit, mesh.root, folder)
    assert not (folder / GRANTS).exists()


def test_a_domain_in_a_submodule(mesh: Repository, tmp_path: Path) -> None:
    own = tmp_path / "shop"
    (mesh.root / SHOP).rename(own)
    git(own, "init", "--quiet", "--initial-branch", "main")
    Repository(folder=own, root=own).commit()
    mesh.commit()
    mesh.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(own), SHOP.rstrip("/"))
    mesh.commit()
    assert mesh.plan().is_empty
    mesh.change(f"{SHOP}products/top.sql", ("SELECT region", "SELECT upper(region) AS region"))
    assert [each.product for each in mesh.plan().products] == ["shop.top"]
    mesh.git("submodule", "--quiet", "deinit", "--force", "--all")
    plan = mesh.plan()
    assert "git submodule update --init" in plan.unread_before[0].fix


def test_the_scratch_folder_is_removed(mesh: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "unrelated").mkdir()
    mesh.plan()
    assert not list(tmp_path.glob("mesh-plan-*"))


def test_git_is_given_no_secret(mesh: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = tmp_path / "bin" / "git"
    own.parent.mkdir()
    real = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout.strip()
    own.write_text(f'#!/bin/sh\nenv >> {tmp_path}/seen\nexec {real} "$@"\n')
    own.chmod(0o755)
    monkeypatch.setenv("PATH", f"{own.parent}:/usr/bin:/bin")
    monkeypatch.setenv("MESH_PEOPLE_POSTGRES", "postgresql://secret")
    assert find_revision(mesh.root, None).name == "main"
    assert "postgresql://secret" not in (tmp_path / "seen").read_text()
