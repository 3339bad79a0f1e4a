"""The console's routes, one module a view. A route reads its parameters, asks one query, renders one template."""

from ciclo.console.routes import (
    actions,
    adjustments,
    attention,
    contracts,
    forecast,
    health,
    letters,
    months,
    periods,
    price_updates,
    receivables,
    runs,
    search,
    static_files,
    terms,
    what_if,
)

ROUTERS = (
    months.router,
    periods.router,
    receivables.router,
    what_if.router,
    price_updates.router,
    attention.router,
    contracts.router,
    terms.router,
    forecast.router,
    search.router,
    runs.router,
    adjustments.router,
    letters.router,
    actions.router,
    health.router,
    static_files.router,
)
