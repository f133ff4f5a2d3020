"""The application: command line, roles, MQTT, writer, scheduler, lifecycle, log and table.

This file is read by older Pythons too, so that they get one line in place of a syntax error.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - `requires-python` holds for installers alone
    raise SystemExit(
        f"Error: Python 3.11 or newer is needed, and this is {sys.version.split()[0]}. "
        "Run it with a newer one, such as that of the virtual environment ('.venv/bin/python manage.py'), "
        "or with 'uv run manage.py', which brings its own."
    )
