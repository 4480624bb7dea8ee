"""One module a command; each is imported when its command is called, so that `--help` and start-up stay quick."""
