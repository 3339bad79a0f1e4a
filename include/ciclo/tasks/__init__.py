"""The tasks of the Dags, a file a noun, and what they share: run, retries, notify, params, settings, assets.

A task opens a hook and a session and does one step of `ciclo.jobs.stages`; rules live in `ciclo.domain`, use cases in
`ciclo.jobs`. What these processes say, in forms, notices and reports, is in the language of `CICLO_LOCALE`.
"""

from ciclo.locale import speak
from ciclo.tasks.settings import settings

speak(settings().locale)
