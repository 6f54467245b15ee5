"""The admin API: routes declared as data, so that rights, audit, documentation and tests all read the same table."""
