"""Why an invoice is not what the one before was, in words: each difference, and the sentence for the customer."""

from collections.abc import Mapping

from ciclo.domain.adjustments import AdjustmentKind
from ciclo.domain.comparison import Comparison, Difference, DifferenceKind
from ciclo.domain.states import Fact
from ciclo.domain.wording.sentences import WORDS
from ciclo.locale import N_, _

_D, _J = DifferenceKind, AdjustmentKind

DIFFERENCES: Mapping[DifferenceKind, str] = {
    _D.READJUSTED: N_("{service} readjusted by {index:index}{months:months}, {percent:number} %"),
    _D.PRICE_CHANGED: N_("price of {service} changed from {old:brl} to {new:brl}"),
    _D.UNITS_CHANGED: N_("{units:number} units of {service} instead of {was:number}"),
    _D.SERVICE_ADDED: N_("{service} is new"),
    _D.SERVICE_REMOVED: N_("{service} is no longer billed"),
    _D.EDITED: N_("adjusted by hand"),
    _D.EDITED_BEFORE: N_("the one before had been adjusted by hand"),
    _D.UNEXPLAINED: N_("billed apart from a recurring rule"),
    _D.OTHER_RULE: N_("billed by another recurring rule"),
    _D.COMPETENCE: N_("for the month {month:month}"),
    _D.DUE_DATE: N_("due on {due_date} instead of {was}"),
    _D.PARCELS: N_("paid in {parcels} instead of {was} instalments"),
}
"""What a customer may be told: neither persons nor notes are in it."""

ADJUSTED: Mapping[AdjustmentKind, str] = {
    _J.QUANTITY: N_("{quantity:number} units of {service}"),
    _J.UNIT_VALUE: N_("{service} at {unit_value:brl}"),
    _J.LINE: "{description}",
    _J.DISCOUNT: N_("discount"),
    _J.SKIP: N_("not billed"),
    _J.PRORATE: N_("only {first_day} to {last_day} is billed"),
    _J.REPLACE: N_("agreed value of {amount:brl}"),
}


def said_of_difference(difference: Difference) -> str:
    """Put what is different into words, without its amount."""
    facts = dict(difference.facts)
    facts["service"] = facts.get("service") or _("the whole")
    if difference.kind in (DifferenceKind.ADJUSTED, DifferenceKind.ADJUSTED_BEFORE):
        words = WORDS.vformat(_(ADJUSTED[AdjustmentKind(str(facts["adjustment"]))]), (), facts)
        if difference.kind is DifferenceKind.ADJUSTED_BEFORE:
            return _("only the one before had: {what}").format(what=words)
        return words
    return WORDS.vformat(_(DIFFERENCES[difference.kind]), (), facts)


def said_of_comparison(comparison: Comparison) -> str:
    """Say in one sentence why an invoice is not what the one before was, as it may be sent to the customer."""
    now, before, difference = comparison.now, comparison.before, comparison.difference
    facts: dict[str, Fact] = {"day": now.issue_date.isoformat(), "value": str(now.gross_value)}
    if before is None:
        return WORDS.vformat(
            _("The invoice of {day} is {value:brl}; there is none before it to compare it with."), (), facts
        )
    facts |= {
        "before": before.issue_date.isoformat(),
        "was": str(before.gross_value),
        "amount": str(abs(difference)),
        "why": "; ".join(_with_amount(each) for each in comparison.differences),
    }
    if difference > 0:
        text = _("The invoice of {day} is {value:brl}, {amount:brl} more than the one of {before} ({was:brl}): {why}.")
    elif difference < 0:
        text = _("The invoice of {day} is {value:brl}, {amount:brl} less than the one of {before} ({was:brl}): {why}.")
    elif comparison.differences:
        text = _("The invoice of {day} is {value:brl}, as the one of {before} was: {why}.")
    else:
        text = _("The invoice of {day} is {value:brl}, as the one of {before} was.")
    return WORDS.vformat(text, (), facts)


def _with_amount(difference: Difference) -> str:
    words = said_of_difference(difference)
    return f"{words} ({WORDS.format_field(difference.amount, 'signed')})" if difference.amount else words
