"""Whether the database is on a disk that it can be kept on safely."""

from pathlib import Path

from scheduler_app.checks.finding import Finding, Level
from scheduler_app.runtime.disk import disk_of

_NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "9p", "sshfs", "afs", "ceph", "gluster")


def check_disk(db_file: Path) -> Finding:
    """Look at the file system that holds the database."""
    kind = _file_system(db_file.resolve().parent)
    if any(kind.startswith(name) or f".{name}" in kind for name in _NETWORK_FILE_SYSTEMS):
        return Finding(
            Level.WARN,
            "disk",
            f"{db_file} is on a network file system ({kind}), which SQLite cannot lock safely",
        )
    disk, name = disk_of(db_file), f"{kind or 'unknown'} file system"
    if disk is None:
        return Finding(Level.OK, "disk", name)
    free = f"{disk.free / 2**20:,.0f} MiB"
    if disk.is_low:
        text = f"{name}, only {free} free: when it is full, nothing that arrives is stored or acknowledged"
        return Finding(Level.WARN, "disk", text)
    return Finding(Level.OK, "disk", f"{name}, {free} free")


def _file_system(folder: Path) -> str:
    """Return the type of the file system that holds `folder`, empty where the system does not tell."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return ""
    holding = [(point, kind) for point, kind in mounts if folder.is_relative_to(point)]
    return max(holding, key=lambda mount: len(mount[0]), default=("", ""))[1]
