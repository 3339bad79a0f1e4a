"""Whose language a text is in: a command's, a process's, a thread's."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from ciclo.locale import Text, _, closest, language, speak, speaking


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("pt_BR", "pt_BR"),
        ("pt-br", "pt_BR"),
        ("pt", "pt_BR"),
        ("pt_BR.UTF-8", "pt_BR"),
        ("en_US.UTF-8", "en"),
        ("C", None),
        ("C.UTF-8", None),
        ("", None),
        (None, None),
        ("fr, pt-BR;q=0.8, en;q=0.5", "pt_BR"),
        ("en;q=0.5, pt;q=0.9", "pt_BR"),
        ("en, pt", "en"),
        ("pt;q=0, en;q=0.1", "en"),
        ("pt;q=nonsense", None),
        ("de-DE,de;q=0.9", None),
    ],
)
def test_the_language_that_suits_best_is_chosen(wanted, found):
    assert closest(wanted) == found


def test_a_text_is_looked_up_in_the_language_of_here_and_now():
    assert _("Receivables") == "Receivables"
    with speaking("pt_BR"):
        assert _("Receivables") == "Recebíveis"
        with speaking("en"):
            assert _("Receivables") == "Receivables"
    assert language() == "en"


def test_a_process_speaks_one_language_in_all_its_threads():
    speak("pt_BR")
    try:
        with ThreadPoolExecutor(1) as threads:
            assert threads.submit(_, "Receivables").result() == "Recebíveis"
    finally:
        speak("en")


def test_a_language_without_a_catalogue_is_refused():
    with pytest.raises(ValueError, match="no catalogue of 'fr'"):
        speak("fr")
    with pytest.raises(ValueError, match="no catalogue of 'fr'"), speaking("fr"):
        pass


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["--help"], {}, "Usage"),
        (["--lang", "pt_BR", "--help"], {}, "Faturamento recorrente"),
        (["--lang=pt", "parked", "--help"], {}, "Mostra esta mensagem e sai."),
        (["--help"], {"CICLO_LOCALE": "pt_BR"}, "Faturamento recorrente"),
        (["--help"], {"LANG": "pt_BR.UTF-8"}, "Faturamento recorrente"),
        (["--lang", "en", "--help"], {"CICLO_LOCALE": "pt_BR"}, "Recurring billing"),
    ],
)
def test_a_command_speaks_what_it_is_told_else_the_shells_language(arguments, environment, expected):
    command = [sys.executable, "-m", "ciclo.cli", *arguments]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert expected in answer.stdout


def test_a_text_without_values_is_shown_as_it_stands():
    assert str(Text("the rule has no service '{x}'")) == "the rule has no service '{x}'"
    assert str(Text.of({"text": "100 % of {x} {"})) == "100 % of {x} {"
