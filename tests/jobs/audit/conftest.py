"""The command line in this process: exit code, standard output, standard error."""

import pytest

from ciclo.cli.main import main


@pytest.fixture
def ciclo(capsys):
    """Run a command; return exit code, standard output and standard error."""

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return stop.value.code, out, err

    return run
