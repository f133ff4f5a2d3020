"""Sensor Measurement Lists (SenML, RFC 8428) in JSON."""

from collections.abc import Mapping

from scheduler_app.intake.payload import NothingToRead, Reason, Rejected, parse

_FORM = "SenML is a list of records"


def parse_senml(payload: bytes) -> list[object]:
    """Return the records with their base values worked in (section 4.6): name `n`, number `v`, time `t`.

    A record without a number has none; true and false are 1 and 0. Raises Rejected or NothingToRead.
    """
    pack = parse(payload)
    if not isinstance(pack, list):
        raise Rejected(Reason.WRONG_FORMAT, _FORM)
    if not pack:
        raise NothingToRead
    base: dict[str, object] = {}
    return [_resolved(record, base) for record in pack]


def _resolved(record: object, base: dict[str, object]) -> object:
    """Return a record by itself. What it says for those that follow is kept in `base`."""
    if not isinstance(record, dict):
        return Rejected(Reason.WRONG_FORMAT, _FORM)
    base |= {key: value for key, value in record.items() if key.startswith("b")}
    found = dict(record)
    found["n"] = f"{_text(base, 'bn')}{_text(record, 'n')}"
    try:
        found["t"] = _sum(base.get("bt"), record.get("t"))
        boolean = record.get("vb")
        found["v"] = int(boolean) if isinstance(boolean, bool) else _sum(base.get("bv"), record.get("v"))
    except TypeError:
        return Rejected(Reason.WRONG_FORMAT, "a number of SenML is none")
    if "v" not in record and "vb" not in record:
        found["v"] = None  # a text or data, or a sum alone
    return found


def _text(record: Mapping[str, object], key: str) -> str:
    found = record.get(key)
    return found if isinstance(found, str) else ""


def _sum(base: object, own: object) -> object:
    """Add what may be missing; TypeError if one is no number."""
    if base is None:
        return own
    for number in (base, own):
        if isinstance(number, bool) or not isinstance(number, int | float | None):
            raise TypeError
    return base + (own or 0)  # type: ignore[operator]
