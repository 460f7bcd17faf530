"""The web page and its JSON service."""
