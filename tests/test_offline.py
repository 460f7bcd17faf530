"""The tests reach nothing beyond this machine, and a library with a known hole is refused."""

import subprocess
import sys

import pytest

from bridge.floors import Floor, require_sound

ASK = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)"


def test_an_address_beyond_this_machine_is_refused_here():
    with pytest.raises(ConnectionRefusedError, match="tests are offline"):
        exec(ASK)


def test_an_address_beyond_this_machine_is_refused_in_what_a_test_starts():
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=False)
    assert "tests are offline" in done.stderr


@pytest.mark.parametrize("floor", [Floor("999", "a hole"), Floor("1", "a hole", never=(pytest.__version__,))], ids=["too old", "never"])
def test_a_library_with_a_known_hole_is_refused_with_the_version_to_install(floor):
    with pytest.raises(ImportError, match=rf"pytest: found version {pytest.__version__}, expected {floor.version} or newer.*a hole.*pip install -U pytest"):
        require_sound({"pytest": floor})


def test_what_is_installed_is_sound_and_what_is_not_installed_is_not_asked_for():
    require_sound()
    require_sound({"no-such-library": Floor("1", "a hole")})
