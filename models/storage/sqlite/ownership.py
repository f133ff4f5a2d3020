"""One process owns a database file."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from models.storage.errors import UnusableDatabase
from models.storage.sqlite.schema import READINGS, Schema

# Nobody but us has anything to do with our files.
_OWNER_ONLY = 0o600


@contextmanager
def sole_owner(path: Path, schema: Schema = READINGS) -> Iterator[None]:
    """Own the database file while inside; UnusableDatabase if another process does.

    The lock is the kernel's: it goes with the process, however that ends.
    """
    real_path = path.resolve()  # the same for every name of the file
    lock_path = real_path.with_name(f"{real_path.name}.lock")
    # of a symbolic link, which anybody may have put there, not the target
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(lock_path, flags, _OWNER_ONLY)
    except OSError as error:
        reason = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise UnusableDatabase(f"{schema.setting}={path}: {lock_path} cannot be opened: {reason}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(descriptor, 32).decode(errors="replace") or "unknown"
            raise UnusableDatabase(
                f"{schema.setting}={path} is in use by another {schema.owner} (process {owner}): "
                f"stop that one, or set another {schema.setting} and CLIENT_ID"
            ) from None
        with suppress(OSError):  # of an earlier version, or of another user
            os.fchmod(descriptor, _OWNER_ONLY)
        with suppress(OSError):  # on a full disk it is not told who has it
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)
