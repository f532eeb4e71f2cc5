"""Bridges without a wire, as test suites drive them: frames by command, time by command."""
import pytest
from lab import eventually

ICMP = ("in_port(1),eth(src=50:54:00:00:00:0{src},dst=50:54:00:00:00:0{dst}),eth_type(0x0800),"
        "ipv4(src=10.0.0.1,dst=10.0.0.2,proto=1,tos=0,ttl=64,frag=no),icmp(type=8,code=0)")


@pytest.fixture
def dummy(lab):
    sw = lab.switch(start=False)
    sw.vswitchd_options = ["--enable-dummy=override", "--disable-system"]
    sw.start()
    sw.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", "fail-mode=standalone",
             "other-config:datapath-id=fedcba9876543210", "other-config:hwaddr=aa:55:aa:55:00:00",
             "--", "add-port", "br0", "p1", "--", "set", "interface", "p1", "type=dummy", "ofport_request=1",
             "--", "add-port", "br0", "p2", "tag=7", "--", "set", "interface", "p2", "type=dummy", "ofport_request=2",
             "--", "add-port", "br0", "pi", "--", "set", "interface", "pi", "type=internal")
    return sw


def test_what_there_is(dummy):
    lines = dummy.appctl("dpif/show").splitlines()
    assert lines[0].startswith("dummy@ovs-dummy: hit:")
    assert lines[1:] == ["  br0:", "    br0 65534/100: (dummy-internal)", "    p1 1/1: (dummy)", "    p2 2/2: (dummy)",
                         "    pi 3/3: (dummy-internal)"]
    assert dummy.appctl("ofproto/list") == "br0"
    assert dummy.appctl("dpif/dump-dps") == "dummy@br0"
    assert dummy.appctl("dpctl/dump-dps") == "dummy@ovs-dummy"
    assert dummy.get("Bridge", "br0", "datapath_id") == "fedcba9876543210"
    assert "  port 1: p1 (dummy)" in dummy.appctl("dpctl/show")
    assert dummy.interface("p1")["ofport"] == 1
    assert "dummy" in dummy.rows("Open_vSwitch", "datapath_types")[0]["datapath_types"]


def test_a_frame_by_command_is_learned_and_forwarded(dummy):
    dummy.appctl("netdev-dummy/receive", "p1", ICMP.format(src=1, dst=2))
    eventually(lambda: "50:54:00:00:00:01" in dummy.appctl("fdb/show", "br0"))
    assert dummy.appctl("fdb/show", "br0").splitlines()[1].split()[:3] == ["1", "0", "50:54:00:00:00:01"]
    eventually(lambda: "in_port(1)" in dummy.appctl("dpctl/dump-flows"))
    dummy.appctl("netdev-dummy/receive", "p2", ICMP.format(src=2, dst=1))
    eventually(lambda: "50:54:00:00:00:02" in dummy.appctl("fdb/show", "br0"))
    dummy.appctl("netdev-dummy/receive", "p2", "505400000001" "505400000002" "88b5" + "00" * 46)


def test_refusals_in_the_field_s_words(dummy):
    def fails(*words):
        return dummy.appctl(*words, check=False).stderr.splitlines()[0]

    assert fails("fdb/show", "nope") == "no such bridge"
    assert fails("netdev-dummy/receive", "nope", "00") == "no such dummy netdev"
    assert fails("ofproto/trace", "nope", "in_port=1") == "nope: unknown bridge"
    assert fails("ofproto/trace", "br0", "foo=1").startswith("Bad openflow flow syntax: foo=1: ")
    assert fails("fdb/add", "br0", "p1", "0", "xx") == "bad MAC address"
    assert fails("fdb/del", "br0", "0", "00:00:00:00:00:09") == "could not find static mac entry"
    assert fails("bond/show", "nope") == "no such bond"
    assert fails("bridge/reconnect", "nope") == "Unknown bridge"
    assert fails("time/warp", "x") == "invalid MSECS"


def test_static_entries(dummy):
    dummy.appctl("fdb/add", "br0", "p1", "0", "50:54:00:00:00:09")
    assert dummy.appctl("fdb/show", "br0").splitlines()[1].split() == ["1", "0", "50:54:00:00:00:09", "static"]
    assert dummy.appctl("fdb/flush", "br0") == "table successfully flushed"
    assert "50:54:00:00:00:09" in dummy.appctl("fdb/show", "br0")
    assert "Current static MAC entries in the table : 1" in dummy.appctl("fdb/stats-show", "br0")
    dummy.appctl("fdb/del", "br0", "0", "50:54:00:00:00:09")
    assert "50:54:00:00:00:09" not in dummy.appctl("fdb/show", "br0")


def test_trace(dummy):
    dummy.appctl("netdev-dummy/receive", "p2", ICMP.format(src=2, dst=3))
    eventually(lambda: "50:54:00:00:00:02" in dummy.appctl("fdb/show", "br0"))
    text = dummy.appctl("ofproto/trace", "br0", "in_port=1,dl_dst=50:54:00:00:00:02,dl_vlan=7")
    assert 'bridge("br0")' in text
    assert "forwarding to learned port" in text
    assert text.splitlines()[-1] == "Datapath actions: pop_vlan,2"
    text = dummy.appctl("ofproto/trace", "br0", "in_port=1,dl_dst=50:54:00:00:00:0f")
    assert "no learned MAC for destination, flooding" in text
    assert sorted(text.splitlines()[-1].removeprefix("Datapath actions: ").split(",")) == ["100", "3"]
    text = dummy.appctl("ofproto/trace", "ovs-dummy", "in_port(1),eth(src=50:54:00:00:00:05,dst=50:54:00:00:00:0f),eth_type(0x1234)")
    assert text.splitlines()[-1].startswith("Datapath actions: ")


def test_addresses_age_by_the_clock_of_the_test(dummy):
    dummy.appctl("time/stop")
    dummy.appctl("netdev-dummy/receive", "p1", ICMP.format(src=1, dst=2))
    eventually(lambda: "50:54:00:00:00:01" in dummy.appctl("fdb/show", "br0"))
    assert dummy.appctl("time/warp", "100000", "10000") == "warped"
    assert 95 <= int(dummy.appctl("fdb/show", "br0").splitlines()[1].split()[3]) <= 105
    dummy.appctl("time/warp", "250000", "10000")
    assert "50:54:00:00:00:01" not in dummy.appctl("fdb/show", "br0")


def test_admin_state_by_command(dummy):
    assert dummy.appctl("netdev-dummy/set-admin-state", "p1", "down") == "OK"
    eventually(lambda: dummy.interface("p1")["admin_state"] == "down")
    dummy.appctl("netdev-dummy/set-admin-state", "p1", "up")
    eventually(lambda: dummy.interface("p1")["admin_state"] == "up")


@pytest.mark.ours_only("drops/ is ours")
def test_drops_have_names(dummy):
    dummy.appctl("netdev-dummy/receive", "p2", "0180c2000000" "020000000001" "88b5" + "00" * 46)
    eventually(lambda: "reserved_multicast" in dummy.appctl("drops/show"))
    assert "port p2" in dummy.appctl("drops/last")
