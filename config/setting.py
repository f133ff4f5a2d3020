"""A setting: how its text is read, what it is where nobody sets it, and what the help says of it."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar, overload

from config.text import complaint, printable

T = TypeVar("T")

# Where the entry of a setting stands among what a field of a dataclass carries.
_ENTRY = "setting"


class InvalidSettings(Exception):
    """One or more settings are wrong. The text has a line for each: its name, its value, what it must be."""


@dataclasses.dataclass(frozen=True)
class Setting(Generic[T]):
    """The entry of one setting in the table of all.

    `read` makes a value of a text; its ValueError says what is allowed. Where nobody sets it, the text
    `default` is read, if there is one; or else `otherwise` makes its value of those of all other settings.
    `default_text` is what the help shows as its default. `shown` makes a wrong text fit to be told.
    """

    read: Callable[[str], T]
    description: str
    default: str | None
    default_text: str
    otherwise: Callable[[Mapping[str, Any]], T | None]
    shown: Callable[[str], str]


@overload
def setting(
    read: Callable[[str], T],
    description: str,
    default: str,
    *,
    shown: Callable[[str], str] = printable,
) -> T: ...


@overload
def setting(
    read: Callable[[str], T],
    description: str,
    *,
    default_text: str,
    otherwise: Callable[[Mapping[str, Any]], T],
) -> T: ...


@overload
def setting(
    read: Callable[[str], T],
    description: str,
    *,
    default_text: str = "none",
    shown: Callable[[str], str] = printable,
) -> T | None: ...


def setting(
    read: Callable[[str], T],
    description: str,
    default: str | None = None,
    *,
    default_text: str = "none",
    otherwise: Callable[[Mapping[str, Any]], T | None] = lambda _: None,
    shown: Callable[[str], str] = printable,
) -> Any:
    """Return a field of a dataclass that is a setting; what each argument is, `Setting` says.

    A setting with neither a default nor `otherwise` is None where nobody sets it. One that has `shown`, since
    it may hold a secret, is left out of the text form of all settings.
    """
    entry = Setting(read, description, default, default or default_text, otherwise, shown)
    return dataclasses.field(repr=shown is printable, metadata={_ENTRY: entry})


def settings_of(kind: Any) -> dict[str, Setting[Any]]:
    """Return the entries of a dataclass by the names of its fields."""
    return {
        field.name: field.metadata[_ENTRY] for field in dataclasses.fields(kind) if _ENTRY in field.metadata
    }


def read_values(settings: Mapping[str, Setting[Any]], given: Mapping[str, object]) -> dict[str, Any]:
    """Return the value of each setting; `given` has texts, and values that have been read already.

    Raises InvalidSettings with one line for each setting that is wrong.
    """
    values: dict[str, Any] = {}
    wrong = []
    for name, entry in settings.items():
        text = given.get(name, entry.default)
        if not isinstance(text, str):
            values[name] = text
            continue
        try:
            values[name] = entry.read(text)
        except ValueError as error:
            wrong.append(complaint(f"{name.upper()}={printable(entry.shown(text))}", printable(str(error))))
    if wrong:
        raise InvalidSettings("\n".join(wrong))
    for name, entry in settings.items():
        if values[name] is None:
            values[name] = entry.otherwise(values)
    return values
