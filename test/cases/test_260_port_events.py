"""What controllers are told of ports, and what they change."""
import re
import subprocess

import pytest
from lab import PEER, eventually, frame


def config(sw, port):
    """The line 'config:' of ovs-ofctl show."""
    text = sw.ofctl("show", "br0")
    return re.search(rf" \w+\({port}\): .*\n +config: +(.*)", text).group(1)


def test_no_flood_and_back(lab, br0):
    a, b, c = (lab.host(n, br0) for n in "abc")
    for h in (a, b, c):
        br0.add_port("br0", h.cable)
    assert config(br0, "c") == "0"
    br0.ofctl("mod-port", "br0", "c", "no-flood")
    assert config(br0, "c") == "NO_FLOOD"
    with b.capture() as at_b, c.capture() as at_c:
        a.send(frame(payload=b"first"))
        at_b.frames(1, lambda f: f.payload.startswith(b"first"))
        br0.ofctl("mod-port", "br0", "c", "flood")
        a.send(frame(payload=b"last"))
        at_c.frames(1, lambda f: f.payload.startswith(b"last"))
    assert not [f for f in at_c.frames() if f.payload.startswith(b"first")]
    assert config(br0, "c") == "0"


def test_down_and_up(lab, br0):
    a, b = lab.host("a", br0), lab.host("b", br0)
    br0.add_port("br0", "a")
    br0.add_port("br0", "b")
    assert a.pings(b)
    br0.ofctl("mod-port", "br0", "b", "down")
    eventually(lambda: br0.interface("b")["admin_state"] == "down")
    assert not a.pings(b, count=1)
    assert config(br0, "b") == "PORT_DOWN"
    br0.ofctl("mod-port", "br0", "b", "up")
    assert eventually(lambda: a.pings(b))


def test_no_receive_and_no_forward(lab, br0):
    a, b = lab.host("a", br0), lab.host("b", br0)
    br0.add_port("br0", "a")
    br0.add_port("br0", "b")
    assert a.pings(b)
    for word in ("receive", "forward"):
        br0.ofctl("mod-port", "br0", "b", "no-" + word)
        assert not a.pings(b, count=1)
        br0.ofctl("mod-port", "br0", "b", word)
        assert eventually(lambda: a.pings(b))


def test_port_status_messages(lab, br0):
    out = br0.dir / "monitor.out"
    process = subprocess.Popen(["ip", "netns", "exec", br0.ns, br0.program("ovs-ofctl", PEER), "-O", "OpenFlow13", "monitor", "br0", "65534"], env=br0.env,
                               stdout=out.open("w"), stderr=subprocess.STDOUT)
    lab.defer(process.kill)
    heard = lambda words: any(all(w in message for w in words) for message in out.read_text().split("OFPT_PORT_STATUS"))
    host = lab.host("a", br0)

    def added():
        br0.vsctl("--if-exists", "del-port", "a", "--", "--may-exist", "add-port", "br0", "x", "--", "set", "interface", "x", "type=internal")
        br0.vsctl("--if-exists", "del-port", "x")
        return heard(["ADD", "(x)"])

    eventually(added)
    assert heard(["DEL", "(x)"])
    br0.add_port("br0", "a")
    eventually(lambda: heard(["ADD", "1(a)"]) or heard(["ADD", "(a)"]))
    host.run("ip", "link", "set", "dev", "eth0", "down")
    eventually(lambda: heard(["MOD", "(a)", "LINK_DOWN"]))
    br0.vsctl("set", "interface", "a", "ofport_request=50")
    eventually(lambda: heard(["ADD", "50(a)"]))


@pytest.mark.ours_only("the field looks at every row each time")
def test_a_controller_s_new_target_is_called(lab, br0):
    br0.vsctl("set-controller", "br0", "tcp:127.0.0.1:1")
    uuid = br0.vsctl("get", "bridge", "br0", "controller").strip("[]")
    br0.vsctl("set", "controller", uuid, "target=\"ptcp:7654\"")
    eventually(lambda: "OFPST_DESC" in br0.inside(br0.program("ovs-ofctl", PEER), "dump-desc", "tcp:127.0.0.1:7654", check=False).stdout)
