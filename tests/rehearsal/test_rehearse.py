"""`ciclo rehearse`: what is played, in which order, and what it says of it."""

import json
import re
from pathlib import Path

import pytest

from ciclo.jobs.stages import STAGES

SHARED = Path(__file__).resolve().parents[3] / "shared"

DOCS = Path(__file__).resolve().parents[2] / "docs" / "rehearsal.md"


def living(output):
    return [(each["contract_id"], each["planned_date"], each["gross_value"]) for each in output["invoices"]]


def without(scenario, *names):
    return {name: value for name, value in scenario.items() if name not in names}


def test_a_change_of_the_issue_day_itself_is_billed(rehearse, scenario):
    played = scenario("a_price_raised_in_time") | {"until": "2025-06-10"}
    played["events"][0]["on"] = "2025-06-10"
    code, output, err = rehearse(played)
    assert (code, err) == (0, "")
    assert living(output) == [(10, "2025-06-10", "175.50")]


def test_the_dags_run_in_the_order_of_their_day_and_not_while_down(rehearse, scenario):
    played = scenario("a_price_raised_in_time") | {"until": "2025-06-02", "down": [["2025-06-02", "2025-06-02"]]}
    _, output, _ = rehearse(played)
    assert {run["on"] for run in output["runs"]} == {"2025-06-01"}
    assert [run["dag_id"] for run in output["runs"]] == [
        "sync_contracts",
        "expand_invoice_rules",
        "apply_price_updates",
        "issue_invoices",
        "sync_price_indices",
        "reconcile_receivables",
        "close_billing_month",
    ]


def test_people_at_the_vendor_are_not_counted_and_not_struck_by_faults(rehearse, scenario):
    played = scenario("a_price_raised_in_time") | {"until": "2025-06-05"}
    fault = {"kind": "error_before", "method": "PUT"}
    played["events"].insert(
        0, {"on": "2025-06-05", "control": {"method": "PUT", "path": "/_sandbox/faults", "body": [fault]}}
    )
    code, output, _ = rehearse(played)
    assert code == 0
    assert output["requests"]["PUT"] == 0


def test_an_invoice_that_is_not_there_is_named_with_the_event(rehearse, scenario):
    played = scenario("a_price_raised_in_time") | {"until": "2025-06-05"}
    path = "/_sandbox/invoices/{invoice:10:2025-06-10}/cancel"
    played["events"] = [{"on": "2025-06-03", "control": {"method": "POST", "path": path, "body": None}}]
    code, out, err = rehearse(played, as_json=False)
    assert (code, out) == (2, "")
    assert err == (f"error: event 2025-06-03 POST {path}: contract 10 has no living invoice planned for 2025-06-10\n")


def test_what_is_refused_in_the_console_is_said_and_the_days_go_on(rehearse, scenario):
    played = scenario("a_price_raised_in_time") | {"today": "2025-06-04", "until": "2025-06-10"}
    about = {"rule_id": 1, "issue_date": "2025-06-10"}
    played["events"] += [{"on": "2025-06-06", "act": {"action": each, **about}} for each in ("release", "acknowledge")]
    code, output, err = rehearse(played)
    assert code == 0
    assert living(output) == [(10, "2025-06-10", "175.50")]
    released, acknowledged = err.splitlines()
    assert released.startswith("refused in the console: event 2025-06-06 release of rule 1, 2025-06-10: The period of")
    assert acknowledged.endswith("acknowledge of rule 1, 2025-06-10: there is no open finding about it")


def test_a_finding_is_acknowledged_by_rule_and_date_as_attention_names_it(rehearse, scenario):
    """Of a rule typed late the periods before it are findings of its months, without a row of their own."""
    played = scenario("a_backdated_rule_is_billed_by_a_range") | {"today": "2025-05-30", "until": "2025-06-08"}
    typed, *_ = played["events"]
    typed["request"]["body"]["invoice_rule"]["additional_information"]["init_date"] = "2025-05-10"
    about = {"rule_id": 1, "issue_date": "2025-05-10"}
    played["events"] = [typed, {"on": "2025-06-08", "act": {"action": "acknowledge", **about}}]
    code, output, err = rehearse(played)
    assert (code, err) == (0, "")
    [shown] = [each for each in output["attention"] if each["kind"] == "backdated"]
    assert (shown["rule_id"], shown["issue_date"]) == (1, "2025-05-10")
    assert (shown["shown_on"], shown["cleared_on"]) == ("2025-06-05", "2025-06-08")


