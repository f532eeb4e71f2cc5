"""Programs and devices that go and come back."""
import pytest
from lab import OURS, PEER, eventually, run


def plug_in(sw, *names):
    for name in names:
        sw.add_port("br0", name)


def test_a_restart_keeps_configuration_and_numbers(lab, br0):
    a, b, c = (lab.host(n, br0) for n in "abc")
    plug_in(br0, "c", "b", "a")
    br0.add_port("br0", "i", "tag=9", "--", "set", "interface", "i", "type=internal")
    br0.vsctl("del-port", "b", "--", "add-port", "br0", "b", "tag=4095")
    br0.vsctl("set", "port", "b", "tag=[]")
    numbers = {r["name"]: r["ofport"] for r in br0.rows("Interface")}
    (identity,) = {r["datapath_id"] for r in br0.rows("Bridge")}
    br0.stop_daemon()
    br0.start_daemon()
    assert {r["name"]: r["ofport"] for r in br0.rows("Interface")} == numbers
    assert a.pings(c) and a.pings(b)
    if br0.whose["ovs-vswitchd"] == OURS:  # the field's is made up anew each time
        assert {r["datapath_id"] for r in br0.rows("Bridge")} == {identity}


@pytest.mark.ours_only("the field's taps go with its process")
def test_addresses_of_the_local_port_survive_a_restart(lab, br0):
    a = lab.host("a", br0)
    plug_in(br0, "a")
    br0.inside("ip", "address", "add", "10.0.0.100/24", "dev", "br0")
    br0.inside("ip", "link", "set", "dev", "br0", "up")
    assert a.pings("10.0.0.100")
    br0.stop_daemon()
    br0.start_daemon()
    assert eventually(lambda: a.pings("10.0.0.100"))


def test_kill_9_and_a_new_start(lab, br0):
    a, b = lab.host("a", br0), lab.host("b", br0)
    plug_in(br0, "a", "b")
    br0.kill("ovs-vswitchd")
    br0.start_daemon()
    assert a.pings(b)


def test_exit_cleanup_leaves_nothing(lab, br0):
    lab.host("a", br0)
    plug_in(br0, "a")
    br0.add_port("br0", "i", "--", "set", "interface", "i", "type=internal")
    br0.add_bridge("br1")
    br0.stop_daemon(cleanup=True)
    assert sorted(br0.devices()) == ["a", "lo"]
    assert not list(br0.dir.glob("ovs-vswitchd.*.ctl")) and not (br0.dir / "ovs-vswitchd.pid").exists()


def test_the_database_goes_and_comes_back(lab, br0):
    a, b = lab.host("a", br0), lab.host("b", br0)
    plug_in(br0, "a", "b")
    assert a.pings(b)
    br0.stop_db()
    assert a.pings(b)
    br0.start_db()
    br0.add_port("br0", "i", "--", "set", "interface", "i", "type=internal")
    assert br0.interface("i")["ofport"] == 3
    br0.vsctl("del-port", "b")
    assert not a.pings(b, count=1)


def test_a_device_that_comes_later(lab, br0):
    a = lab.host("a", br0)
    plug_in(br0, "a")
    br0.vsctl("add-port", "br0", "late", check=False)
    assert br0.interface("late")["ofport"] == -1
    b = lab.host("b", br0, device="late")
    eventually(lambda: br0.interface("late")["ofport"] == 2)
    assert br0.interface("late")["error"] == []
    assert eventually(lambda: a.pings(b))


@pytest.mark.ours_only("the field's user-space datapath does not notice")
def test_a_device_that_is_unplugged_and_returns(lab, br0):
    a, b = lab.host("a", br0), lab.host("b", br0)
    plug_in(br0, "a", "b")
    assert a.pings(b)
    run("ip", "-n", br0.ns, "link", "del", "dev", "b")
    eventually(lambda: br0.interface("b")["ofport"] == -1)
    assert "could not open network device b (No such device)" == br0.interface("b")["error"]
    b.plug_into(br0.ns, "b")
    eventually(lambda: br0.interface("b")["error"] == [])
    assert eventually(lambda: a.pings(b))
    if br0.whose["ovs-vswitchd"] == OURS:  # its number waited for it
        assert br0.interface("b")["ofport"] == 2


def test_deleting_the_local_device_does_not_wedge(lab, br0):
    br0.inside("ip", "link", "del", "br0")
    br0.vsctl("del-br", "br0")
    br0.add_bridge("br0")
    assert "br0" in br0.devices()
    assert br0.interface("br0")["ofport"] == 65534


def test_two_hundred_ports(lab, br0):
    words = []
    for i in range(200):
        words += ["--", "add-port", "br0", f"i{i}", "--", "set", "interface", f"i{i}", "type=internal"]
    br0.vsctl(*words[1:])
    numbers = {r["name"]: r["ofport"] for r in br0.rows("Interface", "name", "ofport")}
    assert len(set(numbers.values())) == 201
    br0.stop_daemon()
    br0.start_daemon()
    assert {r["name"]: r["ofport"] for r in br0.rows("Interface", "name", "ofport")} == numbers


def test_ports_deleted_in_the_middle_of_a_storm(lab, br0):
    """Two cables from the bridge to itself: every broadcast goes round for ever."""
    for i in (1, 2):
        br0.inside("ip", "link", "add", f"v{i}", "type", "veth", "peer", "name", f"w{i}")
        for end in "vw":
            br0.inside("ip", "link", "set", f"{end}{i}", "up")
            br0.add_port("br0", f"{end}{i}")
    for i in range(30):
        br0.add_port("br0", f"i{i}", "--", "set", "interface", f"i{i}", "type=internal")
    eventually(lambda: br0.interface("v1")["statistics"].get("rx_packets", 0) > 1000, 15, 0.2)
    br0.vsctl("del-port", "w2")
    br0.vsctl("del-br", "br0")
    assert br0.pid("ovs-vswitchd") and br0.appctl("ofproto/list") == ""
