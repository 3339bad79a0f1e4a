"""Proxies and private authorities, as httpx documents their variables; no part of a proxy's address is ever printed."""

import base64
import select
import socket
import socketserver
import ssl
import struct
import threading
from contextlib import suppress
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ciclo.billimatic import BillimaticClient, RetryRules, TransientApiError
from ciclo.domain.price_index import PriceIndex
from ciclo.http.network import NetworkSettingError, proxy_for, tls_context
from ciclo.sgs.client import IndexUnavailableError, SgsClient

ONCE = RetryRules(attempts=1)
SECRET = "canary-7711"
VENDOR, BANK = "http://vendor.example", "http://bank.example"
CONTRACTS, MONTH = b'{"contracts": []}', b'[{"data": "01/01/2025", "valor": "0.16"}]'


class Proxy(BaseHTTPRequestHandler):
    """An HTTP proxy that answers for every host itself."""

    def do_GET(self):
        self.server.asked.append((self.path.split("?")[0], self.headers.get("Proxy-Authorization")))
        answer = MONTH if "bcdata" in self.path else CONTRACTS
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Socks(socketserver.BaseRequestHandler):
    """A SOCKS 5 proxy without a login that sends every connection to one HTTP server."""

    def handle(self):
        _, methods = struct.unpack("!BB", self.request.recv(2))
        self.request.recv(methods)
        self.request.sendall(b"\x05\x00")
        _, _, _, kind = self.request.recv(4)
        name = self.request.recv(self.request.recv(1)[0]) if kind == 3 else self.request.recv(4)
        self.request.recv(2)
        self.server.asked.append(name.decode())
        self.request.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        with socket.create_connection(self.server.target) as other:
            pair = [self.request, other]
            with suppress(OSError):
                while ready := select.select(pair, [], [], 10)[0]:
                    for one in ready:
                        data = one.recv(65536)
                        if not data:
                            return
                        pair[1 - pair.index(one)].sendall(data)


def serving(server):
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def proxy():
    yield from serving(ThreadingHTTPServer(("127.0.0.1", 0), Proxy))


@pytest.fixture
def socks(proxy):
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Socks)
    server.daemon_threads = True
    server.target = proxy.server_address
    yield from serving(server)


