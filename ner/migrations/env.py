"""Alembic's door: runs the revisions in one transaction on the engine it is handed."""

from alembic import context

from ner.migrations import is_index_of_words
from ner.tables import metadata

engine = context.config.attributes["engine"]
with engine.connect().execution_options(ner_writes=True) as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        include_name=lambda name, *_: not is_index_of_words(name),
    )
    with context.begin_transaction():
        context.run_migrations()
