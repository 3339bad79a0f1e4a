"""The receiver of the vendor's webhooks: a FastAPI app that records events in the ledger. Knows no Airflow.

A request is believed only for its signature, and acted upon only once. What is recorded is picked up by
`reconcile_receivables`; what is lost on the way is found by its daily run.
"""

from ciclo.webhooks.app import WebhookSettings, create_webhook_app

__all__ = ["WebhookSettings", "create_webhook_app"]
