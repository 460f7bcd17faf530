"""A server with an engine that needs no model, and a browser."""

import pytest
from browser import browser, page
from running_server import program, running
from stub_engine import StubEngine

__all__ = ["browser", "page"]


@pytest.fixture
def engine():
    return StubEngine()


@pytest.fixture
def server(engine):
    with running(engine) as server:
        yield server


@pytest.fixture
def client(server):
    with program(server) as client:
        yield client
