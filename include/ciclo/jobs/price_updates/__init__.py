"""Price updates: the right factor, on the right day, with the evidence (DESIGN, section 3).

The one rule: import from here; the modules are how it is done. An execution goes through them in this order:

```
reminders     on remind_at: a preview, sent once
settling      what became of a PUT without an answer
application   the due executions of each rule, in order
  vendor      has the vendor done it itself? adopt its price
  values      which indices lack a value that is out
  proposal    window, values, factor, new prices, evidence, hash
  approval    where a person has to agree
  sending     claim, commit, PUT
  invoices    those already created and still to_emit: PATCH
  completion  state, prices, next execution, in one commit
  waiting     the rule's periods: held back, or let go
report        how it all stands
```
"""

from ciclo.jobs.price_updates.application import apply_price_updates, retire_updates
from ciclo.jobs.price_updates.approval import Batch, Verdict, answer_batch, batch_of, batch_table
from ciclo.jobs.price_updates.options import MAX_WAIT_DAYS, UpdateOptions, UpdateOutcome
from ciclo.jobs.price_updates.reminders import PricePreview, Reminder, previews, taken_reminders
from ciclo.jobs.price_updates.report import UpdatesInDoubtError, UpdateStanding, standing_of_updates
from ciclo.jobs.price_updates.settling import UpdatesOpen, settle_updates, updates_open
from ciclo.jobs.price_updates.values import missing_indices

__all__ = [
    "MAX_WAIT_DAYS",
    "Batch",
    "PricePreview",
    "Reminder",
    "UpdateOptions",
    "UpdateOutcome",
    "UpdateStanding",
    "UpdatesInDoubtError",
    "UpdatesOpen",
    "Verdict",
    "answer_batch",
    "apply_price_updates",
    "batch_of",
    "batch_table",
    "missing_indices",
    "previews",
    "retire_updates",
    "settle_updates",
    "standing_of_updates",
    "taken_reminders",
    "updates_open",
]
