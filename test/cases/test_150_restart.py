"""Programs that end and come back."""
import pytest

from lab import eventually


def two(lab, sw):
    sw.add_bridge("br0")
    a, b = lab.host("a", sw), lab.host("b", sw)
    sw.add_port("br0", "a", "tag=7")
    sw.add_port("br0", "b", "tag=7")
    sw.vsctl("set", "bridge", "br0", "other_config:mac-aging-time=33", "external_ids:k=v")
    assert a.pings(b)
    return a, b


def numbers(sw):
    return {r["name"]: r["ofport"] for r in sw.rows("Interface", "name", "ofport")}


def test_the_switch_restarts_with_its_configuration(lab, sw):
    a, b = two(lab, sw)
    before = numbers(sw)
    sw.stop_daemon()
    assert sw.pid("ovs-vswitchd") is None
    sw.start_daemon()
    eventually(lambda: a.pings(b, count=1))
    assert numbers(sw) == before
    assert sw.get("bridge", "br0", "other_config:mac-aging-time").strip('"') == "33"


def test_the_switch_is_killed(lab, sw):
    a, b = two(lab, sw)
    before = numbers(sw)
    sw.kill("ovs-vswitchd")
    sw.start_daemon()
    eventually(lambda: a.pings(b, count=1))
    assert numbers(sw) == before


@pytest.mark.ours_only("the peer's datapath stands still while it has lost its database")
def test_the_database_is_killed_and_traffic_goes_on(lab, sw):
    a, b = two(lab, sw)
    sw.kill("ovsdb-server")
    assert a.pings(b)
    sw.start_db()
    assert sw.vsctl("list-ports", "br0").split() == ["a", "b"]
    assert sw.get("port", "a", "tag") == "7"
    c = lab.host("c", sw)
    sw.add_port("br0", "c", "tag=7")
    eventually(lambda: a.pings(c, count=1))


def test_exit_with_cleanup_leaves_no_devices(lab, sw):
    two(lab, sw)
    sw.add_bridge("br1")
    sw.vsctl("add-port", "br1", "in0", "--", "set", "interface", "in0", "type=internal")
    eventually(lambda: {"br0", "br1", "in0"} <= set(sw.devices()))
    sw.stop()
    left = set(sw.devices())
    assert not left & {"br0", "br1", "in0"}
    assert {"a", "b"} <= left  # those are not the switch's


def test_a_second_instance_is_refused(lab, sw):
    sw.add_bridge("br0")
    done = sw.inside(sw.program("ovs-vswitchd"), "unix:" + str(sw.dir / "db.sock"), "--pidfile", "--detach", "--no-chdir",
                     "-vconsole:off", check=False)
    assert done.returncode != 0
    assert sw.vsctl("list-br") == "br0"
