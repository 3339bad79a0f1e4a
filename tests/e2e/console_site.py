"""A real Airflow with the demo company's year in the ledger, where people have to log in, for the console's tests.

Nothing is put into the ledger by hand; what the pages show was billed by `bill_range` at the sandbox.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext

from ciclo.domain.states import ReasonKind
from demo import stack
from demo.company import ORGANIZATION_ID, YEAR_END, YEAR_START
from demo.ledger_view import LedgerView, Stopped
from demo.processes import Processes
from demo.runs import APPROVE, run_dag
from demo.screen import Screen
from demo.site import Site, passwords
from demo.stack import Stack
from demo.story import WHOLE_YEAR

PROJECT = Path(__file__).resolve().parents[2]
OPERATOR, VIEWER = "ana", "vera"
ROLES = {OPERATOR: "admin", VIEWER: "viewer"}


@dataclass(frozen=True, slots=True)
class ConsoleSite:
    """The running stack, with the year billed, four periods of a rule without description and a removed one parked."""

    stack: Stack
    ledger: LedgerView

    @property
    def url(self) -> str:
        """Where Airflow answers."""
        return self.stack.airflow_url

    @property
    def parked(self) -> list[Stopped]:
        """The periods of the rule that the vendor refuses, oldest first."""
        return [period for period in self.ledger.stopped() if period.kind is ReasonKind.REFUSED]

    def invoices_of(self, period: Stopped) -> list[dict[str, Any]]:
        """What the vendor holds for a period: one invoice, or none before it is issued."""
        comments = f"ciclo:{ORGANIZATION_ID}:{period.rule_id}:{period.issue_date}"
        return [one for one in self.stack.vendor.state()["invoices"] if comments in (one["comments"] or "")]

    def log_in(self, browser: Browser, user: str, patience: float) -> BrowserContext:
        """Log in through Airflow's own form, in a browser profile of its own that waits `patience` milliseconds."""
        context = browser.new_context(viewport={"width": 1280, "height": 850}, accept_downloads=True)
        context.set_default_timeout(patience)
        page = context.new_page()
        page.goto(self.url)
        page.wait_for_url("**/auth/login**")
        page.fill("input[name=username]", user)
        page.fill("input[name=password]", passwords(self.stack.site)[user])
        page.click("button[type=submit]")
        page.get_by_role("link", name="Billing").wait_for()
        page.close()
        return context

    def bill(self, period: Stopped) -> None:
        """Run `bill_range` for a period's own day and contract, and wait until that has succeeded."""
        day = period.issue_date.isoformat()
        conf = {"from_date": day, "to_date": day, "contract_ids": [period.contract_id]}
        run_dag(self.stack, "bill_range", f"period-{period.period_id}", conf, Screen(StringIO()))


@contextmanager
def console_site(folder: Path, airflow_metadata: Path) -> Iterator[ConsoleSite]:
    """Start everything below `folder`, on a copy of Airflow's metadata, bill the year, and end everything."""
    site, screen = Site.laid_out(PROJECT, folder), Screen(StringIO())
    shutil.copy(airflow_metadata, site.airflow_database)
    with Processes(site.logs) as processes:
        running = stack.start(site, processes, screen, by_schedule=False, roles=ROLES)
        ledger = LedgerView(site.ledger_url, ORGANIZATION_ID, YEAR_START, YEAR_END)
        with running.airflow, closing(ledger):
            run_dag(running, "bill_range", "first", WHOLE_YEAR, screen, answer=APPROVE)
            run_dag(running, "bill_range", "price-updates", WHOLE_YEAR, screen)
            yield ConsoleSite(running, ledger)
