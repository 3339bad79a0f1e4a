"""The console's app: routes, error pages, headers. It is told who may see it and who is looking.

Nothing is opened on import or on creation, and no route answers before the injected dependencies agreed.
"""

import logging
import secrets as random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request

from ciclo.console.database import Ledger
from ciclo.console.languages import ReadersLanguage
from ciclo.console.pages import add_error_pages, environment
from ciclo.console.routes import ROUTERS
from ciclo.console.security import SecurityHeaders, TokenSigner, User, remember_viewer
from ciclo.console.vendor_page import VendorPageError
from ciclo.console.vendor_page import vendor_page as read_vendor_page
from ciclo.ledger.letters import LetterStyle

log = logging.getLogger("ciclo.console")


def create_app(  # noqa: PLR0913 - one a thing that differs between installations
    *,
    current_user: Callable[..., Any],
    can_act: Callable[..., Any],
    dependencies: Sequence[Any] = (),
    secret: str | None = None,
    ledger_url: str | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    letters: LetterStyle | None = None,
    vendor_page: str | None = None,
    holidays_file: Path | None = None,
) -> FastAPI:
    """Make the console.

    Args:
        current_user: a FastAPI dependency that returns the `User` who is signed in, or raises.
        can_act: a FastAPI dependency that returns whether that user may release, cancel, settle and acknowledge.
        dependencies: FastAPI dependencies that every route has, before anything else; they raise to refuse.
        secret: what CSRF tokens are signed with; the same on every server of a deployment. Default: random.
        ledger_url: the ledger's database. Default: `CICLO_LEDGER_URL`.
        clock: tells the present instant.
        letters: how letters to customers are written. Default: by the template that ships, in Portuguese.
        vendor_page: address of an invoice's page at the vendor, with `{contract}` and `{invoice}`. Default: no link.
            What is no such address costs the links alone: it is logged, and said on every page to whoever may act.
        holidays_file: text file of the company's own holidays, read anew for what is to come. Default: none.
    """
    signer = TokenSigner(secret or random.token_hex(32))

    def identify(
        request: Request, user: Annotated[User, Depends(current_user)], may_act: Annotated[bool, Depends(can_act)]
    ) -> None:
        remember_viewer(request, user, may_act=may_act, signer=signer)

    app = FastAPI(
        title="Ciclo billing console",
        dependencies=[*dependencies, Depends(identify)],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.ledger = Ledger(ledger_url)
    app.state.clock = clock
    app.state.letters = letters or LetterStyle()
    app.state.holidays_file = holidays_file
    app.state.templates, app.state.problem = environment(), None
    try:
        app.state.templates.globals["vendor_page"] = read_vendor_page(vendor_page)
    except VendorPageError as error:
        app.state.problem = error
        log.error("%s", error)  # noqa: TRY400 - the message says it all
    app.add_middleware(ReadersLanguage)
    app.add_middleware(SecurityHeaders)
    add_error_pages(app)
    for router in ROUTERS:
        app.include_router(router)
    return app
