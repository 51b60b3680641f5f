"""The objects below one s3://bucket/prefix. Knows their names and what S3 promises of them, not what they mean."""

import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import IO, Any

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
from urllib3.exceptions import HTTPError

from mesh_defs.errors import StorageError, StorageUnreachableError
from mesh_defs.model.place import S3Access
from mesh_defs.storage.parallel import in_parallel
from mesh_defs.storage.s3_client import ATTEMPTS_MAX, is_missing, is_overtaken, s3_client, told

_PLACE = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/(?!\.\.?(?:/|$))[A-Za-z0-9_=.-]+)+)")
# While an answer with a checksum is read, botocore lets urllib3's own errors through.
_CUT = (IncompleteReadError, HTTPClientError, HTTPError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An object's content, the mark of exactly this content, and its age by the server's own clock, if it told."""

    content: bytes
    etag: str
    age_seconds: float | None


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of one place. Raises StorageError, or StorageUnreachableError when S3 does not answer, for all it does.

    `variable` is the beginning of the environment variables that the access was read from, for messages.
    """

    place: str
    access: S3Access
    variable: str

    def __post_init__(self) -> None:
        """Invariant: no name below the place leaves it, and none is a pattern to DuckDB."""
        if not _PLACE.fullmatch(self.place):
            fix = "write s3://bucket/prefix: letters, digits, _ = . - and /"
            raise StorageError("this is no place in a bucket", where=self.place, fix=fix)

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self.place.removeprefix("s3://").partition("/")[0]

    def key(self, name: str) -> str:
        """Return the key of an object, or of a folder's beginning."""
        return f"{self.place.removeprefix('s3://').partition('/')[2]}/{name}"

    def url(self, name: str) -> str:
        """Return what DuckDB opens."""
        return f"{self.place}/{name}"

    def get(self, name: str) -> Found | None:
        """Return a small object, or None when there is none."""
        with self.told(f"{name} cannot be read"):
            for attempt in range(1, ATTEMPTS_MAX + 1):
                try:
                    answer = self._client.get_object(Bucket=self.bucket, Key=self.key(name))
                    return Found(content=answer["Body"].read(), etag=answer["ETag"], age_seconds=_age(answer))
                except ClientError as error:
                    if not is_missing(error):
                        raise
                    return None
                except _CUT:  # boto3 tries again until the answer begins, not when it is cut short
                    if attempt == ATTEMPTS_MAX:
                        raise
        raise AssertionError

    def size(self, name: str) -> int | None:
        """Return an object's bytes, or None when there is none."""
        with self.told(f"{name} cannot be looked at"):
            try:
                size: int = self._client.head_object(Bucket=self.bucket, Key=self.key(name))["ContentLength"]
            except ClientError as error:
                if not is_missing(error):
                    raise
                return None
            return size

    def put(self, name: str, content: bytes) -> None:
        """Write a small object, whatever was there."""
        with self.told(f"{name} cannot be written"):
            self._client.put_object(Bucket=self.bucket, Key=self.key(name), Body=content)

    def put_over(self, name: str, content: bytes, etag: str | None) -> bool:
        """Write over exactly this content (None: over nothing); False if another is there.

        False too if it was ours after all: S3 took it, the answer was lost, and boto3 asked again.
        """
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        with self.told(f"{name} cannot be written"):
            try:
                self._client.put_object(Bucket=self.bucket, Key=self.key(name), Body=content, **condition)
            except ClientError as error:
                if not is_overtaken(error):
                    raise
                return False
            return True

    def settle(self, name: str, content: bytes) -> bytes:
        """Create an object that nobody ever writes again, unless it is there; return what it holds, ours or another's.

        On StorageUnreachableError it is open whether it was created, or still will be.
        """
        for _ in range(ATTEMPTS_MAX):
            try:
                if self.put_over(name, content, None):
                    return content
            except StorageUnreachableError:
                found = self.get(name)
                if found is None:
                    raise
                return found.content
            if found := self.get(name):
                return found.content
        raise StorageUnreachableError(f"{name} comes and goes", where=self.place, fix="run it again")

    def upload(self, name: str, file: IO[bytes], size: int) -> None:
        """Write a large object in pieces with checksums, and see that it is whole; an upload cut short is no object."""
        with self.told(f"{name} cannot be uploaded"):
            self._client.upload_fileobj(file, self.bucket, self.key(name))
        found = self.size(name)
        if found != size:
            what = f"{name} was uploaded with {found or 0} bytes of {size}"
            raise StorageUnreachableError(what, where=self.place, fix="run it again; then look at the S3 server's log")

    def copy(self, name: str, to: str) -> None:
        """Copy an object within S3, whatever its size."""
        with self.told(f"{name} cannot be copied"):
            self._client.copy({"Bucket": self.bucket, "Key": self.key(name)}, self.bucket, self.key(to))

    def remove(self, names: Iterable[str]) -> None:
        """Remove objects, in no order; those that are not there are no fault."""
        with self.told("old objects cannot be removed"):
            in_parallel(lambda name: self._client.delete_object(Bucket=self.bucket, Key=self.key(name)), list(names))

    def names(self, folder: str) -> Iterator[str]:
        """Yield the names that begin so, as S3 lists them: it may leave out what is new, and show what is gone."""
        return (name for name, _ in self.aged(folder))

    def aged(self, folder: str) -> Iterator[tuple[str, float]]:
        """Yield the names that begin so and the objects' ages in seconds, by the server's own clock; 0 if it told none."""
        with self.told("the objects cannot be listed"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.key(folder))
            for page in pages:
                now = _server_time(page)
                for each in page.get("Contents", ()):
                    age = (now - each["LastModified"]).total_seconds() if now else 0.0
                    yield each["Key"].removeprefix(self.key("")), age

    def abort_uploads(self, folder: str, older_than_seconds: float) -> tuple[str, ...]:
        """Give up uploads begun so long ago, by the server's own clock, and return the names they were to have."""
        aborted = []
        with self.told("old uploads cannot be given up"):
            pages = self._client.get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.key(folder)):
                now = _server_time(page)
                for each in page.get("Uploads", ()):
                    if now and (now - each["Initiated"]).total_seconds() >= older_than_seconds:
                        upload = {"Bucket": self.bucket, "Key": each["Key"], "UploadId": each["UploadId"]}
                        self._client.abort_multipart_upload(**upload)
                        aborted.append(each["Key"].removeprefix(self.key("")))
        return tuple(aborted)

    def told(self, what: str) -> AbstractContextManager[None]:
        """Say where a failure happened."""
        return told(what, self.place, variable=self.variable)

    @property
    def _client(self) -> Any:
        return s3_client(self.access)


def _age(answer: Any) -> float | None:
    now = _server_time(answer)
    return (now - answer["LastModified"]).total_seconds() if now else None


def _server_time(answer: Any) -> datetime | None:
    try:
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return None
