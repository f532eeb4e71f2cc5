"""Fixtures of the whole-product cases.

Cases are numbered from simple to complex, so that the first red one names the cause.  They run against our build (SLUICE_BUILD); with
SLUICE_PRODUCT=debian in the environment the same cases run against Debian's Open vSwitch, which shows that a case asks for what the field does.
A case that the machine truly cannot run calls pytest.skip() with the reason.
"""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import lab as lab_module  # noqa: E402


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name)  # stable: within a file the order of the file


def pytest_configure(config):
    config.addinivalue_line("markers", "ours_only(reason): says nothing about the peer")


def pytest_runtest_setup(item):
    mark = item.get_closest_marker("ours_only")
    if mark and os.environ.get("SLUICE_PRODUCT") == lab_module.PEER:
        pytest.skip("about sluice only: " + (mark.args[0] if mark.args else "a command of its own"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    setattr(item, "report_" + call.when, outcome.get_result())


@pytest.fixture
def lab(request):
    """An empty Lab.  When the case fails, the ends of the programs' logs are shown."""
    it = lab_module.Lab()
    yield it
    failed = any(getattr(request.node, "report_" + when, None) and getattr(request.node, "report_" + when).failed for when in ("setup", "call"))
    if failed:
        for log in sorted(it.dir.rglob("*.log")):
            lines = log.read_text(errors="replace").splitlines()
            print(f"---- {log.name}, last {min(len(lines), 40)} of {len(lines)} lines")
            print("\n".join(lines[-40:]))
    it.close(keep=failed and bool(os.environ.get("SLUICE_KEEP")))


@pytest.fixture
def sw(lab):
    """A running switch with nothing configured."""
    return lab.switch()


@pytest.fixture
def br0(sw):
    """A running switch with one bridge, br0."""
    sw.add_bridge("br0")
    return sw
