"""The form of `create_invoice_rule` into the request of the API."""

import logging
from collections.abc import Mapping
from typing import Any

from ciclo.billimatic.models import RuleFromTemplate
from ciclo.jobs.context import JobContext
from ciclo.jobs.rules.create import create_rule_from_template

log = logging.getLogger("ciclo")


def rule_from_params(job: JobContext, params: Mapping[str, Any]) -> int:
    """Create the rule that the form asks for and return its id."""
    wanted = RuleFromTemplate.model_validate(
        {
            "invoice_template_id": params["invoice_template_id"],
            "additional_information": {name: params[name] for name in ("title", "init_date", "month_quantity")},
            "scheduled_updates": params["scheduled_updates"],
            **({"description": params["description"]} if params["description"] else {}),
        }
    )
    created = create_rule_from_template(job, params["contract_id"], wanted)
    what = "was there already" if created.existed else "created"
    log.info("rule %d of contract %d %s", created.rule.id, created.rule.contract_id, what)
    return created.rule.id
