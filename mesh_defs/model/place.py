"""How a domain's stores are reached. Carries secrets: never printed, recorded, pinned, or put into Dagster's metadata."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """An S3 API and who we are there. Without a key the machine's own AWS credentials count."""

    endpoint: str | None = None
    region: str = "us-east-1"
    key: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrinoAccess:
    """A Trino's coordinator, and who the door is there. `ca`: a file of whom to trust; None for the machine's own."""

    url: str
    user: str
    password: str | None = field(default=None, repr=False)
    ca: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One domain's stores, as this process may reach them: a folder, a Postgres (a libpq URL), an S3 API.

    `variable` is the beginning of the environment variables that it was read from, for messages: `MESH_EVENTS`.
    """

    root: Path
    postgres: str | None = field(default=None, repr=False)
    s3: S3Access = field(default_factory=S3Access, repr=False)
    variable: str = "MESH"
