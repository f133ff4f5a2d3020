"""Why a broker does not do what we ask of it: the likely cause, and the setting that cures it."""

import re
import ssl

from paho.mqtt.client import WebsocketConnectionError

from config.broker_address import BrokerAddress
from config.settings import Settings

# What to do about a reason code (MQTT 5 section 2.4, and MQTT 3.1.1 section 3.2.2.3), by the name it has in
# the MQTT library.
_CURES = {
    "Unsupported protocol version": "set MQTT_VERSION=auto, and we speak the version that it knows",
    "Retain not supported": "have it keep retained messages (Mosquitto: retain_available true)",
    "QoS not supported": "have it allow QoS 1 (Mosquitto: max_qos 1)",
    "Packet too large": "have it allow larger messages (Mosquitto: max_packet_size)",
    "Session taken over": "another client uses our client id: set another CLIENT_ID for one of the two",
    "Client identifier not valid": "set another CLIENT_ID",
    "Wildcard subscriptions not supported": "name each topic in TOPIC, without + and #",
    "Shared subscriptions not supported": "leave $share/GROUP/ out of TOPIC",
}
# In the names of the alerts by which a broker refuses our certificate, or that we have none (RFC 8446,
# section 6.2). A broker that knows only TLS 1.2 ends with a mere handshake failure.
_CERTIFICATE_ALERTS = ("CERTIFICATE", "UNKNOWN_CA", "HANDSHAKE_FAILURE")
# OpenSSL's codes (X509_V_ERR_...) of a certificate for another name or address, and of one whose time has not
# come or is over.
_OTHER_NAME, _OTHER_TIME = (62, 64), (9, 10)
# The first byte of what a server says that speaks TLS (RFC 8446, section 5.1: an alert or a handshake), and
# of one that speaks HTTP.
_TLS_RECORDS, _HTTP = (0x15, 0x16), ord("H")
# That of the packet that should come (MQTT 5 section 3.2.1).
_CONNACK = 0x20
# Where in the sources an error of TLS arose.
_PLACES = re.compile(r" \(_ssl\.c:\d+\)|^_ssl\.c:\d+: |^\[SSL[^]]*\] ")


def cure(reason: str, settings: Settings) -> str:
    """Return what to add to the name of a reason code; empty if there is nothing that we could advise."""
    if reason in ("Not authorized", "Bad user name or password"):
        user = settings.broker.username
        if user is None:
            return ": does it ask for a password? Then set BROKER=mqtt://USER:PASSWORD@HOST"
        return f": is the password in BROKER right, and may {user} do that by the broker's rules (ACL)?"
    return f": {_CURES[reason]}" if reason in _CURES else ""


def unreachable(error: OSError, settings: Settings) -> tuple[bool, str]:
    """Say why no connection could be made, and whether somebody must act before there will be one."""
    address = settings.broker
    if isinstance(error, ssl.SSLCertVerificationError):
        why = f"certificate verify failed, {error.verify_message}"
        return (
            True,
            f"the certificate of the broker at {address} is not good ({why}): {_trust(error, address)}",
        )
    if isinstance(error, ssl.SSLError) and _asks_for_certificate(error):
        return True, f"the broker at {address} refuses us: {_client_certificate(error, settings)}"
    if isinstance(error, WebsocketConnectionError):  # also of a proxy whose broker is away
        others = "mqtts://" if address.tls else "wss:// or mqtt://"
        return False, (
            f"no broker answers over WebSockets at {address}: if that lasts, set BROKER to the port and path "
            f"where it does, or to {others} instead of {address.scheme}://"
        )
    if address.tls and (isinstance(error, ssl.SSLError | ConnectionResetError) or "handshake" in str(error)):
        return True, (
            f"the broker at {address} does not speak TLS there ({_reason(error)}): set BROKER to the port "
            f"for TLS, or to {'ws' if address.websockets else 'mqtt'}:// instead of {address.scheme}://"
        )
    return False, f"no broker answers at {address}: {_reason(error)}"


