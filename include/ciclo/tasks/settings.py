"""Settings from the environment, `CICLO_…`; documented in the README's table, and a test says so."""

import os
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from ciclo.domain.price_index import WindowPolicy
from ciclo.jobs.context import IssueOptions
from ciclo.jobs.price_updates import MAX_WAIT_DAYS, UpdateOptions


class Settings(BaseSettings):
    """How this installation bills. Every value has a default that suits one machine."""

    model_config = SettingsConfigDict(env_prefix="CICLO_", frozen=True, extra="ignore")

    shards: int = Field(2, ge=1, le=64, description="Tasks over which a run spreads its contracts.")
    concurrency: int = Field(8, ge=1, le=64, description="Invoices that one task creates at once.")
    batch: int = Field(200, ge=1, le=5000, description="Periods that one task claims at once.")
    lease_seconds: int = Field(600, ge=1, description="How long a claim holds without its run coming back.")
    grace_seconds: int = Field(300, ge=0, description="How long after a lost answer the API may still carry it out.")
    catch_up_days: int = Field(7, ge=0, le=92, description="How far back `issue_invoices` takes what is planned.")
    pool: str = Field("default_pool", description="Airflow pool that limits the tasks which talk to the API at once.")
    recheck_days: int = Field(
        400,
        ge=31,
        le=4000,
        description="How far back the daily reconciliation reads even what is received or cancelled.",
    )
    max_invoices: int | None = Field(
        5000, ge=0, description="Invoices above which a backfill waits for a person, unless its form says otherwise."
    )
    max_total: str | None = Field(
        "5000000.00",
        pattern=r"^\d{1,12}(\.\d{1,2})?$",
        description="BRL above which a backfill waits for a person, unless its form says otherwise.",
    )
    reports_dir: Path | None = Field(
        None, description="Folder of the closed months' reports; by default `ciclo-reports` under `AIRFLOW_HOME`."
    )

    sgs_url: str = Field("https://api.bcb.gov.br", description="Where the central bank's SGS API is.")
    window_policy: WindowPolicy = Field(
        WindowPolicy.PUBLISHED, description="Which months of an index an update uses: `published` or `previous_month`."
    )
    max_wait_days: int = Field(
        MAX_WAIT_DAYS, ge=0, le=366, description="How long an update waits for a late index value before it is parked."
    )
    approve_price_updates: bool = Field(
        default=False, description="Whether a person has to approve price updates before they are applied."
    )
    notify: str = Field("", description="Recipients of reminders and notices, comma separated; empty: the log only.")

    @property
    def notified(self) -> tuple[str, ...]:
        """Recipients of reminders and notices."""
        return tuple(address.strip() for address in self.notify.split(",") if address.strip())

    def update_options(self, *, require_approval: bool) -> UpdateOptions:
        """Return the settings in the form that the price update jobs take."""
        return UpdateOptions(
            policy=self.window_policy,
            max_wait_days=self.max_wait_days,
            require_approval=require_approval,
            lease=timedelta(seconds=self.lease_seconds),
            grace=timedelta(seconds=self.grace_seconds),
        )

    @property
    def reports_folder(self) -> Path:
        """The folder of the closed months' reports."""
        return self.reports_dir or Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "ciclo-reports"

    @cached_property
    def issue_options(self) -> IssueOptions:
        """The settings in the form that the issuing jobs take."""
        return IssueOptions(
            concurrency=self.concurrency,
            batch=self.batch,
            lease=timedelta(seconds=self.lease_seconds),
            grace=timedelta(seconds=self.grace_seconds),
        )


def settings() -> Settings:
    """Read the settings anew; cheap enough for every task."""
    return Settings()
