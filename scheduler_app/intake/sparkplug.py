"""Sparkplug B: payloads of metrics in Protocol Buffers, as Eclipse Tahu's sparkplug_b.proto defines them."""

import math
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from config.streams import topic_level
from scheduler_app.intake.payload import MAX_PAYLOAD, NothingToRead, Reason, Rejected

_FIELD = descriptor_pb2.FieldDescriptorProto
_UINT32, _UINT64, _BOOL = _FIELD.TYPE_UINT32, _FIELD.TYPE_UINT64, _FIELD.TYPE_BOOL
_METRIC = (
    *(("name", 1, _FIELD.TYPE_STRING), ("alias", 2, _UINT64), ("timestamp", 3, _UINT64)),
    *(("datatype", 4, _UINT32), ("is_null", 7, _BOOL)),
)
# One of these is there; texts, bytes, data sets and templates are no numbers, and are not read.
_VALUES = (
    *(("int_value", 10, _UINT32), ("long_value", 11, _UINT64), ("float_value", 12, _FIELD.TYPE_FLOAT)),
    *(("double_value", 13, _FIELD.TYPE_DOUBLE), ("boolean_value", 14, _BOOL)),
)
# Bits of the types that are signed, although they are sent as unsigned numbers, and what is no number.
_SIGNED = {1: 8, 2: 16, 3: 32, 4: 64}
_DATE_TIME = 13
# Characters of a name.
_SHOWN = 100
# The smallest numbers that may be negative ones, where no type says it.
_MAYBE_NEGATIVE = {"int_value": 1 << 31, "long_value": 1 << 63}


def parse_sparkplug(payload: bytes) -> dict[str, object]:
    """Return the `timestamp` of a payload (ms) and its `metrics`: `name`, `alias`, `timestamp`, `value`.

    True and false are 1 and 0. Raises Rejected or NothingToRead.
    """
    if not payload:
        raise NothingToRead
    if len(payload) > MAX_PAYLOAD:
        raise Rejected(Reason.TOO_LONG, f"{len(payload)} bytes, {MAX_PAYLOAD} are allowed")
    try:
        message = _PAYLOAD.FromString(payload)
    except DecodeError:
        raise Rejected(Reason.WRONG_FORMAT, "not Sparkplug B") from None
    return {
        "timestamp": message.timestamp if message.HasField("timestamp") else None,
        "metrics": [_metric(metric) for metric in message.metrics],
    }


def _metric(metric: Any) -> dict[str, object] | Rejected:
    """Return a metric, or why it is none: after a birth, a node may leave out the types of its metrics."""
    found = {name: getattr(metric, name) for name, _, _ in _METRIC if metric.HasField(name)}
    kind = metric.WhichOneof("value")
    found["value"] = None
    if kind is not None and not metric.is_null and metric.datatype != _DATE_TIME:
        value = getattr(metric, kind)
        if not metric.datatype and value >= _MAYBE_NEGATIVE.get(kind, math.inf):
            return Rejected(
                Reason.WRONG_FORMAT,
                f"{value} of {topic_level(metric.name[:_SHOWN])} may be a negative number, since it has no "
                "datatype: have the node send them in DDATA too",
            )
        if isinstance(value, int):
            value = _signed(int(value), _SIGNED.get(metric.datatype))
        found["value"] = value
    return found


def _signed(value: int, bits: int | None) -> int:
    if bits is None:
        return value
    value %= 1 << bits
    return value - (1 << bits) if value >> (bits - 1) else value


def _message_class() -> Any:
    """Return the class of a payload, with the part of its definition that is read here."""
    file = descriptor_pb2.FileDescriptorProto(name="sparkplug_b.proto", package="sparkplug", syntax="proto2")
    metric = file.message_type.add(name="Metric")
    metric.oneof_decl.add(name="value")
    for name, number, kind in _METRIC:
        metric.field.add(name=name, number=number, type=kind, label=_FIELD.LABEL_OPTIONAL)
    for name, number, kind in _VALUES:
        metric.field.add(name=name, number=number, type=kind, label=_FIELD.LABEL_OPTIONAL, oneof_index=0)
    payload = file.message_type.add(name="Payload")
    payload.field.add(name="timestamp", number=1, type=_UINT64, label=_FIELD.LABEL_OPTIONAL)
    payload.field.add(
        name="metrics",
        number=2,
        type=_FIELD.TYPE_MESSAGE,
        type_name=".sparkplug.Metric",
        label=_FIELD.LABEL_REPEATED,
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("sparkplug.Payload"))


_PAYLOAD = _message_class()
