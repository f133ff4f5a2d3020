"""Puts the brokers from npm and PyPI into `tmp/brokers`: `python -m tests.brokers.install`.

What is installed is named exactly, with hashes, in the folders beside this file.
"""

import shutil
import subprocess
import venv

from tests.support.installed import INSTALLED, NEEDED


def main() -> None:
    aedes, amqtt = INSTALLED / "aedes", INSTALLED / "amqtt"
    shutil.copytree(NEEDED / "aedes", aedes, dirs_exist_ok=True)
    # none of them needs to run what it brings along
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=aedes, check=True)
    venv.create(amqtt, with_pip=True)
    pip = [str(amqtt / "bin" / "pip"), "install", "--quiet", "--require-hashes", "-r"]
    subprocess.run([*pip, str(NEEDED / "amqtt" / "requirements.txt")], check=True)


if __name__ == "__main__":
    main()
