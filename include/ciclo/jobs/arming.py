"""Arming: a fresh organization bills nothing until a person approves its first plan.

Approving it also fixes the month from which Ciclo answers for what is billed: nothing before it is asked about.
"""

from datetime import date

from ciclo.domain.calendar import first_of_month
from ciclo.jobs.context import JobContext


def is_armed(ctx: JobContext) -> bool:
    """Whether a person has allowed the organization to bill."""
    organization = ctx.organizations.get()
    return organization is not None and organization.armed_at is not None


def responsible_from(ctx: JobContext) -> date | None:
    """Return the first day of the month from which Ciclo answers for what is billed; None where it is not armed."""
    organization = ctx.organizations.get()
    return organization.responsible_from if organization is not None else None


def arm(ctx: JobContext, day: date, *, person: str) -> bool:
    """Let the organization bill, from the month of `day` on. Commits.

    Returns:
        Whether it was not armed before: the month once fixed stays.
    """
    armed = ctx.organizations.arm(responsible_from=first_of_month(day), person=person, at=ctx.clock())
    ctx.session.commit()
    return armed
