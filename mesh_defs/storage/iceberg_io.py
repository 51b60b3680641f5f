"""How pyiceberg reads and writes a table's small files: through the place's own `Files`, durable and told as they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from pyiceberg.exceptions import ValidationError
from pyiceberg.io import FileIO, InputFile, OutputFile

from mesh_defs.errors import StorageError
from mesh_defs.storage.iceberg_files import Files

_RESTORE = "restore it from a backup, or give the product another place and re-materialize it"


@contextmanager
def intact(name: str, where: str) -> Iterator[None]:
    """Turn what pyiceberg raises over a damaged file into a StorageError that says which."""
    try:
        yield
    except (ValidationError, ValueError, TypeError, LookupError, EOFError) as error:
        told = f"{name.rpartition('/')[2]} is damaged ({type(error).__name__})"
        raise StorageError(told, where=where, fix=_RESTORE) from None


class TableIO(FileIO):
    """Metadata, manifest lists and manifests of one table. Invariant: nothing outside of its place is opened."""

    def __init__(self, files: Files) -> None:
        super().__init__()
        self.files = files

    def new_input(self, location: str) -> InputFile:
        """Return a file to read whole."""
        return _Input(location, self.files, self.name(location))

    def new_output(self, location: str) -> OutputFile:
        """Return a file that is written in one step, when it is closed."""
        return _Output(location, self.files, self.name(location))

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Remove a file; one that is gone is no fault."""
        self.files.remove([self.name(location if isinstance(location, str) else location.location)])

    def name(self, location: str) -> str:
        """Return the name of a location within the place."""
        prefix = f"{self.files.location}/"
        name = location.removeprefix(prefix)
        if not location.startswith(prefix) or ".." in name.split("/"):
            fix = (
                "its table was moved or written by somebody else: give the product another place, and re-materialize it"
            )
            raise StorageError(
                "the table's metadata names a file outside of the table", where=self.files.where, fix=fix
            )
        return name


class _Input(InputFile):
    def __init__(self, location: str, files: Files, name: str) -> None:
        super().__init__(location)
        self._files, self._name = files, name

    def __len__(self) -> int:
        return len(self._content())

    def exists(self) -> bool:
        return self._files.sizes([self._name]) != [None]

    def open(self, seekable: bool = True) -> BytesIO:
        return BytesIO(self._content())

    def _content(self) -> bytes:
        content = self._files.read(self._name)
        if content is None:
            raise StorageError(f"{self._name} is missing", where=self._files.where, fix=_RESTORE)
        return content


class _Output(OutputFile):
    def __init__(self, location: str, files: Files, name: str) -> None:
        super().__init__(location)
        self._files, self._name, self._size = files, name, 0

    def __len__(self) -> int:
        return self._size

    def exists(self) -> bool:
        return self._files.sizes([self._name]) != [None]

    def to_input_file(self) -> InputFile:
        return _Input(self.location, self._files, self._name)

    def create(self, overwrite: bool = False) -> "_Stream":
        if not overwrite and self.exists():
            raise FileExistsError(self.location)
        return _Stream(self)

    def written(self, content: bytes) -> None:
        """Take what a stream was given."""
        self._files.write(self._name, content)
        self._size = len(content)


class _Stream(BytesIO):
    def __init__(self, output: _Output) -> None:
        super().__init__()
        self._output = output

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        if failure is None:
            self.close()

    def close(self) -> None:
        if not self.closed:
            content = self.getvalue()
            super().close()
            self._output.written(content)
