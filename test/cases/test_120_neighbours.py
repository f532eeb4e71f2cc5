"""A trunk to somebody else's switch: Debian's Open vSwitch, and the kernel's bridge."""
import pytest

import lab as lab_module
from lab import Failed, run


def test_a_trunk_to_open_vswitch(lab, br0):
    far = lab.switch(lab_module.PEER, name="far")
    far.add_bridge("br0")
    lab.cable(br0, "uplink", far, "uplink")
    br0.add_port("br0", "uplink", "trunks=10,20")
    far.add_port("br0", "uplink")
    near5, near6 = lab.host("n5", br0), lab.host("n6", br0)
    far5, far6 = lab.host("f5", far), lab.host("f6", far)
    for sw, host, tag in ((br0, near5, 10), (br0, near6, 20), (far, far5, 10), (far, far6, 20)):
        sw.add_port("br0", host.cable, f"tag={tag}")
    assert near5.pings(far5) and far6.pings(near6)
    assert not near5.pings(far6, count=2) and not far5.pings(near6, count=2)
    # A tunnel port sees whole tags, as the far end means them.
    with br0.capture("uplink") as capture:
        far5.pings(near5)
        capture.frames(1, lambda f: f.vlans == [10])
    assert {tuple(f.vlans) for f in capture.frames(where=lambda f: f.src == far5.mac)} == {(10,)}


def test_a_trunk_to_the_kernels_bridge(lab, br0):
    ns = lab.namespace("kbr")
    try:
        run("ip", "-n", ns, "link", "add", "kbr0", "type", "bridge", "vlan_filtering", "1")
    except Failed as e:
        pytest.skip(f"this kernel has no bridge that filters VLANs: {e.err.strip()}")
    far5, far6 = lab.host("f5"), lab.host("f6")
    run("ip", "-n", br0.ns, "link", "add", "uplink", "type", "veth", "peer", "name", "uplink", "netns", ns)
    run("ip", "-n", br0.ns, "link", "set", "dev", "uplink", "up")
    for host, tag in ((far5, 10), (far6, 20)):
        host.plug_into(ns, host.name)
    for port in ("uplink", "f5", "f6"):
        run("ip", "-n", ns, "link", "set", "dev", port, "master", "kbr0", "up")
        run("bridge", "-n", ns, "vlan", "del", "dev", port, "vid", 1)
    for tag in (10, 20):
        run("bridge", "-n", ns, "vlan", "add", "dev", "uplink", "vid", tag)
    run("bridge", "-n", ns, "vlan", "add", "dev", "f5", "vid", 10, "pvid", "untagged")
    run("bridge", "-n", ns, "vlan", "add", "dev", "f6", "vid", 20, "pvid", "untagged")
    run("ip", "-n", ns, "link", "set", "dev", "kbr0", "up")
    br0.add_port("br0", "uplink", "trunks=10,20")
    near5, near6 = lab.host("n5", br0), lab.host("n6", br0)
    br0.add_port("br0", "n5", "tag=10")
    br0.add_port("br0", "n6", "tag=20")
    assert near5.pings(far5) and far6.pings(near6)
    assert not near5.pings(far6, count=2) and not far5.pings(near6, count=2)


@pytest.mark.parametrize("db, daemon", [(lab_module.PEER, lab_module.OURS), (lab_module.OURS, lab_module.PEER)])
@pytest.mark.ours_only("it mixes both")
def test_one_half_is_debians(lab, db, daemon):
    """Our switch served by Debian's database server, and the other way round."""
    sw = lab.switch(daemon, db=db, tools=lab_module.PEER)
    sw.add_bridge("br0")
    a, b = lab.host("a", sw), lab.host("b", sw)
    sw.add_port("br0", "a", "tag=3")
    sw.add_port("br0", "b", "tag=3")
    assert a.pings(b)
    assert sw.interface("a")["ofport"] > 0


@pytest.mark.parametrize("tools", [lab_module.OURS, lab_module.PEER])
@pytest.mark.ours_only("it is about our tools")
def test_either_ovs_vsctl_drives_it(lab, tools):
    sw = lab.switch(tools=tools)
    sw.add_bridge("br0")
    a, b = lab.host("a", sw), lab.host("b", sw)
    sw.vsctl("add-port", "br0", "a", "--", "add-port", "br0", "b")
    assert sw.vsctl("list-ports", "br0").split() == ["a", "b"]
    assert a.pings(b)
