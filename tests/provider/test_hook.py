"""A connection in, a client out: every way to write a connection, and the exact message of each bad one."""

import logging
import pickle

import pytest
from airflow.sdk.definitions.connection import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from ciclo.provider.connection import ConnectionFieldError, settings_of
from ciclo.provider.hook import BillimaticHook

TOKEN = "canary-8c02b7"
ORGANIZATION = {"organization_id": 564}
GOOD = {"host": "https://billing.example", "password": TOKEN, "extra": ORGANIZATION}


def _settings(**fields):
    return settings_of(BillimaticHook().get_connection("billimatic_default"))


@pytest.mark.parametrize(
    ("fields", "base_url"),
    [
        ({"host": "https://billing.example"}, "https://billing.example"),
        ({"host": "billing.example"}, "https://billing.example"),
        ({"host": "billing.example", "port": 8443}, "https://billing.example:8443"),
        ({"host": "https://billing.example:8443", "port": 8443}, "https://billing.example:8443"),
        ({"host": "http://127.0.0.1", "port": 8400}, "http://127.0.0.1:8400"),
        ({"host": "127.0.0.1", "port": 8400, "schema": "http"}, "http://127.0.0.1:8400"),
        ({"host": "http://127.0.0.1:8400/api/v1"}, "http://127.0.0.1:8400"),
        ({"host": "::1", "port": 8400, "schema": "http"}, "http://[::1]:8400"),
        ({"host": "[::1]:8400", "port": 8400, "schema": "http"}, "http://[::1]:8400"),
        ({"host": "fe80::8400", "port": 8400}, "https://[fe80::8400]:8400"),
        ({"host": "https://[2001:db8::1]/", "port": 8443}, "https://[2001:db8::1]:8443"),
        ({"host": "billing.example:8443", "port": 8443}, "https://billing.example:8443"),
    ],
)
def test_a_connection_in_json_becomes_a_client(connection, fields, base_url):
    connection(**{**GOOD, **fields})
    with BillimaticHook().get_conn() as client:
        assert repr(client) == f"<BillimaticClient {base_url} organization 564>"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"host": "billing.example:8443", "port": 9000}, "port is 9000, and the host says 8443: leave one of them out"),
        ({"host": "https://[::1", "port": 9000}, "host holds no address or port that can be read"),
        ({"host": "billing.example:84x3"}, "host holds no address or port that can be read"),
        (
            {"extra": {**ORGANIZATION, "ca_file": "/no/such.pem"}},
            "ca_file is no file of certificates that can be read here",
        ),
    ],
)
def test_an_address_or_a_file_of_no_use_is_said_by_its_field(connection, fields, message):
    connection(**{**GOOD, **fields})
    with pytest.raises(ConnectionFieldError, match=message):
        BillimaticHook().get_conn()


@pytest.mark.parametrize(
    ("uri", "base_url"),
    [
        ("billimatic://:{}@billing.example/?organization_id=564", "https://billing.example"),
        ("billimatic://:{}@billing.example:8443/https?organization_id=564", "https://billing.example:8443"),
        ("billimatic://:{}@127.0.0.1:8400/http?organization_id=564", "http://127.0.0.1:8400"),
        ("billimatic://http://:{}@127.0.0.1:8400/?organization_id=564", "http://127.0.0.1:8400"),
        ("billimatic://:{}@http%3A%2F%2F127.0.0.1%3A8400/?organization_id=564", "http://127.0.0.1:8400"),
        ("billimatic://:{}@sandbox:8400/http?organization_id=564&allow_http=true", "http://sandbox:8400"),
    ],
)
def test_a_connection_as_a_uri_becomes_a_client(connection, uri, base_url):
    connection(uri.format(TOKEN))
    with BillimaticHook().get_conn() as client:
        assert repr(client) == f"<BillimaticClient {base_url} organization 564>"


@pytest.mark.parametrize(
    "extra", [{"timeout": 5, "requests_per_second": 2.5}, {"timeout": "5", "requests_per_second": "2.5"}]
)
def test_numbers_may_be_strings_as_in_a_uri(connection, extra):
    connection(**{**GOOD, "extra": {"organization_id": "564", **extra}})
    settings = _settings()
    assert (settings.organization_id, settings.timeout, settings.requests_per_second) == (564, 5.0, 2.5)


@pytest.mark.parametrize(
    "extra", [{}, {"timeout": None, "requests_per_second": None}, {"timeout": "", "allow_http": ""}]
)
def test_what_is_left_out_has_its_default(connection, extra):
    connection(**{**GOOD, "extra": {**ORGANIZATION, **extra}})
    settings = _settings()
    assert (settings.timeout, settings.requests_per_second, settings.allow_http) == (30.0, 10.0, False)


def test_zero_requests_per_second_is_unlimited(connection):
    connection(**{**GOOD, "extra": {**ORGANIZATION, "requests_per_second": 0}})
    assert _settings().requests_per_second == 0


