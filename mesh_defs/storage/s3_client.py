"""A client of an S3 API, and what its failures may say: a status and a code, never a request. Knows no product."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
)
from urllib3.exceptions import HTTPError

from mesh_defs.errors import MeshError, StorageError, StorageUnreachableError
from mesh_defs.model.place import S3Access
from mesh_defs.storage.parallel import THREADS_MAX

CONNECT_SECONDS_MAX = 5.0
ANSWER_SECONDS_MAX = 20.0
ATTEMPTS_MAX = 4
_CODE = re.compile(r"[A-Za-z0-9.]{1,64}")
_MISSING = {"NoSuchKey", "404", "NotFound"}
_LATER = {408, 429, 500, 502, 503, 504}
_TELL = "set {variable}_S3 to https://key:secret@host, or give this process AWS credentials"


def s3_client(access: S3Access) -> Any:
    """Return the client of this process for these credentials; threads may share it."""
    return _client(access, os.getpid())


@lru_cache(maxsize=64)
def _client(access: S3Access, process: int) -> Any:
    """`process`: a forked child must not write to the sockets of its parent."""
    return _session(process).client(
        "s3",
        endpoint_url=access.endpoint,
        region_name=access.region,
        aws_access_key_id=access.key,
        aws_secret_access_key=access.secret,
        config=Config(
            connect_timeout=CONNECT_SECONDS_MAX,
            read_timeout=ANSWER_SECONDS_MAX,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS_MAX},
            max_pool_connections=THREADS_MAX,
            s3={"addressing_style": "auto" if is_aws(access) else "path"},
        ),
    )


@lru_cache(maxsize=2)
def _session(process: int) -> Any:
    return boto3.session.Session()


def credentials(access: S3Access, *, variable: str) -> tuple[str, str, str | None]:
    """Return (key, secret, session token) as they are now. Raises StorageError when this process has none."""
    if access.key and access.secret:
        return access.key, access.secret, None
    with told("S3 cannot be asked", access.endpoint or "AWS", variable=variable):
        found = _session(os.getpid()).get_credentials()
        if found is None:
            raise NoCredentialsError
        frozen = found.get_frozen_credentials()
        return frozen.access_key, frozen.secret_key, frozen.token


def is_aws(access: S3Access) -> bool:
    """Tell whether the API is Amazon's own, which names a bucket in its host, and not in its path."""
    host = urlsplit(access.endpoint or "").hostname
    return host is None or host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def is_missing(error: ClientError) -> bool:
    """Tell whether the answer was that there is no such object; a missing bucket is another matter."""
    return code_of(error) in _MISSING


def is_overtaken(error: ClientError) -> bool:
    """Tell whether a conditional PUT was refused because another came before it, or comes at the same moment."""
    return status_of(error) in (409, 412) or is_missing(error)


def status_of(error: ClientError) -> int:
    """The answer's HTTP status; 0 when there was none."""
    status: int = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status


def code_of(error: ClientError) -> str:
    """The answer's error code, as far as it is one."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return code if _CODE.fullmatch(code) else "no code"


@contextmanager
def told(what: str, where: str, *, variable: str) -> Iterator[None]:
    """Turn a failure into StorageUnreachableError, if trying again can help, or StorageError. `variable` names the access."""
    try:
        yield
    except MeshError as error:
        if not error.where:
            error.where = where
        raise
    except ClientError as error:
        raise _refused(what, where, error, variable) from None
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError) as error:
        raise StorageError(
            f"{what}: {type(error).__name__}", where=where, fix=_TELL.format(variable=variable)
        ) from None
    except (BotoCoreError, HTTPError) as error:
        fix = f"look whether the S3 API runs, and at {variable}_S3; then run it again"
        raise StorageUnreachableError(
            f"{what}: S3 does not answer ({type(error).__name__})", where=where, fix=fix
        ) from None


def _refused(what: str, where: str, error: ClientError, variable: str) -> MeshError:
    status, code = status_of(error), code_of(error)
    answer = f"{what}: S3 answers {status} ({code})"
    if status in _LATER or code in ("SlowDown", "RequestTimeout"):
        return StorageUnreachableError(answer, where=where, fix="run it again later")
    return StorageError(answer, where=where, fix=_fix(status, code, variable))


def _fix(status: int, code: str, variable: str) -> str:
    if code == "RequestTimeTooSkewed":
        return "set this machine's clock: S3 refuses what is signed more than 15 minutes off"
    if code == "NoSuchBucket":
        return "create the bucket, or mend the contract's server"
    if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"):
        return _TELL.format(variable=variable)
    if status == 403:
        return f"let the key of {variable}_S3 list the bucket, and get, put and delete objects there"
    if status in (301, 307, 400):
        return f"state the bucket's region: {variable}_S3=https://key:secret@host?region=…"
    return "look at the S3 server's log"
