# ruff: noqa: INP001 - a script, not a module of a package
"""Screenshots of every view of the console: both languages, light and dark, wide and narrow, into `docs/images/`.

Portuguese ones have `-pt` in their names.

Run `python scripts/screenshots.py`. Without `--url` it serves the console over the small year of `tests/console`; with
it, it visits a console that is running, such as the demo's (`--url http://127.0.0.1:8080/billing`).
"""

import argparse
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import uvicorn
from playwright.sync_api import Page, sync_playwright

from ciclo.console import User, create_app
from ciclo.ledger.database import open_engine, upgrade

ROOT = Path(__file__).resolve().parents[1]
VIEWS = {
    "month": "/",
    "periods": "/periods",
    "receivables": "/receivables",
    "price-updates": "/price-updates",
    "price-update": "/price-updates/1",
    "attention": "/attention",
    "contract": "/contracts/100",
    "rule": "/rules/1000",
    "closed-month": "/months/2025-10",
    "forecast": "/forecast",
}
LANGUAGES = {"en-US": "", "pt-BR": "-pt"}
"""What a browser asks for, and what its pictures' names end in."""
SIZES = {"wide": (1280, 850), "narrow": (390, 844)}
ALSO_NARROW = ("month", "periods")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def main() -> None:
    """Take the screenshots."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a console that is running; default: one over the tests' small year")
    parser.add_argument("--into", type=Path, default=ROOT / "docs" / "images")
    given = parser.parse_args()
    given.into.mkdir(parents=True, exist_ok=True)
    if given.url:
        _take_all(given.url.rstrip("/"), given.into)
        return
    with small_year_console() as url:
        _take_all(url, given.into)


def _take_all(url: str, into: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        for (locale, language), scheme, size in product(LANGUAGES.items(), ("light", "dark"), SIZES):
            width, height = SIZES[size]
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme, locale=locale)
            _take(page, url, into, VIEWS if size == "wide" else ALSO_NARROW, f"{scheme}-{size}{language}")
            page.close()
        browser.close()


def _take(page: Page, url: str, into: Path, names: Iterable[str], suffix: str) -> None:
    for name in names:
        page.goto(url + VIEWS[name], wait_until="networkidle")
        page.screenshot(path=into / f"{name}-{suffix}.png")
    page.goto(f"{url}/attention")
    page.locator("tbody td a").first.click()
    page.wait_for_selector("#panel-content h2")
    page.screenshot(path=into / f"period-{suffix}.png")


@contextmanager
def small_year_console() -> Iterator[str]:
    """Serve the console over the tests' small year, at its own time."""
    sys.path.insert(0, str(ROOT / "tests"))
    from console.factories import NOW  # noqa: PLC0415 - it is on the path only now
    from console.small_year import fill_small_year  # noqa: PLC0415 - it is on the path only now

    with tempfile.TemporaryDirectory() as folder:
        ledger = f"sqlite:///{folder}/ledger.db"
        engine = open_engine(ledger)
        upgrade(engine)
        fill_small_year(engine, hostile=False)
        engine.dispose()
        app = create_app(
            current_user=lambda: User("ana", "ana"), can_act=lambda: True, ledger_url=ledger, clock=lambda: NOW
        )
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.05)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
            listening.close()


if __name__ == "__main__":
    main()
