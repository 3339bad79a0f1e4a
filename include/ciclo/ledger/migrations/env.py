"""Alembic's environment: the connection comes from `ciclo.ledger.database`, the tables from `ciclo.ledger.tables`."""

from alembic import context

from ciclo.ledger.tables import Base, Kept

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=[Base.metadata, Kept.metadata],
    render_as_batch=context.config.attributes["connection"].dialect.name == "sqlite",
    compare_type=False,
)
with context.begin_transaction():
    context.run_migrations()
