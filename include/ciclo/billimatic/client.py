"""The Billimatic API as methods, one per endpoint of its reference; `ciclo.billimatic.endpoints` holds them by noun."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType

import httpx

from ciclo.billimatic.endpoints import Catalogues, Invoices, Parties
from ciclo.billimatic.errors import AuthenticationError
from ciclo.billimatic.transport import Exchange, Observer
from ciclo.http.retries import Budget, CallBudget, RetryRules


class BillimaticClient(Parties, Catalogues, Invoices, AbstractContextManager["BillimaticClient"]):
    """A client of one organization's account, safe to share between threads; use it as a context manager.

    Args:
        base_url: `https://faturamento.fintera.com.br`; plain `http` is accepted for loopback hosts only.
        token: The account's API token. It travels in the `Authorization` header and is shown nowhere.
        organization_id: The organization whose contracts are billed.
        timeout: Seconds for each of connecting, writing and waiting for an answer.
        requests_per_second: Budget of this client over all its threads; None or 0 means unlimited.
        max_connections: Size of the connection pool: as many requests run at once. By default as many as the budget
            needs at a server that takes a second and a half, and 20 at least.
        transport: Another httpx transport, for special networks.
        retries: How often and how patiently to try again.
        allow_http: Accept plain `http` to another machine, inside a network that is trusted with the token.
        observer: Told of every request, from the thread that sent it: method, path, status or None, seconds.
        read_only: Send nothing but GET: whatever would change the account is a `ReadOnlyError` before it is sent.
        ca_file: File of certificates of a private authority, trusted beside the usual ones.
        share_budget: Given the client's own budget and its rate, returns one that other processes share.

    Raises:
        ValueError: A parameter cannot work; the message names it and never holds the token.
        NetworkSettingError: A variable of the environment for proxies or certificates cannot work; it is named only.
    """

    def __init__(  # noqa: PLR0913 - each is a documented setting with a default
        self,
        *,
        base_url: str,
        token: str,
        organization_id: int,
        timeout: float = 30.0,
        requests_per_second: float | None = 10.0,
        max_connections: int | None = None,
        transport: httpx.BaseTransport | None = None,
        retries: RetryRules | None = None,
        allow_http: bool = False,
        observer: Observer | None = None,
        read_only: bool = False,
        ca_file: str | None = None,
        share_budget: Callable[[CallBudget, float], Budget] | None = None,
    ) -> None:
        exchange = Exchange(
            base_url=base_url,
            token=token,
            timeout=timeout,
            requests_per_second=requests_per_second,
            max_connections=max_connections,
            transport=transport,
            retries=retries or RetryRules(),
            allow_http=allow_http,
            observer=observer,
            read_only=read_only,
            ca_file=ca_file,
            share_budget=share_budget,
        )
        super().__init__(exchange, organization_id)

    def __repr__(self) -> str:
        return f"<BillimaticClient {self._exchange.base_url} organization {self.organization_id}>"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self._exchange.close()

    @property
    def at_once(self) -> int:
        """How many requests may be under way at once."""
        return self._exchange.max_connections

    @property
    def longest_request(self) -> float:
        """Seconds after which a single request has certainly been given up on this side; a grace period exceeds it."""
        return self._exchange.longest_request

    @property
    def longest_call(self) -> float:
        """Seconds one call takes at most with all its attempts and pauses; a claim's lease exceeds it."""
        return self._exchange.longest_call

    def health_check(self) -> bool:
        """Whether the API says that it is well, in words or as JSON."""
        answer = self._exchange.read_text("/health_check").body
        word = answer.get("status") if isinstance(answer, Mapping) else answer
        return isinstance(word, str) and word.strip().casefold() == "ok"

    def authenticated(self) -> bool:
        """Whether the API accepts the token."""
        try:
            self._exchange.read("service_items")
        except AuthenticationError:
            return False
        return True
