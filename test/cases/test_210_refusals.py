"""What cannot be made says why, and nothing else changes."""
import pytest
from lab import OURS, PEER, Failed, eventually


def refused(sw, *words):
    """ovs-vsctl's complaint about a line that was carried out but could not be made; ours and newer field tools exit with 65."""
    done = sw.vsctl(*words, check=False)
    assert done.returncode in (0, 65)
    return done.stderr


@pytest.fixture
def quiet(lab, br0):
    """A bridge with two hosts that must go on talking whatever is refused."""
    a, b = lab.host("a", br0), lab.host("b", br0)
    br0.add_port("br0", "a")
    br0.add_port("br0", "b")
    br0.numbers = lambda: {r["name"]: r["ofport"] for r in br0.rows("Interface") if r["name"] in ("a", "b", "br0")}
    before = br0.numbers()
    yield br0
    assert a.pings(b)
    assert br0.numbers() == before


def test_a_device_that_is_not_there(quiet):
    assert "could not open network device nope (No such device)" in refused(quiet, "add-port", "br0", "nope")
    row = quiet.interface("nope")
    assert (row["ofport"], row["error"]) == (-1, "could not open network device nope (No such device)")
    assert row["statistics"] == {} and row["mac_in_use"] == [] and row["admin_state"] == []


def test_a_name_of_sixteen_characters(quiet):
    refused(quiet, "add-port", "br0", "abcdefghijklmnop")
    row = quiet.interface("abcdefghijklmnop")
    assert row["ofport"] == -1 and "abcdefghijklmnop" in row["error"]


def test_an_unknown_type(quiet):
    refused(quiet, "add-port", "br0", "x", "--", "set", "interface", "x", "type=quantum")
    assert quiet.interface("x")["error"] == "could not open network device x (Address family not supported by protocol)"


def test_patch_ports_without_sense(quiet):
    refused(quiet, "add-port", "br0", "p1", "--", "set", "interface", "p1", "type=patch")
    assert quiet.interface("p1")["error"] == "p1: patch type requires valid 'peer' argument"
    refused(quiet, "add-port", "br0", "p2", "--", "set", "interface", "p2", "type=patch", "options:peer=p2")
    assert quiet.interface("p2")["error"] == "p2: patch peer must not be self"
    quiet.add_bridge("br1")
    quiet.add_port("br1", "p3", "--", "set", "interface", "p3", "type=patch", "options:peer=p2", "--", "set", "interface", "p2", "options:peer=p3")
    eventually(lambda: quiet.interface("p2")["error"] == [] and quiet.interface("p3")["error"] == [])


def test_a_datapath_type_that_is_unknown(quiet):
    done = quiet.vsctl("add-br", "br9", "--", "set", "bridge", "br9", "datapath_type=quantum", check=False)
    assert "br9" in done.stderr
    assert "br9" not in quiet.devices()
    quiet.vsctl("set", "bridge", "br9", "datapath_type=netdev")
    assert "br9" in quiet.devices()
    assert quiet.interface("br9")["ofport"] == 65534 and quiet.interface("br9")["error"] == []


def test_a_port_on_two_bridges(quiet):
    with pytest.raises(Failed):
        quiet.vsctl("add-br", "br1", "--", "add-port", "br1", "a")
    quiet.add_bridge("br1")
    uuid = quiet.vsctl("get", "port", "a", "_uuid")
    refused(quiet, "add", "bridge", "br1", "ports", uuid)
    eventually(lambda: "a" in quiet.log())
    quiet.vsctl("remove", "bridge", "br1", "ports", uuid)


@pytest.mark.ours_only("the field's log says it in other words")
def test_what_is_not_served_is_told(quiet):
    quiet.vsctl("set", "bridge", "br0", "mcast_snooping_enable=true")
    eventually(lambda: "mcast_snooping_enable" in quiet.get("Bridge", "br0", "status"))
    assert any("not served" in line and "mcast_snooping_enable" in line for line in quiet.complaints())
    quiet.vsctl("set", "bridge", "br0", "mcast_snooping_enable=false")
    eventually(lambda: quiet.get("Bridge", "br0", "status") == "{}")
    quiet.vsctl("set", "interface", "a", "ingress_policing_rate=1000")
    eventually(lambda: "ingress_policing_rate" in quiet.get("Interface", "a", "status"))


@pytest.mark.ours_only("the field's second switch never comes up")
def test_two_switches_on_one_database(lab, quiet):
    second = quiet.inside(quiet.program("ovs-vswitchd"), "unix:" + str(quiet.dir / "db.sock"), "--pidfile=" + str(quiet.dir / "second.pid"),
                          "--unixctl=" + str(quiet.dir / "second.ctl"), "--log-file=" + str(quiet.dir / "second.log"), "--detach", "--no-chdir",
                          "-vconsole:off", check=False)
    try:
        assert second.returncode == 0
        assert quiet.vsctl("add-port", "br0", "i9", "--", "set", "interface", "i9", "type=internal") == ""
        assert quiet.inside(quiet.program("ovs-appctl"), "-t", str(quiet.dir / "second.ctl"), "ofproto/list") == ""
    finally:
        quiet.inside(quiet.program("ovs-appctl"), "-t", str(quiet.dir / "second.ctl"), "exit")
