"""The application: command line, roles, MQTT, writer, scheduler, lifecycle, log and table.

This file is read by older Pythons too, so that they get one line in place of a syntax error.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - `requires-python` holds for installers alone
    raise SystemExit(
        f"Error: Python 3.11 or newer is needed, and this is {sys.version.split()[0]}. "
        "Type '.venv/bin/python manage.py' if you have made a virtual environment with a newer one, "
        "or 'uv run manage.py', which brings its own."
    )
