"""Settings of the receiver, `CICLO_WEBHOOK_…`. The secret is read anew for each request, so that it can be changed.

Without a secret nothing is believed.
"""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

LARGEST_BODY = 64 * 1024
"""Bytes. The vendor's events have a few hundred."""


class WebhookSettings(BaseSettings):
    """How webhooks are received."""

    model_config = SettingsConfigDict(
        env_prefix="CICLO_WEBHOOK_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    secret: SecretStr = Field(SecretStr(""), description="Key of the signature; agreed with the vendor.")
    secret_file: Path | None = Field(None, description="File that holds the key, instead of `CICLO_WEBHOOK_SECRET`.")
    request_id_header: str = Field("X-Billimatic-RequestId", description="Header of the request's id.")
    signature_header: str = Field("X-Billimatic-Signature", description="Header of the signature.")
    timestamp_header: str = Field(
        "X-Billimatic-Timestamp",
        description="Header of the event's time, if the vendor sends one; else `Date` is used.",
    )
    max_age_seconds: int = Field(
        300, ge=1, description="How old, or how far in the future, a request's time may be, where it has one."
    )

    def key(self) -> bytes | None:
        """Return the key of the signature; None if there is none."""
        text = self.secret_file.read_text("utf-8") if self.secret_file is not None else self.secret.get_secret_value()
        return text.strip().encode() or None
