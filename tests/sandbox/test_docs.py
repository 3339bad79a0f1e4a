"""docs/sandbox.md: its commands run, its tables name everything that there is."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from ciclo_sandbox.behaviour import Behaviour, Deed
from ciclo_sandbox.faults import Kind

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_every_curl_example_works_in_the_order_of_the_page(sandbox):
    for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL):
        command = block.replace("http://127.0.0.1:8400", sandbox.url)
        ended = subprocess.run(["bash", "-e", "-c", command], capture_output=True, text=True, timeout=30, check=False)
        assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
    (invoice,) = sandbox.state()["invoices"]
    assert (invoice["gross_value"], invoice["state"]) == ("14.38", "received")


@pytest.mark.parametrize("name", [*Behaviour.model_fields, *get_args(Deed), *get_args(Kind)])
def test_every_behaviour_and_every_fault_is_on_the_page(name):
    assert f"`{name}`" in PAGE
