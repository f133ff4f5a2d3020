"""Makes the environment with Home Assistant that its tests need: 500 MB, in some seconds.

`uv run --no-project --python 3.13 tests/home_assistant/make_environment.py FOLDER`; without a folder it is in
tmp/home-assistant.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

VERSION = "2026.2.3"
# It asks for this release of Python, and runs on the first of 3.13 as well.
_PYTHON = "3.13.2"
_WHEEL = f"homeassistant-{VERSION}-py3-none-any.whl"
# The integrations that are used, whose requirements it would install by itself.
_INTEGRATIONS = ("mqtt", "network")


def main(folder: Path) -> None:
    """Make it in `folder`. What it needs comes first, then itself, whatever release of Python it asks for."""
    if not folder.exists():
        subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, folder], check=True)
    python = folder / "bin" / "python"
    with tempfile.TemporaryDirectory() as download:
        wheel = _download(Path(download))
        needed = _needed(wheel)
        install = ("uv", "pip", "install", "--quiet", "--python", python)
        subprocess.run([*install, *needed], check=True)
        subprocess.run([*install, "--no-deps", "--python-version", _PYTHON, wheel], check=True)
    print(f"Home Assistant {VERSION} is in {folder}")


def _download(folder: Path) -> Path:
    command = ("uvx", "pip", "download", "--quiet", "--no-deps", "--python-version", _PYTHON)
    options = ("--only-binary", ":all:", "--dest", folder)
    subprocess.run([*command, *options, f"homeassistant=={VERSION}"], check=True)
    return folder / _WHEEL


def _needed(wheel: Path) -> list[str]:
    """Return what it needs itself, and what the integrations need."""
    import json

    with zipfile.ZipFile(wheel) as content:
        metadata = content.read(f"homeassistant-{VERSION}.dist-info/METADATA").decode()
        manifests = [
            json.loads(content.read(f"homeassistant/components/{name}/manifest.json"))
            for name in _INTEGRATIONS
        ]
    own = [
        line.removeprefix("Requires-Dist: ")
        for line in metadata.splitlines()
        if line.startswith("Requires-Dist: ")
    ]
    return [*own, *(needed for manifest in manifests for needed in manifest.get("requirements", ()))]


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "tmp/home-assistant"))
