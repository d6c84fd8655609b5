"""The command line. Each sub-command has a file of its own; `main` imports and runs it."""
