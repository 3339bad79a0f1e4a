"""The demonstration: a made-up company, a real Airflow that bills its year, and an independent proof of the result.

The demonstration only uses what a customer has too (the command line, Airflow's API, the ledger), and it
checks the outcome against the vendor's own data, never against Ciclo's opinion of it.
"""
