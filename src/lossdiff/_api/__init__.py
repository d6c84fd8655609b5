"""What is called in Python: the names of `lossdiff` itself are defined here."""
