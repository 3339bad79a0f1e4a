"""The token travels over TLS to a server whose certificate is verified, and nothing turns that off by accident."""

import datetime as dt
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ciclo.billimatic import BillimaticClient, TransientApiError
from ciclo.http.retries import RetryRules
from ciclo.provider.hook import BillimaticHook


class Eavesdropper(BaseHTTPRequestHandler):
    """Notes what it gets to see."""

    heard: list[str] = []  # noqa: RUF012 - shared on purpose

    def do_GET(self):
        self.heard.append(self.headers.get("Authorization", ""))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def impostor(tmp_path):
    """A server on 127.0.0.1 with a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "faturamento.fintera.com.br")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = tmp_path / "server.pem"
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    pem.write_bytes(
        key.private_bytes(encoding, form, serialization.NoEncryption()) + certificate.public_bytes(encoding)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = HTTPServer(("127.0.0.1", 0), Eavesdropper)
    server.handle_error = lambda *_: None
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_certificate_that_nobody_vouches_for_ends_the_exchange_before_the_token_is_sent(impostor):
    rules = RetryRules(attempts=1)
    with (
        BillimaticClient(base_url=impostor, token="canary-4410", organization_id=7, retries=rules) as api,
        pytest.raises(TransientApiError, match="certificate") as refused,
    ):
        api.contracts()
    assert Eavesdropper.heard == []
    assert "canary-4410" not in str(refused.value)


@pytest.mark.parametrize("name", ["SSL_VERIFY", "HTTPX_VERIFY", "PYTHONHTTPSVERIFY", "CURL_CA_BUNDLE"])
def test_no_variable_of_the_environment_turns_verification_off(impostor, monkeypatch, name):
    monkeypatch.setenv(name, "" if name == "CURL_CA_BUNDLE" else "0")
    with (
        BillimaticClient(
            base_url=impostor, token="canary-4410", organization_id=7, retries=RetryRules(attempts=1)
        ) as api,
        pytest.raises(TransientApiError, match="certificate"),
    ):
        api.contracts()


def test_no_field_of_the_connection_turns_verification_off(impostor, monkeypatch):
    off = {"verify": False, "ssl_verify": "false", "check_hostname": 0, "allow_http": True}
    extra = {"organization_id": 7, "timeout": 1, "requests_per_second": 0, **off}
    fields = {"conn_type": "billimatic", "host": impostor, "password": "canary-4410", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_IMPOSTOR", json.dumps(fields))
    with (
        BillimaticHook(billimatic_conn_id="impostor").get_conn() as api,
        pytest.raises(TransientApiError, match="certificate"),
    ):
        api.contracts()
    assert Eavesdropper.heard == []
