"""What pip and uv call to build a package of this project (PEP 517): it refuses, in one line.

The folders `models`, `jobs` and `config` would be installed as packages of these names, beside those
of anybody else. The project is run from a clone.
"""

from typing import NoReturn

_REFUSAL = (
    "Rolling Averages is not installed as a package: it runs from a clone of its repository. In the clone, "
    "type 'python3 -m venv .venv && .venv/bin/pip install -r requirements.txt' and then "
    "'.venv/bin/python manage.py help', or with uv 'uv run manage.py help'."
)


def _refuse(*arguments: object, **settings: object) -> NoReturn:
    raise SystemExit(_REFUSAL)


# Every hook that a front end may call, those that it asks first included.
get_requires_for_build_sdist = get_requires_for_build_wheel = get_requires_for_build_editable = _refuse
prepare_metadata_for_build_wheel = prepare_metadata_for_build_editable = _refuse
build_sdist = build_wheel = build_editable = _refuse