def test_what_waits_for_an_index_value_is_shown_on_the_day_on_which_it_is_due(rehearse, scenario):
    played = scenario("a_price_raised_in_time") | {
        "today": "2131-11-04",
        "until": "2131-11-10",
        "down": [],
        "events": [],
    }
    [rule] = played["state"]["invoice_rules"]
    rule["additional_information"]["init_date"] = "2130-11-10"
    update = {"id": 500, "price_index": "igpm", "month_quantity": 12, "days_until_update": 0, "service_item_id": None}
    rule["scheduled_updates"] = [update | {"init_date": "2131-11-05", "execution_date": "2131-11-05"}]
    code, output, _ = rehearse(played)
    assert (code, living(output)) == (0, [])
    [shown] = [each for each in output["attention"] if each["kind"] == "waiting"]
    assert (shown["rule_id"], shown["issue_date"], shown["shown_on"]) == (1, "2131-11-10", "2131-11-10")
    assert "the price update of 2131-11-05 by IGP-M is not settled" in shown["message"]


def test_a_run_about_a_contract_that_is_not_there_is_red_in_every_dag(rehearse, scenario):
    """It bills nothing, and green would say that everything of it is billed."""
    played = scenario("a_price_raised_in_time") | {"today": "2025-06-01", "until": "2025-06-02"}
    named = [dag_id for dag_id, stage in STAGES.items() if "contract_ids" in stage.params]
    asked = {"from_date": "2025-06-01", "to_date": "2025-06-30", "contract_ids": [10, 999]}
    wrong = [{"dag_id": dag_id, "params": asked, "approve": True} for dag_id in named]
    dry = {"dag_id": "bill_range", "params": asked | {"policy": "dry_run"}}
    right = {"dag_id": "bill_range", "params": asked | {"contract_ids": [10]}, "approve": True}
    played["events"] = [{"on": "2025-06-02", "run": run} for run in (*wrong, dry, right)]
    _, output, _ = rehearse(played)
    *refused, done = output["runs"][-len(named) - 2 :]
    assert [run["dag_id"] for run in refused] == [*named, "bill_range"]
    assert {run["outcome"] for run in refused} == {"red"}
    assert all(run["message"].startswith("contract_ids names 999, which the vendor's list") for run in refused)
    assert done["outcome"] == "green"


def test_a_scenario_that_makes_no_sense_is_refused_in_a_line(rehearse, scenario):
    code, _, err = rehearse(scenario("a_price_raised_in_time") | {"until": "2025-05-31"})
    assert code == 2
    assert err.startswith("error: ")
    assert "until 2025-05-31 is before today 2025-06-01" in err


def test_a_param_that_a_dag_does_not_know_makes_its_run_red(rehearse, scenario):
    played = scenario("a_price_raised_in_time") | {"until": "2025-06-01"}
    run = {"dag_id": "bill_range", "params": {"form_date": "2025-06-01"}, "approve": True}
    played["events"] = [{"on": "2025-06-01", "run": run}]
    _, output, _ = rehearse(played)
    assert output["runs"][-1]["outcome"] == "red"
    assert "bill_range does not know form_date" in output["runs"][-1]["message"]


def test_a_file_of_adjustments_is_taken_in(rehearse, scenario, tmp_path):
    file = tmp_path / "adjustments.csv"
    file.write_text("kind,rule_id,period,amount,key\nreplace,1,2025-06-10,80.00,once\n", encoding="utf-8")
    run = {"dag_id": "import_adjustments", "params": {"path": str(file)}, "approve": True}
    played = scenario("a_price_raised_in_time") | {
        "until": "2025-06-10",
        "events": [{"on": day, "run": run} for day in ("2025-06-03", "2025-06-04")],
    }
    code, output, _ = rehearse(played)
    assert code == 0
    assert living(output) == [(10, "2025-06-10", "80.00")]
    assert {each["outcome"] for each in output["runs"] if each["dag_id"] == "import_adjustments"} == {"green"}


def test_the_story_tells_the_days_on_which_something_happened(rehearse, scenario):
    code, out, _ = rehearse(scenario("a_price_raised_in_time"), as_json=False)
    assert code == 0
    assert "2025-06-10\n  planned for this day: invoice 2 of contract 10, BRL 175.50" in out
    assert "2025-06 is closed" in out


def test_the_documentation_s_scenario_can_be_played(rehearse):
    played = json.loads(re.search(r"```json\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)[1])
    code, output, _ = rehearse(played | {"until": "2025-06-10", "down": []})
    assert code == 0
    assert living(output) == [(10, "2025-06-10", "175.50")]


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no scenarios at {SHARED}")
def test_the_format_is_that_of_the_shared_folder(rehearse, scenario):
    _, output, _ = rehearse(without(scenario("an_answer_lost_is_settled_the_same_day"), "expect"))
    assert set(output) == {"invoices", "attention", "months", "price_updates", "runs", "requests"}