def test_fields_of_a_form_of_airflow_2_are_found_under_their_prefix(connection):
    connection(**{**GOOD, "extra": {"extra__billimatic__organization_id": "564"}})
    assert _settings().organization_id == 564


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"host": None}, "host (base URL) is missing"),
        ({"host": " "}, "host (base URL) is missing"),
        ({"host": "https://"}, "host must look like https://faturamento.fintera.com.br"),
        ({"host": "ftp://billing.example"}, "host must look like https://faturamento.fintera.com.br"),
        ({"host": "http://billing.example"}, "host must be https: the token would travel in clear to billing.example"),
        ({"host": "billing.example", "schema": "ftp"}, "schema must be http or https, not 'ftp'"),
        ({"password": None}, "password (API token) is missing"),
        ({"password": "  "}, "password (API token) is missing"),
        ({"password": f"{TOKEN} ç"}, "password must be visible ASCII characters without spaces"),
        ({"extra": {}}, "organization_id is missing"),
        ({"extra": {"organization_id": ""}}, "organization_id is missing"),
        ({"extra": {"organization_id": "acme"}}, "organization_id must be a whole number, not 'acme'"),
        ({"extra": {"organization_id": -1}}, "organization_id must be a whole number, not '-1'"),
        ({"extra": {"organization_id": 1.5}}, "organization_id must be a whole number, not '1.5'"),
        ({"extra": {**ORGANIZATION, "timeout": "soon"}}, "timeout must be a number above 0, not 'soon'"),
        ({"extra": {**ORGANIZATION, "timeout": 0}}, "timeout must be a number above 0, not 0"),
        ({"extra": {**ORGANIZATION, "timeout": "inf"}}, "timeout must be a number above 0, not 'inf'"),
        (
            {"extra": {**ORGANIZATION, "requests_per_second": -1}},
            "requests_per_second must be a number from 0 on, not -1",
        ),
        (
            {"extra": {**ORGANIZATION, "requests_per_second": [1]}},
            "requests_per_second must be a number from 0 on, not [1]",
        ),
        ({"extra": {**ORGANIZATION, "allow_http": "perhaps"}}, "allow_http must be true or false, not 'perhaps'"),
        ({"extra": "[1]"}, "extra is not a JSON object"),
    ],
)
def test_a_bad_connection_names_itself_and_the_field(connection, fields, message):
    connection(**{name: value for name, value in {**GOOD, **fields}.items() if value is not None})
    with pytest.raises(ConnectionFieldError) as caught:
        BillimaticHook().get_conn()
    assert str(caught.value) == f"connection 'billimatic_default': {message}"
    assert TOKEN not in str(caught.value)


def test_an_extra_that_is_not_json_is_said_so():
    connection = Connection(conn_id="billing", host="https://billing.example", password=TOKEN, extra="{oops")
    with pytest.raises(ConnectionFieldError, match=r"^connection 'billing': extra is not JSON$"):
        settings_of(connection)


def test_a_connection_that_is_not_there_is_named():
    with pytest.raises(AirflowNotFoundException, match="nowhere"):
        BillimaticHook(billimatic_conn_id="nowhere").get_conn()


def test_settings_and_errors_do_not_show_the_token(connection):
    connection(**GOOD)
    assert TOKEN not in repr(_settings())
    error = ConnectionFieldError("billing", "host", "is missing")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own bytes


def test_the_hook_takes_its_connection_by_keyword_only():
    with pytest.raises(TypeError):
        BillimaticHook("billimatic_default")


def test_the_test_button_says_that_all_is_well(connection, api_port):
    connection(host=f"http://127.0.0.1:{api_port}", password=TOKEN, extra=ORGANIZATION)
    assert BillimaticHook().test_connection() == (
        True,
        "Connected: the token works and organization 564 is in its account.",
    )


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"password": "wrong"}, "The API refused the token (401)."),
        ({"extra": {"organization_id": 9}}, "The token works, but there is no organization 9 in its account."),
        ({"extra": {}}, "connection 'billimatic_default': organization_id is missing"),
    ],
)
def test_the_test_button_says_what_is_wrong(connection, api_port, fields, sentence):
    connection(**{"host": f"http://127.0.0.1:{api_port}", "password": TOKEN, "extra": ORGANIZATION, **fields})
    assert BillimaticHook().test_connection() == (False, sentence)


def test_airflow_itself_finds_the_hook_for_a_connection(connection, api_port):
    connection(host=f"http://127.0.0.1:{api_port}", password=TOKEN, extra=ORGANIZATION)
    hook = BillimaticHook.get_hook("billimatic_default")
    assert type(hook) is BillimaticHook
    assert hook.test_connection()[0]


def test_requests_do_not_fill_the_log(connection, api_port, caplog):
    connection(host=f"http://127.0.0.1:{api_port}", password=TOKEN, extra=ORGANIZATION)
    caplog.set_level(logging.INFO)
    with BillimaticHook().get_conn() as client:
        client.contracts()
    assert "HTTP Request" not in caplog.text
    assert TOKEN not in caplog.text
