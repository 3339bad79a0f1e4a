"""Asking for quantities: of a rule that waits for them, some days before the planned date, once a period."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta

from ciclo.domain.adjustments import AdjustmentKind
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.context import JobContext
from ciclo.jobs.rules.snapshot import RuleSnapshots
from ciclo.ledger.repositories import ACTIVE, Scope
from ciclo.ledger.rows import in_parts
from ciclo.ledger.tables import RuleSetting
from ciclo.locale import _

MEASURED = frozenset({AdjustmentKind.QUANTITY, AdjustmentKind.REPLACE})
"""Kinds of which one has to be there before a rule that waits is billed."""


@dataclass(frozen=True, slots=True)
class MissingQuantities:
    """A period that will not be billed unless its quantities come."""

    contract_id: int
    contract_name: str
    rule_id: int
    planned_date: date
    services: tuple[str, ...]

    def line(self) -> str:
        """Say it in one line."""
        text = _("Contract {contract} ({name}), rule {rule}, invoice of {day}: no quantity has come for {services}")
        return text.format(
            contract=self.contract_id,
            name=self.contract_name or "-",
            rule=self.rule_id,
            day=f"{self.planned_date:%d/%m/%Y}",
            services=", ".join(self.services) or _("its value"),
        )


@contextmanager
def asked_for_quantities(ctx: JobContext, scope: Scope, *, today: date) -> Iterator[tuple[MissingQuantities, ...]]:
    """Yield the periods whose quantities are to be asked for now, marked as asked for; an exception unmarks. Commits.

    Args:
        ctx: the run.
        scope: contracts; its window does not matter.
        today: the day in São Paulo: planned dates from it to `notice_days` after it, each asked for once.
    """
    settings = {number: row for number, row in ctx.adjustments.settings().items() if row.waits_for_quantities}
    found = [each for part in in_parts(sorted(settings)) for each in _missing(ctx, part, settings, scope, today)]
    last = {each.rule_id: each.planned_date for each in found}
    taken = {rule_id for rule_id, day in last.items() if ctx.adjustments.notice(rule_id, day)}
    before = {rule_id: settings[rule_id].noticed_until for rule_id in taken}
    ctx.session.commit()
    try:
        yield tuple(each for each in found if each.rule_id in taken)
    except BaseException:
        for rule_id, day in before.items():
            ctx.adjustments.take_notice_back(rule_id, day)
        ctx.session.commit()
        raise


def _missing(
    ctx: JobContext, rule_ids: list[int], settings: dict[int, RuleSetting], scope: Scope, today: date
) -> Iterator[MissingQuantities]:
    snapshots = RuleSnapshots(ctx, rule_ids, kept=len(rule_ids))
    contracts = {each.contract_id: each for each in ctx.contracts.some({s.rule.contract_id for s in snapshots})}
    skips = ctx.adjustments.skips(contracts)
    for snapshot in sorted(snapshots, key=lambda each: each.rule.rule_id):
        rule, contract = snapshot.rule, contracts.get(snapshot.rule.contract_id)
        if rule.gone_at is not None or contract is None or contract.gone_at is not None or contract.state != ACTIVE:
            continue
        if scope.contract_ids and rule.contract_id not in scope.contract_ids:
            continue
        setting = settings[rule.rule_id]
        noticed = setting.noticed_until or date.min
        for period in snapshot.called_for(DateRange.days(today, today + timedelta(days=setting.notice_days)), ()):
            day = period.issue_date
            skipped = any(each.is_for(day) and each.rule_id in (None, rule.rule_id) for each in skips[rule.contract_id])
            if day > noticed and not skipped and not MEASURED & {each.kind for each in snapshot.adjustments_of(day)}:
                names = tuple(line.name or line.description or str(line.id) for line in snapshot.terms_on(day).services)
                yield MissingQuantities(rule.contract_id, contract.name, rule.rule_id, day, names)
