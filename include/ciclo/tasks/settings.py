"""Settings from the environment, `CICLO_…`; documented in the README's table, and a test says so."""

import os
from pathlib import Path
from typing import Literal

from airflow.sdk import ObjectStoragePath
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from ciclo.jobs.reports import ReportsPath
from ciclo.jobs.settings import BillingSettings


class Settings(BillingSettings, BaseSettings):
    """How this installation bills, and what only Airflow's tasks need."""

    # A variable that is empty is not set: Compose and Kubernetes hand on every one, filled in or not.
    model_config = SettingsConfigDict(env_prefix="CICLO_", env_ignore_empty=True, frozen=True, extra="ignore")

    pool: str = Field("default_pool", description="Airflow pool that limits the tasks which talk to the API at once.")
    sgs_url: str = Field("https://api.bcb.gov.br", description="Where the central bank's SGS API is.")
    notify: str = Field("", description="Recipients of reminders and notices, comma separated; empty: the log only.")

    locale: Literal["pt_BR", "en"] = Field(
        "pt_BR", description="Language of reports, notices, forms and Dag docs: `pt_BR` or `en`."
    )

    @property
    def notified(self) -> tuple[str, ...]:
        """Recipients of reminders and notices."""
        return tuple(address.strip() for address in self.notify.split(",") if address.strip())

    @property
    def reports_folder(self) -> ReportsPath:
        """The folder of the closed months' reports."""
        if self.reports_dir is None:
            return Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "ciclo-reports"
        if "://" in self.reports_dir:
            return ObjectStoragePath(self.reports_dir)
        return Path(self.reports_dir)


def settings() -> Settings:
    """Read the settings anew; cheap enough for every task."""
    return Settings()
