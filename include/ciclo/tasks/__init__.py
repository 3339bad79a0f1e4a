"""What the Dag files share: settings, params, windows, and the tasks that more than one Dag runs.

A task here opens a hook and a session and calls one job; rules live in `ciclo.domain`, use cases in `ciclo.jobs`.
"""
