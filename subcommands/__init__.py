"""The commands of the command line: one module a command or group of commands; `cli.py` gathers them."""
