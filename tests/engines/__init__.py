"""Real servers of other makers for tests, each a process in a directory of its own."""
