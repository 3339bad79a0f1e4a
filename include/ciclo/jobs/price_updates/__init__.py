"""Price updates: the right factor, on the right day, with the evidence. Import from here.

```
remind    on remind_at: a preview, sent once
settle    what became of a PUT without an answer; the end of an execution, in one commit
apply     the due executions of each rule, in order
  case      one of them as a run works on it, and its moves from state to state
  adopt     has the vendor done it itself? its price counts
  propose   window, values, factor, new prices, evidence, hash
  decide    where a person has to agree or to choose
  reprice   invoices that are there already and still to_emit: PATCH
letters   to the customer, before or after, once
outcome   options, counts, how it all stands
```
"""

from ciclo.jobs.price_updates.apply import apply_price_updates, retire_updates
from ciclo.jobs.price_updates.decide import Batch, Verdict, answer_batch, batch_of, batch_table
from ciclo.jobs.price_updates.letters import (
    LetterNotTakenError,
    LetterOptions,
    LettersOutcome,
    Mail,
    MailServerAwayError,
    Post,
    write_letters,
)
from ciclo.jobs.price_updates.outcome import (
    MAX_WAIT_DAYS,
    UnsettledUpdates,
    UpdateOptions,
    UpdateOutcome,
    UpdatesInDoubtError,
    UpdatesOpen,
    unsettled_updates,
    updates_open,
)
from ciclo.jobs.price_updates.propose import missing_indices
from ciclo.jobs.price_updates.remind import PricePreview, Reminder, previews, taken_reminders
from ciclo.jobs.price_updates.settle import settle_updates

__all__ = [
    "MAX_WAIT_DAYS",
    "Batch",
    "LetterNotTakenError",
    "LetterOptions",
    "LettersOutcome",
    "Mail",
    "MailServerAwayError",
    "Post",
    "PricePreview",
    "Reminder",
    "UnsettledUpdates",
    "UpdateOptions",
    "UpdateOutcome",
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
    "taken_reminders",
    "unsettled_updates",
    "updates_open",
    "write_letters",
]
