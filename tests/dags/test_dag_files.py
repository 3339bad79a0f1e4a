"""Dag files: they load without warnings, are thin, and say what they are."""

import ast
from pathlib import Path

import pytest

from ciclo.tasks.params import window_params

FILES = sorted((Path(__file__).resolve().parents[2] / "dags").glob("*.py"))


def test_every_dag_loads_under_the_name_of_its_file(dag_bag):
    assert dag_bag.import_errors == {}
    assert sorted(dag_bag.dags) == sorted(file.stem for file in FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dag_file_has_at_most_eighty_lines(file):
    assert len(file.read_text().splitlines()) <= 80


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_function_of_a_dag_file_says_what_it_does(file):
    functions = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)]
    assert all(ast.get_docstring(function) for function in functions)


def test_every_dag_has_docs_tags_and_retries(dag_bag):
    for dag in dag_bag.dags.values():
        assert dag.doc_md, dag.dag_id
        assert "ciclo" in dag.tags, dag.dag_id


def test_billing_dags_take_the_same_params(dag_bag):
    for dag_id in ("expand_invoice_rules", "issue_invoices", "bill_range"):
        assert set(window_params()) <= set(dag_bag.dags[dag_id].params)
