"""`ciclo dags install`: what this checkout has goes where somebody's Airflow looks, and nobody's changes are lost."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DAGS = sorted(path.name for path in (ROOT / "dags").glob("*.py"))


def test_the_dag_files_and_the_plugin_are_copied_once(ciclo, tmp_path):
    command = ("dags", "install", tmp_path / "dags" / "ciclo", "--plugins", tmp_path / "plugins")
    assert ciclo(*command) == (0, f"{len(DAGS) + 1} files written\n", "")
    assert sorted(path.name for path in (tmp_path / "dags" / "ciclo").iterdir()) == DAGS
    assert (tmp_path / "plugins" / "ciclo_console.py").read_bytes() == (ROOT / "plugins/ciclo_console.py").read_bytes()
    assert ciclo(*command) == (0, "0 files written\n", "")


def test_a_file_that_somebody_changed_is_named_and_nothing_is_written(ciclo, tmp_path):
    changed = tmp_path / DAGS[-1]
    changed.write_text("# mine")
    code, out, err = ciclo("dags", "install", tmp_path)
    assert (code, out) == (1, "")
    assert err == f"error: {changed} is of another version, or changed: --overwrite replaces it\n"
    assert list(tmp_path.iterdir()) == [changed]
    assert ciclo("dags", "install", tmp_path, "--overwrite")[:2] == (0, f"{len(DAGS)} files written\n")
    assert changed.read_bytes() == (ROOT / "dags" / changed.name).read_bytes()


@pytest.mark.parametrize("kind", ["dags", "plugins"])
def test_a_folder_that_is_a_file_is_said_in_one_line(ciclo, tmp_path, kind):
    (tmp_path / "file").write_text("")
    folders = {"dags": tmp_path / "dags", "plugins": tmp_path / "plugins"} | {kind: tmp_path / "file"}
    code, _out, err = ciclo("dags", "install", folders["dags"], "--plugins", folders["plugins"])
    assert (code, err.count("\n")) == (1, 1)
    assert "file" in err
