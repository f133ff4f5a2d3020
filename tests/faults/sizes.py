"""Each fault comes in two sizes: quick for every run of the tests, full for `pytest -m slow tests/faults`."""

import pytest


def sizes(names: str, quick: object, full: object) -> pytest.MarkDecorator:
    """Parametrise a test by `names`, as pytest's parametrize does, with both sizes; `full` may be a list."""
    fulls = full if isinstance(full, list) else [full]
    slow = [
        pytest.param(*_tuple(values), id=f"full{number or ''}", marks=pytest.mark.slow)
        for number, values in enumerate(fulls)
    ]
    return pytest.mark.parametrize(names, [pytest.param(*_tuple(quick), id="quick"), *slow])


def _tuple(values: object) -> tuple[object, ...]:
    return values if isinstance(values, tuple) else (values,)
