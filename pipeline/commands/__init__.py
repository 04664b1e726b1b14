"""The words of the command line: a module a noun; `cli.py` gathers them."""
