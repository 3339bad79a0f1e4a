"""Use cases, a folder a noun, a file a verb: reading contracts, planning periods, issuing, updating prices, closing.

A job takes a `JobContext` (the vendor's client, a session, who acts, a clock) and settings as values; it knows neither
Airflow nor the environment, and commits where its documentation says so.
"""
