"""Mount the billing console in Airflow's UI, under Airflow's own login and permissions, and the webhooks' receiver.

Who may see it is Airflow's decision (the permission to see plugins), who may act too (the permission to
trigger the Dag that issues invoices); the console itself, `ciclo.console`, knows nothing of Airflow. The receiver,
`POST /webhooks/billimatic`, asks for no login: it believes the vendor's signature alone.

Airflow loads this file in every process, in that of each task too, and serves pages in API servers alone: both apps are
imported and made for their first request.
"""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin
from starlette.types import ASGIApp, Receive, Scope, Send

from ciclo.locale import PORTUGUESE, closest


def make_console() -> ASGIApp:
    """Make the console; every route asks Airflow first, so that an anonymous visitor gets nothing."""
    # ruff: noqa: PLC0415 - see above
    from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity
    from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag, requires_access_view
    from fastapi import Depends, HTTPException, Request

    from ciclo.console import User, create_app
    from ciclo.ledger.letters import LetterStyle

    may_trigger = requires_access_dag("POST", DagAccessEntity.RUN, "issue_invoices")

    def current_user(user: GetUserDep) -> User:
        """Return the user who is signed in to Airflow."""
        return User(id=str(user.get_id()), name=user.get_name())

    def can_act(request: Request, user: GetUserDep) -> bool:
        """Whether the user may trigger issue_invoices."""
        try:
            may_trigger(request, user)
        except HTTPException:
            return False
        return True

    template, holidays = os.environ.get("CICLO_LETTER_TEMPLATE"), os.environ.get("CICLO_HOLIDAYS_FILE")
    return create_app(
        dependencies=[Depends(requires_access_view(AccessView.PLUGINS))],
        current_user=current_user,
        can_act=can_act,
        secret=conf.get("api", "secret_key"),
        letters=LetterStyle(
            Path(template) if template else None, closest(os.environ.get("CICLO_LOCALE")) or PORTUGUESE
        ),
        vendor_page=os.environ.get("CICLO_VENDOR_PAGE"),
        holidays_file=Path(holidays) if holidays else None,
    )


def make_receiver() -> ASGIApp:
    """Make the receiver of the vendor's webhooks."""
    from ciclo.webhooks import create_webhook_app

    return create_webhook_app()


def when_asked(make: Callable[[], ASGIApp]) -> ASGIApp:
    """Return an app that is made for its first request."""
    made = cache(make)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await made()(scope, receive, send)

    return app


class CicloConsole(AirflowPlugin):
    """The page "Billing" in the navigation, and a tab with the same name on the pages of Dags, runs and tasks."""

    name = "ciclo_console"
    fastapi_apps: ClassVar[list[Any]] = [
        {"app": when_asked(make_console), "url_prefix": "/billing", "name": "Billing"},
        {"app": when_asked(make_receiver), "url_prefix": "/webhooks", "name": "Billimatic webhooks"},
    ]
    external_views: ClassVar[list[Any]] = [
        {"name": "Billing", "href": "billing/", "destination": "nav", "url_route": "billing", "nav_top_level": True}
    ]
    react_apps: ClassVar[list[Any]] = [
        {
            "name": "Billing",
            "bundle_url": "billing/static/airflow_tab.js",
            "destination": page,
            "url_route": f"billing-{page}",  # Airflow's UI finds a page by its route alone
        }
        for page in ("dag", "dag_run", "task_instance")
    ]
