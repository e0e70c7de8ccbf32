"""A real nginx on this machine, with a file of docs/files as an owner would adapt it: names, ports and certificate."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

FILE = Path(__file__).resolve().parents[2] / "docs" / "files" / "nginx.conf"
NAME = "news.harbourlamp.example"


class Nginx:
    """One server before the program at `behind`; `with` runs it. `access` and `errors` are its logs.

    Skips the test where nginx is not installed.
    """

    def __init__(self, folder: Path, *, port: int, behind: int, text: str | None = None) -> None:
        if shutil.which("nginx") is None:
            pytest.skip("nginx is not here")
        folder.mkdir()
        self.url = f"https://localhost:{port}"
        self.access, self.errors, self._file = folder / "access.log", folder / "error.log", folder / "nginx.conf"
        self._certificate = _certify(folder)
        blocks = _adapted(text or FILE.read_text("utf-8"), folder, port, behind)
        logs = f"access_log {self.access};\nerror_log {self.errors};"
        self._file.write_text(f"pid {folder}/pid;\nevents {{}}\nhttp {{\n{logs}\n{blocks}\n}}\n", "utf-8")
        self._line = ["nginx", "-p", str(folder), "-e", str(self.errors), "-c", str(self._file)]
        self._port = port

    def check(self) -> subprocess.CompletedProcess[str]:
        """What nginx says to the file."""
        return subprocess.run([*self._line, "-t"], capture_output=True, text=True, timeout=20)

    def __enter__(self) -> Nginx:
        # One process: a worker of another user could not read the folders of tests.
        self._process = subprocess.Popen([*self._line, "-g", "daemon off; master_process off;"])
        end = time.monotonic() + 10
        while self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
                return self
            except OSError:
                assert time.monotonic() < end, "nginx does not answer"
                time.sleep(0.02)
        raise AssertionError(self.errors.read_text("utf-8"))

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    def client(self, address: str = "127.0.0.1", **how: Any) -> httpx.Client:
        """A client at an address of this machine that trusts this server and nobody else."""
        trusted = ssl.create_default_context(cafile=self._certificate)
        way = httpx.HTTPTransport(verify=trusted, local_address=address, trust_env=False)
        return httpx.Client(base_url=self.url, transport=way, trust_env=False, **how)


def _adapted(text: str, folder: Path, port: int, behind: int) -> str:
    for ours, theirs in (
        (f"/etc/ssl/{NAME}.pem", f"{folder}/certificate.pem"),
        (f"/etc/ssl/private/{NAME}.key", f"{folder}/key.pem"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("listen [::]:443 ssl;", f"listen [::1]:{port} ssl;" if _has_six() else ""),
        (f"server_name {NAME};", "server_name localhost;"),
        ("http://127.0.0.1:8080", f"http://127.0.0.1:{behind}"),
    ):
        assert ours in text, f"nothing to replace: {ours}"
        text = text.replace(ours, theirs)
    return text


def _certify(folder: Path) -> Path:
    """A certificate for localhost, signed by itself."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
    )
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, SHA256())
    )  # fmt: skip
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "certificate.pem").write_bytes(made.public_bytes(Encoding.PEM))
    return folder / "certificate.pem"


def _has_six() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True
