"""The steps of the Dags, a file a noun: each puts jobs together for one task. `ciclo.jobs.stages` gives their order.

A step is tried again whole, so it may be run twice. It returns counts, ids and hashes, and logs what a person should
see; what needs one is in the ledger.
"""
