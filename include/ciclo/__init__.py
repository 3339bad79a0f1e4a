"""Ciclo: recurring billing on Apache Airflow, every period invoiced exactly once."""
