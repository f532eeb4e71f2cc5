"""Devices that come and go, and what the database says of them."""
import json

import pytest

from lab import OURS, eventually, run


@pytest.mark.ours_only("with datapath_type=netdev the peer does not notice")
def test_a_device_that_vanishes_and_returns(lab, br0):
    a, b = lab.host("a", br0), lab.host("b", br0)
    br0.add_port("br0", "a")
    br0.add_port("br0", "b")
    assert a.pings(b)
    run("ip", "-n", b.ns, "link", "del", "eth0")
    eventually(lambda: br0.interface("b")["ofport"] == -1 and br0.interface("b")["error"])
    assert not a.pings(b, count=1)
    b.plug_into(br0.ns, "b")
    eventually(lambda: a.pings(b, count=1))
    assert not br0.interface("b")["error"]
    assert br0.vsctl("list-ports", "br0").split() == ["a", "b"]


def test_a_device_that_is_not_there_yet(lab, br0):
    done = br0.vsctl("add-port", "br0", "late", check=False)
    assert "late" in done.stderr and done.returncode == (65 if br0.tools == OURS else 0)  # 65 since Open vSwitch 3.6
    row = br0.interface("late")
    assert row["ofport"] == -1 and row["error"]
    a = lab.host("a", br0)
    br0.add_port("br0", "a")
    late = lab.host("late", br0)
    eventually(lambda: a.pings(late, count=1))
    assert br0.interface("late")["error"] == [] and br0.interface("late")["ofport"] > 0


def test_link_state_and_mtu_are_followed(lab, br0):
    a = lab.host("a", br0)
    br0.add_port("br0", "a")
    eventually(lambda: br0.interface("a")["link_state"] == "up")
    row = br0.interface("a")
    assert row["admin_state"] == "up" and row["mtu"] == 1500 and row["ifindex"] > 0
    (link,) = json.loads(br0.inside("ip", "-j", "link", "show", "dev", "a"))
    assert row["mac_in_use"] == link["address"] and row["ifindex"] == link["ifindex"]
    run("ip", "-n", a.ns, "link", "set", "dev", "eth0", "down")
    eventually(lambda: br0.interface("a")["link_state"] == "down")
    run("ip", "-n", a.ns, "link", "set", "dev", "eth0", "up")
    eventually(lambda: br0.interface("a")["link_state"] == "up")
    br0.inside("ip", "link", "set", "dev", "a", "mtu", "1400")
    eventually(lambda: br0.interface("a")["mtu"] == 1400)


def test_statistics_count(lab, br0):
    a, b = lab.host("a", br0), lab.host("b", br0)
    br0.add_port("br0", "a")
    br0.add_port("br0", "b")
    assert a.pings(b, count=20, interval=0.01)
    eventually(lambda: br0.interface("a")["statistics"].get("rx_packets", 0) >= 20
               and br0.interface("b")["statistics"].get("tx_bytes", 0) >= 20 * 98, timeout=15)


@pytest.mark.ours_only("the peer's users add a firewall rule against this")
def test_the_hosts_own_stack_does_not_answer(lab, br0):
    """An address left on an attached device must not make this machine answer beside the guest that has it."""
    a, b = lab.host("a", br0), lab.host("b", br0)
    br0.add_port("br0", "a")
    br0.add_port("br0", "b")
    br0.inside("ip", "address", "add", "10.0.0.99/24", "dev", "a")
    assert not a.pings("10.0.0.99", count=2)
    assert a.pings(b)


def test_requests_are_honoured(lab, br0):
    lab.host("a", br0)
    br0.vsctl("add-port", "br0", "a", "--", "set", "interface", "a", "ofport_request=77", "mtu_request=1420")
    eventually(lambda: br0.interface("a")["mtu"] == 1420)
    assert br0.interface("a")["ofport"] == 77
