"""Which part of a message a template of Home Assistant hands on as it stands."""

import re

from config.field_path import FieldPath

# What a value goes through without becoming another one: a number is read, rounded, or replaced if missing.
_FILTER = r"\|\s*(?:float|round|default|is_defined)\s*(?:\([^()]*\))?\s*"
_KEY = r"\.\s*[A-Za-z_]\w*|\[\s*(?:'[^'\\]*'|\"[^\"\\]*\"|\d{1,9})\s*\]"
_UNCHANGED = re.compile(
    rf"\{{\{{-?\s*(?P<root>value_json|value)(?P<keys>(?:{_KEY})*)\s*(?P<filters>(?:{_FILTER})*)-?\}}\}}",
    re.ASCII,
)
_ONE_KEY = re.compile(
    r"\.\s*(?P<name>\w+)|\[\s*(?:'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<index>\d+))", re.ASCII
)
_DIGITS = re.compile(r"\|\s*round\s*\(\s*(\d{1,2})\s*[,)]", re.ASCII)
# Characters of a template that is looked at.
_LONGEST = 500


def handed_on(template: str | None) -> FieldPath | None:
    """Return where the value stands that a template hands on unchanged; None if it is changed, or another.

    No template, and `value`, hand on the whole message.
    """
    if template is None:
        return FieldPath(())
    found = _UNCHANGED.fullmatch(template.strip()) if len(template) <= _LONGEST else None
    if found is None or (found["root"] == "value" and found["keys"]):
        return None
    keys = tuple(
        next(part for part in key.groups() if part is not None) for key in _ONE_KEY.finditer(found["keys"])
    )
    return FieldPath(keys) if all(keys) else None


def rounded_to(template: str | None) -> int | None:
    """Return to how many decimal places a template rounds, None if it does not say."""
    found = _DIGITS.search(template[:_LONGEST]) if template else None
    return int(found[1]) if found else None