def unanswered(
    settings: Settings,
    first_byte: int | None,
    error: OSError | None,
    *,
    wrong: str | None = None,
    doubt: str | None = None,
) -> tuple[bool, str]:
    """Say why a connection ended before its CONNACK, and whether somebody must act.

    `first_byte` is that of what came, `error` what ended it, `wrong` what was wrong with it, if there was any
    of it. `doubt` is what may be the matter where the broker does not say, if that is known better than by
    the settings.
    """
    address = settings.broker
    if error is not None and _asks_for_certificate(error):
        return True, f"the broker at {address} refuses us: {_client_certificate(error, settings)}"
    if first_byte in _TLS_RECORDS and not address.tls:
        return True, f"the broker at {address} speaks TLS there: set BROKER={_secure(address)}"
    if first_byte == _HTTP:
        return True, (
            f"a web server answers at {address}: set BROKER to the broker's port, or to ws:// or wss:// with "
            "the path where it speaks MQTT over WebSockets"
        )
    if first_byte == _CONNACK:
        wrong = wrong or "a CONNACK that cannot be read"
    if wrong is not None:
        version, advice = "MQTT", ""
        if first_byte == _CONNACK and settings.mqtt_version != "auto":
            version, advice = f"MQTT {settings.mqtt_version}", ": set MQTT_VERSION=auto"
        elif first_byte != _CONNACK:
            advice = ": set BROKER to the port of an MQTT broker"
        return True, f"the broker at {address} has sent what is no {version} ({wrong}){advice}"
    return False, f"the broker at {address} hangs up before it answers; {doubt or doubts(settings)}"


def silent(settings: Settings, seconds: float) -> str:
    """Say why nothing comes on a connection that was accepted `seconds` ago."""
    return f"the broker at {settings.broker} has not answered for {seconds:.0f} s; {doubts(settings)}"


def doubts(settings: Settings) -> str:
    """Return what may be wrong where a broker does not say."""
    address = settings.broker
    found = []
    if not address.tls:
        found.append(f"it may speak TLS there (then set BROKER={_secure(address)})")
    elif settings.broker_certfile is None:
        found.append("it may ask for a client certificate (then set BROKER_CERTFILE and BROKER_KEYFILE)")
    if settings.mqtt_version != "auto":
        found.append(f"it may not speak MQTT {settings.mqtt_version} (then set MQTT_VERSION=auto)")
    return ", or ".join(found) or "it may be no MQTT broker"


def _secure(address: BrokerAddress) -> str:
    scheme = "wss" if address.websockets else "mqtts"
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{scheme}://{host}:{address.port}"


def _trust(error: ssl.SSLCertVerificationError, address: BrokerAddress) -> str:
    if error.verify_code in _OTHER_NAME:
        return f"set BROKER to a host that it is for; {address.host} is none"
    if error.verify_code in _OTHER_TIME:
        return "renew it, or set the clock of this machine"
    return "if the broker has an authority of its own, set BROKER_CAFILE to the file with its certificate"


def _asks_for_certificate(error: OSError) -> bool:
    name = getattr(error, "reason", None) or ""
    return "ALERT" in name and any(part in name for part in _CERTIFICATE_ALERTS)


def _client_certificate(error: OSError, settings: Settings) -> str:
    why = _reason(error)
    if settings.broker_certfile is None:
        return f"it asks for a client certificate ({why}): set BROKER_CERTFILE and BROKER_KEYFILE"
    return (
        f"it does not trust our certificate ({why}): BROKER_CERTFILE must be signed by an authority it knows"
    )


def _reason(error: BaseException) -> str:
    """Return what the system says of an error, without the places in OpenSSL and Python where it arose."""
    if getattr(error, "reason", None):
        return str(error.reason).lower().replace("_", " ")  # type: ignore[attr-defined]
    text = getattr(error, "strerror", None) or str(error)
    return _PLACES.sub("", text)
