"""Where a PostgreSQL database is, as one setting."""

import re
from dataclasses import dataclass, field

FORM = (
    "must be a URL such as postgresql://user:password@host:port/database, with several hosts separated by "
    "commas and with ?name=value&… of libpq; what is no letter or digit in a user, password or name as %XX"
)
# RFC 3986, 2.1; and what may stand in a part of it without that.
_PART = r"(?:%(?!00)[0-9A-Fa-f]{2}|[\w.~!$'()*+;-])"
_HOST = rf"(?:\[[0-9A-Fa-f:.]+(?:%[\w.]+)?\]|{_PART}*)(?::\d{{1,5}})?"
_URL = re.compile(
    rf"(?P<scheme>postgres(?:ql)?)://"
    rf"(?:(?P<user>{_PART}*)(?::(?P<password>(?:{_PART}|[:=&,])*))?@)?"
    rf"(?P<hosts>{_HOST}(?:,{_HOST})*)"
    rf"/(?P<database>{_PART}+)"
    rf"(?:\?(?P<parameters>(?:{_PART}|[=&,:/@])+))?",
    re.ASCII,
)
# Parameters whose values are nobody's business.
_SECRET = re.compile(r"(?<![^&])([^&=]*(?:password|token|secret)[^&=]*)=[^&]*", re.IGNORECASE)


@dataclass(frozen=True)
class DatabaseUrl:
    """The URL of a PostgreSQL database. Its text form never shows the password."""

    # As libpq takes it.
    full: str = field(repr=False)
    shown: str

    def __str__(self) -> str:
        return self.shown

    @classmethod
    def parse(cls, text: str) -> "DatabaseUrl":
        """Read a DB_URL setting; ValueError says what is allowed.

        It is stricter than libpq, whose errors would show parts of a password that was not written as it
        must be: with an @ or a / in it, say.
        """
        text = text.strip()
        found = _URL.fullmatch(text)
        if found is None:
            raise ValueError(FORM)
        login = "" if found["user"] is None else found["user"] + ":***" * bool(found["password"]) + "@"
        shown = f"{found['scheme']}://{login}{found['hosts']}/{found['database']}"
        if found["parameters"]:
            shown += "?" + _SECRET.sub(r"\1=***", found["parameters"])
        return cls(text, shown)


def has_password(text: str) -> bool:
    """Whether a DB_URL setting, if it is one, holds what others must not read."""
    try:
        url = DatabaseUrl.parse(text)
    except ValueError:
        return False
    return url.shown != url.full


def hide_password(text: str) -> str:
    """Return a DB_URL setting that is not allowed without anything that may be part of a password."""
    scheme = re.match(r"\w{1,20}://", text.strip(), re.ASCII)
    return f"{scheme[0]}***" if scheme else "***"
