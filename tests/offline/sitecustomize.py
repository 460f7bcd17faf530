"""No test reaches beyond this machine: any other address is refused before it is asked, in every process that a test starts."""

import sys

LOCAL = ("127.", "::1", "localhost", "0.0.0.0", "::")


def refuse(event: str, arguments: tuple) -> None:
    """An audit hook (PEP 578): it stays for the life of the process, whatever the code under test does."""
    if event == "socket.connect":
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else "127."  # the others are sockets of this machine: files, pairs
    elif event == "socket.getaddrinfo":
        host = arguments[0] or "127."
    else:
        return
    host = host.decode() if isinstance(host, bytes) else str(host)
    if not host.startswith(LOCAL):
        raise ConnectionRefusedError(f"tests are offline: {event} {host}")


sys.addaudithook(refuse)
