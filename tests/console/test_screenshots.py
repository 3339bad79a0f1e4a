"""The screenshots' script finds its ledger and its pages: it is run by hand, and would rot unseen."""

import importlib.util
from pathlib import Path

import httpx
import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "screenshots.py"


@pytest.fixture(scope="module")
def screenshots():
    described = importlib.util.spec_from_file_location("screenshots", SCRIPT)
    script = importlib.util.module_from_spec(described)
    described.loader.exec_module(script)
    return script


@pytest.mark.parametrize(("asked", "tongue"), [("en-US", "en"), ("pt-BR", "pt-BR")])
def test_every_view_that_is_photographed_is_there_in_both_languages(screenshots, asked, tongue):
    with screenshots.small_year_console() as url, httpx.Client(headers={"Accept-Language": asked}) as client:
        for path in screenshots.VIEWS.values():
            answer = client.get(url + path)
            assert answer.status_code == 200, path
            assert f'<html lang="{tongue}"' in answer.text, path
    assert asked in screenshots.LANGUAGES
