"""The bus, the profile cache and the shared limits on Redis."""
