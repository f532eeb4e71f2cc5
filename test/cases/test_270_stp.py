"""The spanning tree protocol, with ourselves, with Debian's Open vSwitch and with the kernel's bridge."""
import time

import pytest

import lab as lab_module
from lab import Failed, eventually, run

FAST = ("stp_enable=true", "other_config:stp-forward-delay=4", "other_config:stp-max-age=6", "other_config:stp-hello-time=1")


def speaks(sw, priority):
    sw.add_bridge("br0", *FAST, f"other_config:stp-priority={priority}")


def status(sw, table, name):
    return next(row["status"] for row in sw.rows(table) if row["name"] == name)


def state(sw, port):
    return status(sw, "Port", port).get("stp_state")


def settled(sw, *ports):
    return all(state(sw, p) in ("forwarding", "blocking") for p in ports)


def two_cables(lab, near, far):
    for name in ("x", "y"):
        lab.cable(near, name, far, name)
        near.add_port("br0", name)
        if hasattr(far, "add_port"):
            far.add_port("br0", name)


def check_ring(lab, near, far):
    """Two switches with two cables: one way is used, and the other one when that is cut."""
    a, b = lab.host("a", near), lab.host("b", far)
    near.add_port("br0", "a")
    far.add_port("br0", "b")
    eventually(lambda: settled(near, "x", "y", "a") and settled(far, "x", "y", "b"), 30, 0.3)
    states = sorted([state(near, "x"), state(near, "y"), state(far, "x"), state(far, "y")])
    assert states == ["blocking"] + ["forwarding"] * 3
    assert a.pings(b)
    used = "x" if state(near, "x") == state(far, "x") == "forwarding" else "y"
    near.inside("ip", "link", "set", "dev", used, "down")
    eventually(lambda: a.pings(b, count=1), 30, 0.5)
    near.inside("ip", "link", "set", "dev", used, "up")
    time.sleep(1)
    eventually(lambda: settled(near, "x", "y") and settled(far, "x", "y"), 40, 0.3)
    assert a.pings(b)


def test_two_of_us(lab, sw):
    far = lab.switch(name="far")
    speaks(sw, 0x7000)
    speaks(far, 0x8000)
    two_cables(lab, sw, far)
    check_ring(lab, sw, far)


@pytest.mark.parametrize("ours", [0x7000, 0x9000], ids=["we-are-the-root", "they-are-the-root"])
def test_with_open_vswitch(lab, sw, ours):
    far = lab.switch(lab_module.PEER, name="far")
    speaks(sw, ours)
    speaks(far, 0x8000)
    two_cables(lab, sw, far)
    check_ring(lab, sw, far)
    mine, theirs = status(sw, "Bridge", "br0"), status(far, "Bridge", "br0")
    assert mine["stp_designated_root"] == theirs["stp_designated_root"]


def test_with_the_kernels_bridge(lab, sw):
    ns = lab.namespace("kbr")
    try:
        run("ip", "-n", ns, "link", "add", "kbr0", "type", "bridge", "stp_state", "1", "forward_delay", "400", "hello_time", "100",
            "max_age", "600", "priority", "4096")
    except Failed as e:
        pytest.skip(f"this kernel has no bridge that speaks STP: {e.err.strip()}")
    speaks(sw, 0x8000)
    for name in ("x", "y"):
        run("ip", "-n", sw.ns, "link", "add", name, "type", "veth", "peer", "name", name, "netns", ns)
        run("ip", "-n", sw.ns, "link", "set", "dev", name, "up")
        run("ip", "-n", ns, "link", "set", "dev", name, "master", "kbr0", "up")
        sw.add_port("br0", name)
    run("ip", "-n", ns, "link", "set", "dev", "kbr0", "up")
    eventually(lambda: sorted([state(sw, "x") or "", state(sw, "y") or ""]) == ["blocking", "forwarding"], 30, 0.3)
    roles = {status(sw, "Port", p)["stp_role"] for p in "xy"}
    assert roles == {"root", "alternate"}
    assert status(sw, "Bridge", "br0")["stp_designated_root"].startswith("1000.")
