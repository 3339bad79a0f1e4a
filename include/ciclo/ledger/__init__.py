"""Ciclo's own database: tables and their migrations, a repository a noun, the console's queries, people's actions.

Repositories flush, whoever called them commits. Rows are never deleted.
"""