@pytest.fixture(autouse=True)
def no_other_variables(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def vendor(**settings):
    fields = {"base_url": VENDOR, "token": "t", "organization_id": 7, "allow_http": True, "retries": ONCE}
    return BillimaticClient(**{**fields, **settings})


def ask_both():
    with vendor() as api:
        assert list(api.contracts()) == []
    with SgsClient(base_url=BANK, allow_http=True, retries=ONCE) as bank:
        assert len(bank.values(PriceIndex.IPCA, date(2025, 1, 1), date(2025, 1, 1))) == 1


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("scheme", ["", "http://"])
def test_both_clients_go_through_a_proxy_with_its_password(proxy, monkeypatch, variable, scheme):
    monkeypatch.setenv(variable, f"{scheme}ada:{SECRET}#/?@x@127.0.0.1:{proxy.server_address[1]}")
    ask_both()
    login = base64.b64encode(f"ada:{SECRET}#/?@x".encode()).decode()
    assert {authorization for _, authorization in proxy.asked} == {f"Basic {login}"}
    assert {path.split("/")[2] for path, _ in proxy.asked} == {"vendor.example", "bank.example"}


def test_both_clients_go_through_a_socks_proxy(socks, proxy, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", f"socks5h://127.0.0.1:{socks.server_address[1]}")
    ask_both()
    assert socks.asked == ["vendor.example", "bank.example"]
    assert len(proxy.asked) == 2


@pytest.mark.parametrize(
    ("no_proxy", "url", "through"),
    [
        ("vendor.example", "https://vendor.example", False),
        ("vendor.example", "https://api.vendor.example", False),
        (".vendor.example", "https://api.vendor.example", False),
        ("*.vendor.example", "https://api.vendor.example", False),
        (".vendor.example", "https://vendor.example", True),
        ("endor.example", "https://vendor.example", True),
        ("VENDOR.example", "https://vendor.example", False),
        ("a.example, vendor.example:443", "https://vendor.example", False),
        ("vendor.example:8443", "https://vendor.example", True),
        ("vendor.example:8443", "https://vendor.example:8443", False),
        ("https://vendor.example", "https://vendor.example", False),
        ("127.0.0.1:8400", "http://127.0.0.1:8400", False),
        ("127.0.0.1:8401", "http://127.0.0.1:8400", True),
        ("10.0.0.0/8", "http://10.20.30.40", False),
        ("10.0.0.0/8", "http://11.20.30.40", True),
        ("::1", "http://[::1]:8400", False),
        ("[::1]:8400", "http://[::1]:8400", False),
        ("[::1]:8401", "http://[::1]:8400", True),
        ("localhost", "http://localhost:8400", False),
        ("*", "https://vendor.example", False),
        ("", "https://vendor.example", True),
    ],
)
def test_the_hosts_of_no_proxy_go_without(monkeypatch, no_proxy, url, through):
    monkeypatch.setenv("ALL_PROXY", "proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert (proxy_for(url) is not None) is through


@pytest.mark.parametrize(
    "address",
    [
        f"ftp://ada:{SECRET}@proxy.example", f"http://ada:{SECRET}@", f"ada:{SECRET}@proxy.example:{SECRET}",
        f"http://ada:{SECRET}@proxy.example/{SECRET}", f"http://ada:{SECRET}@[{SECRET}", f"{SECRET} {SECRET}",
        f"socks4://ada:{SECRET}@proxy.example:1080",
    ],
)  # fmt: skip
def test_an_address_that_is_none_stops_both_clients_and_is_not_repeated(monkeypatch, address):
    monkeypatch.setenv("HTTPS_PROXY", address)
    for make in (lambda: vendor(base_url="https://vendor.example"), SgsClient):
        with pytest.raises(NetworkSettingError, match=r"^HTTPS_PROXY is no address of a proxy") as refused:
            make()
        assert SECRET not in f"{refused.value!r}"
        assert refused.value.__cause__ is None
        assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_proxy_that_is_away_is_tried_again_and_not_named(monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"ada:{SECRET}@127.0.0.1:{closed.getsockname()[1]}")
        with vendor(base_url="https://vendor.example") as api, pytest.raises(TransientApiError) as away:
            api.contracts()
        with SgsClient(retries=ONCE) as bank, pytest.raises(IndexUnavailableError) as also_away:
            bank.values(PriceIndex.IPCA, date(2025, 1, 1), date(2025, 1, 1))
    for error in (away, also_away):
        assert SECRET not in str(error.value)
        assert "127.0.0.1" not in str(error.value)


def test_a_private_authority_is_trusted_beside_the_usual_ones(tmp_path):
    own = tmp_path / "own.pem"
    usual = len(tls_context().get_ca_certs())
    own.write_text(authority())
    assert len(tls_context(str(own)).get_ca_certs()) == usual + 1


def test_ssl_cert_file_stands_instead_of_the_usual_authorities(tmp_path, monkeypatch):
    own = tmp_path / "own.pem"
    own.write_text(authority())
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    assert len(tls_context().get_ca_certs()) == 1
    assert tls_context().verify_mode is ssl.CERT_REQUIRED


def test_a_file_of_certificates_that_cannot_be_read_is_named_by_its_setting(tmp_path, monkeypatch):
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for path in (empty, tmp_path / "missing.pem"):
        with pytest.raises(ValueError, match=r"^ca_file is no file of certificates"):
            vendor(ca_file=str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    with pytest.raises(NetworkSettingError, match=r"^SSL_CERT_FILE names no file of certificates"):
        vendor()


def authority():
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Own authority")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
