"""The command line: one file for each sub-command; `main` finds and runs them."""
