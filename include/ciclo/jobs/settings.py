"""How an installation bills: every setting of the jobs, with its default. Jobs get it as a value.

`ciclo.tasks.settings` fills it from `CICLO_…` of the environment, a rehearsal from its scenario.
"""

from datetime import date, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from ciclo.domain.calendar import holidays_in
from ciclo.domain.continuity import Continuity
from ciclo.domain.letter import Letters
from ciclo.domain.price_index import WindowPolicy
from ciclo.jobs.context import Gaps, IssueOptions
from ciclo.jobs.price_updates import MAX_WAIT_DAYS, LetterOptions, UpdateOptions
from ciclo.ledger.letters import LetterStyle
from ciclo.locale import language


class BillingSettings(BaseModel):
    """How this installation bills. Every value has a default that suits one machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shards: int = Field(2, ge=1, le=64, description="Tasks over which a run spreads its contracts.")
    concurrency: int = Field(16, ge=1, le=100, description="Invoices that one task creates at once.")
    batch: int = Field(200, ge=1, le=5000, description="Periods that one task claims at once.")
    lease_seconds: int = Field(600, ge=1, description="How long a claim holds without its run coming back.")
    grace_seconds: int = Field(300, ge=0, description="How long after a lost answer the API may still carry it out.")
    lead_days: int = Field(0, ge=0, le=92, description="How far ahead of the issue date an invoice is created.")
    catch_up_days: int = Field(7, ge=0, le=92, description="How far back `issue_invoices` takes what is planned.")
    read_within_days: int = Field(
        1, ge=1, le=31, description="Days within which every contract and its rules are read by `sync_contracts`."
    )
    recheck_days: int = Field(
        400,
        ge=31,
        le=4000,
        description="How far back the daily reconciliation reads even what is received or cancelled.",
    )
    holidays_file: Path | None = Field(
        None, description="Text file of the company's own holidays, one day a line; they are no business days."
    )
    stamp: bool = Field(default=True, description="Whether an adopted invoice gets Ciclo's reference in its remarks.")
    gaps: Gaps = Field(Gaps.ASK, description="What happens where somebody removed a generated invoice: ask or create.")
    max_invoices: int | None = Field(
        5000, ge=0, description="Invoices above which a backfill waits for a person, unless its form says otherwise."
    )
    max_total: str | None = Field(
        "5000000.00",
        pattern=r"^\d{1,12}(\.\d{1,2})?$",
        description="BRL above which a backfill waits for a person, unless its form says otherwise.",
    )
    reports_dir: str | None = Field(
        None,
        description="Folder of the closed months' reports, or a place that Airflow's object storage knows "
        "(`s3://connection@bucket/reports`); by default `ciclo-reports` under `AIRFLOW_HOME`.",
    )
    window_policy: WindowPolicy = Field(
        WindowPolicy.PUBLISHED, description="Which months of an index an update uses: `published` or `previous_month`."
    )
    continuity: Continuity = Field(
        Continuity.ASK,
        description="Whether an update that does not follow from the one before waits for a person: ask or apply.",
    )
    max_wait_days: int = Field(
        MAX_WAIT_DAYS, ge=0, le=366, description="How long an update waits for a late index value before it is parked."
    )
    approve_price_updates: bool = Field(
        default=False, description="Whether a person has to approve price updates before they are applied."
    )
    letters: Letters = Field(
        Letters.OFF, description="Letters to customers about readjustments: `off`, `before`, `after` or `both`."
    )
    letter_template: Path | None = Field(
        None, description="The company's own template of these letters, a Jinja2 file."
    )

    def update_options(self, *, require_approval: bool | None = None) -> UpdateOptions:
        """Return the settings in the form that the price update jobs take."""
        return UpdateOptions(
            policy=self.window_policy,
            continuity=self.continuity,
            max_wait_days=self.max_wait_days,
            require_approval=self.approve_price_updates if require_approval is None else require_approval,
            lease=timedelta(seconds=self.lease_seconds),
            grace=timedelta(seconds=self.grace_seconds),
        )

    @property
    def letter_options(self) -> LetterOptions:
        """The settings in the form that writing letters takes, in the language that is spoken."""
        return LetterOptions(self.letters, LetterStyle(self.letter_template, language()))

    @property
    def issue_options(self) -> IssueOptions:
        """The settings in the form that the issuing jobs take."""
        return IssueOptions(
            concurrency=self.concurrency,
            batch=self.batch,
            lease=timedelta(seconds=self.lease_seconds),
            grace=timedelta(seconds=self.grace_seconds),
            gaps=self.gaps,
            stamp=self.stamp,
        )

    def own_holidays(self) -> frozenset[date]:
        """Read the company's own holidays.

        Raises:
            InvalidHolidays: a line of the file is no date.
        """
        return holidays_in(self.holidays_file)
