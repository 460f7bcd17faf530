"""What each command does; arguments become the command line, docstrings its help."""
