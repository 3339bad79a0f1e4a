"""The console in its reader's language."""

import pytest


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "en"),
        ({"accept-language": "pt-BR,pt;q=0.9,en;q=0.8"}, "pt-BR"),
        ({"accept-language": "en-US", "cookie": "ciclo_airflow_language=pt"}, "pt-BR"),
        ({"accept-language": "pt-BR", "cookie": "ciclo_airflow_language=de"}, "pt-BR"),
        ({"accept-language": "pt-BR", "cookie": "ciclo_airflow_language=pt; ciclo_language=en"}, "en"),
    ],
)
def test_a_page_is_in_the_readers_choice_else_airflows_language_else_the_browsers(operator, headers, expected):
    page = operator.get("/receivables", headers=headers)

    assert f'<html lang="{expected}"' in page.text
    assert page.headers["content-language"] == expected
    assert "Cookie" in page.headers["vary"]


def test_a_reader_chooses_a_language_by_a_link_and_keeps_it(operator):
    answer = operator.get("/receivables?q=padaria&lang=pt_BR", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/receivables?q=padaria"
    page = operator.get(answer.headers["location"])
    assert page.headers["content-language"] == "pt-BR"
    assert 'href="/receivables?q=padaria&amp;lang=en" lang="en"' in page.text


def test_a_language_that_there_is_not_changes_nothing(operator):
    assert operator.get("/receivables?lang=fr").headers["content-language"] == "en"
