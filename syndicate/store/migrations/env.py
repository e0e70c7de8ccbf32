"""Runs the steps on the connection that `migrate.upgrade` hands over."""

from alembic import context

from syndicate.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=False)
context.run_migrations()
