"""A certificate authority of the tests' own, and what it has signed. Made with the openssl command."""

import socket
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_EXTENSIONS = """\
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
subjectAltName = IP:127.0.0.1, DNS:localhost
extendedKeyUsage = serverAuth
authorityKeyIdentifier = keyid
[client]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = clientAuth
authorityKeyIdentifier = keyid
[req]
distinguished_name = names
[names]
"""


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Certificates:
    """Who trusts `authority` trusts `server` at 127.0.0.1 and localhost, and `client`."""

    authority: Path
    server: KeyPair
    client: KeyPair


def make_certificates(folder: Path) -> Certificates:
    """Make them in `folder`; they are valid for two days."""
    (folder / "extensions").write_text(_EXTENSIONS)
    authority = _key_pair(folder, "authority")
    _openssl(
        folder,
        *("req", "-x509", "-days", "2", "-subj", "/CN=authority", "-config", "extensions"),
        *("-extensions", "authority", *_NEW_KEY, "-keyout", authority.key.name),
        *("-out", authority.certificate.name),
    )
    return Certificates(authority.certificate, _signed(folder, "server"), _signed(folder, "client"))


def serve_tls(connection: socket.socket, certificates: Certificates) -> ssl.SSLSocket:
    """Speak TLS on a connection that a client of ours has made, once it has shaken hands."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server.certificate, certificates.server.key)
    context.num_tickets = 0  # they would come where a test awaits what it has sent
    return context.wrap_socket(connection, server_side=True)


def _signed(folder: Path, name: str) -> KeyPair:
    pair = _key_pair(folder, name)
    _openssl(
        folder,
        *("req", "-new", "-subj", f"/CN={name}", "-config", "extensions", *_NEW_KEY),
        *("-keyout", pair.key.name, "-out", f"{name}.csr"),
    )
    _openssl(
        folder,
        *("x509", "-req", "-days", "2", "-in", f"{name}.csr", "-CA", "authority.crt"),
        *("-CAkey", "authority.key", "-CAcreateserial", "-extfile", "extensions", "-extensions", name),
        *("-out", pair.certificate.name),
    )
    return pair


def _key_pair(folder: Path, name: str) -> KeyPair:
    return KeyPair(folder / f"{name}.crt", folder / f"{name}.key")


def _openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"openssl {' '.join(arguments)}:\n{done.stderr}"
