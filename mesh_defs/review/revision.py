"""A revision of the repository that the mesh lies in: which one a change is compared with, and its files as they were.

Read from git's objects: nothing is checked out, no index or work tree is touched, and no filter or attribute takes part.
"""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mesh_defs.errors import Finding, NotFoundError, nearest
from mesh_defs.processes.apart import worker_environment

# What a change is compared with when nobody says: whole names, since a tag may be called main as well.
_DEFAULTS = {"main": "refs/heads/main", "origin/main": "refs/remotes/origin/main"}
_FILE, _LINK, _SUBMODULE = "100", "120000", "160000"


class RevisionNotFoundError(NotFoundError):
    """There is no such revision here, or no repository at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A commit: the one that a change began from. `name` is what it was asked for as, `note` what to know about it."""

    name: str
    commit: str
    note: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.commit[:10]})" if self.name != self.commit else self.commit[:10]


def find_revision(root: Path, wanted: str | None) -> Revision:
    """Return the newest common ancestor of HEAD and `wanted`, or of HEAD and main: what others did since is no change.

    Where there is none (a shallow clone), `wanted` itself, with a note. Raises RevisionNotFoundError.
    """
    _require_repository(root)
    name, commit = _asked(root, wanted)
    ancestor = _line(root, "merge-base", "HEAD", commit)
    if ancestor:
        return Revision(name=name, commit=ancestor)
    why = "this clone is shallow" if _shallow(root) else "the two have no common history"
    return Revision(name=name, commit=commit, note=f"no common ancestor is known ({why}): compared with {name} itself")


def write_files(commit: str, root: Path, folder: Path) -> tuple[Finding, ...]:
    """Write into `folder` what the mesh at `root` declared at a commit. Returns what could not be had."""
    entries = list(_entries(root, commit))
    homes = {path.parent for _, _, path in entries if path.name == "domain.yaml"}
    wanted = [(id_, path) for mode, id_, path in entries if mode.startswith(_FILE) and _is_read(path, homes)]
    wanted_links = [(id_, path) for mode, id_, path in entries if mode == _LINK]
    missing = [path for path in _write(root, folder, wanted) if path]
    for path, target in _texts(root, wanted_links):
        _link(folder, path, target)
    findings = [_absent(path, "its content is not in this clone", "git fetch") for path in missing]
    for mode, id_, path in entries:
        if mode == _SUBMODULE:
            findings += _submodule(id_, root / path, folder / path, path)
    return tuple(findings)


def _require_repository(root: Path) -> None:
    told = _git(root, "rev-parse", "--is-inside-work-tree")
    if told.returncode != 0:
        last = (told.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        what = f"{root} lies in no git repository that can be read ({last})"
        raise RevisionNotFoundError(
            what, fix="run `mesh plan` in a clone of the repository that keeps the mesh's files"
        )
    if not _commit(root, "HEAD"):
        raise RevisionNotFoundError("the repository has no commit yet", fix="commit the mesh, then change it")


def _asked(root: Path, wanted: str | None) -> tuple[str, str]:
    for name, full in _DEFAULTS.items() if wanted is None else ((wanted, wanted),):
        if commit := _commit(root, full):
            return name, commit
    name = "main" if wanted is None else wanted
    refs = _git(root, "for-each-ref", "--format=%(refname:short)").stdout.decode(errors="replace").split()
    fetch = "fetch it first (`git fetch origin …`; in CI `fetch-depth: 0`)"
    fix = f"{fetch}: this clone is shallow" if _shallow(root) else f"name another with --base, or {fetch}"
    raise RevisionNotFoundError(f"there is no revision '{name}' here", fix=f"{fix}; {nearest(name, refs)}")


def _commit(root: Path, name: str) -> str:
    return _line(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")


def _shallow(root: Path) -> bool:
    return _line(root, "rev-parse", "--is-shallow-repository") == "true"


def _line(root: Path, *command: str) -> str:
    """The first line of what git says; nothing when it fails."""
    done = _git(root, *command)
    return done.stdout.decode().strip().partition("\n")[0] if done.returncode == 0 else ""


def _git(root: Path, *command: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run in the mesh's root. A hook's GIT_DIR, which would mean another folder there, is not passed on; nor a secret."""
    try:
        return subprocess.run(
            ["git", *command], cwd=root, env=worker_environment(), input=given, capture_output=True, check=False
        )
    except OSError as error:
        raise RevisionNotFoundError(f"git does not run: {error.strerror}", fix="install git") from None


def _entries(root: Path, commit: str) -> Iterator[tuple[str, str, PurePosixPath]]:
    """(mode, object, path below the root), in the order of paths."""
    for entry in _git(root, "ls-tree", "-r", "-z", commit).stdout.split(b"\0"):
        about, _, name = entry.partition(b"\t")
        path = PurePosixPath(os.fsdecode(name))
        if name and not path.is_absolute() and ".." not in path.parts:
            mode, _, id_ = about.decode().split()
            yield mode, id_, path


def _is_read(path: PurePosixPath, homes: set[PurePosixPath]) -> bool:
    if path.suffix == ".yaml":
        return len(path.parts) == 1 or not homes.isdisjoint(path.parents)
    return path.suffix in (".py", ".sql") and (path.parent in homes or path.parent.name == "products")


def _write(root: Path, folder: Path, wanted: list[tuple[str, PurePosixPath]]) -> Iterator[PurePosixPath | None]:
    """Write each file; yield the path of each whose content git does not have."""
    for path, content in _contents(root, wanted):
        if content is not None:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        yield path if content is None else None


def _texts(root: Path, wanted: list[tuple[str, PurePosixPath]]) -> Iterator[tuple[PurePosixPath, str]]:
    return ((path, os.fsdecode(content)) for path, content in _contents(root, wanted) if content is not None)


def _contents(root: Path, wanted: list[tuple[str, PurePosixPath]]) -> Iterator[tuple[PurePosixPath, bytes | None]]:
    """Each object's content, as `git cat-file --batch` tells them: `<id> blob <bytes>`, the content, a line's end."""
    asked = "".join(f"{id_}\n" for id_, _ in wanted).encode()
    told = _git(root, "cat-file", "--batch", given=asked).stdout if wanted else b""
    at = 0
    for _, path in wanted:
        end = told.find(b"\n", at)
        kind = told[at:end].split() if end >= 0 else []
        if len(kind) != 3:
            at = end + 1 if end >= 0 else len(told)
            yield path, None
            continue
        begin, size = end + 1, int(kind[2])
        yield path, told[begin : begin + size]
        at = begin + size + 1


def _link(folder: Path, path: PurePosixPath, target: str) -> None:
    """A link that leads out of the mesh is left out: what it led to then is not known."""
    whole = os.path.normpath((folder / path).parent / target)
    if Path(whole).is_relative_to(folder) and not Path(target).is_absolute():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).symlink_to(target)


def _submodule(commit: str, root: Path, folder: Path, path: PurePosixPath) -> tuple[Finding, ...]:
    """A domain that keeps its folder in a repository of its own: at the commit that was meant then."""
    if not (root / ".git").exists() or not _commit(root, commit):
        return (_absent(path, f"a submodule whose commit {commit[:10]} is not here", "git submodule update --init"),)
    return write_files(commit, root, folder)


def _absent(path: PurePosixPath, what: str, command: str) -> Finding:
    return Finding(where=str(path), what=what, fix=f"run `{command}`")
