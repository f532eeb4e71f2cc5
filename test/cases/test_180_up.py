"""sluice up, down and status: the supervisor, by what a user sees."""
import json
import os
import pathlib
import signal
import subprocess

import pytest

import lab as lab_module
from lab import eventually

pytestmark = pytest.mark.ours_only("'sluice' is ours alone")


class Instance:
    """Commands inside a namespace, with directories of its own; nothing runs yet."""

    def __init__(self, lab, name="in"):
        self.sw = lab.switch(name=name, start=False)
        self.dir = self.sw.dir
        lab.defer(lambda: self.sluice("down", "--cleanup", check=False))

    def sluice(self, *words, **more):
        return self.sw.inside(str(lab_module.BUILD / "sluice"), *words, **more)

    def pid(self, name):
        return self.sw.pid(name)

    def kill(self, name):
        """kill -9, and waits until the supervisor has put another one in its place."""
        old = self.pid(name)
        os.kill(old, signal.SIGKILL)
        eventually(lambda: self.pid(name) not in (None, old) and pathlib.Path(f"/proc/{self.pid(name)}").exists(), timeout=1)


@pytest.fixture
def instance(lab):
    return Instance(lab)


def test_up_makes_everything_and_down_leaves_nothing(instance):
    done = instance.sluice("up", check=False)
    assert (done.returncode, done.stderr) == (0, "")
    sw = instance.sw
    assert sw.vsctl("list-br") == ""  # it answers as soon as the command returns
    row = sw.rows("Open_vSwitch")[0]
    assert row["db_version"] == "8.8.0" and row["external_ids"]["system-id"] and row["external_ids"]["rundir"] == str(sw.dir)
    sw.vsctl("add-br", "br0")
    assert "br0" in sw.devices()
    assert instance.sluice("down", "--cleanup", check=False).returncode == 0
    assert sw.devices() == ["lo"]
    left = {p.name for p in sw.dir.iterdir()} - {"conf.db", ".conf.db.~lock~", "sluice.log", "ovsdb-server.log", "ovs-vswitchd.log"}
    assert not left
    assert not subprocess.run(["ip", "netns", "pids", sw.ns], capture_output=True, text=True).stdout.split()


def test_up_again_is_harmless(instance):
    instance.sluice("up")
    pids = [instance.pid(n) for n in ("sluice", "ovsdb-server", "ovs-vswitchd")]
    instance.sluice("up")
    assert pids == [instance.pid(n) for n in ("sluice", "ovsdb-server", "ovs-vswitchd")]


def test_many_at_once_start_one(instance):
    with subprocess.Popen(["true"]):
        pass
    runs = [subprocess.Popen(["ip", "netns", "exec", instance.sw.ns, str(lab_module.BUILD / "sluice"), "up"], env=instance.sw.env,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(5)]
    for r in runs:
        out, err = r.communicate(timeout=30)
        assert r.returncode == 0, err
    count = subprocess.run(["ip", "netns", "pids", instance.sw.ns], capture_output=True, text=True).stdout.split()
    assert len(count) == 3


def test_down_when_nothing_runs(instance):
    assert instance.sluice("down", check=False).returncode == 0
    done = instance.sluice("status", check=False)
    assert done.returncode == 3 and "sluice up" in done.stderr


def test_what_was_configured_is_there_after_down_and_up(lab, instance):
    instance.sluice("up")
    a, b = lab.host("a", instance.sw), lab.host("b", instance.sw)
    instance.sw.vsctl("add-br", "br0", "--", "add-port", "br0", "a", "tag=4", "--", "add-port", "br0", "b", "tag=4")
    system_id = instance.sw.rows("Open_vSwitch")[0]["external_ids"]["system-id"]
    instance.sluice("down", "--cleanup")
    instance.sluice("up")
    eventually(lambda: a.pings(b, count=1))
    assert instance.sw.rows("Open_vSwitch")[0]["external_ids"]["system-id"] == system_id


def test_kill_9_is_repaired(lab, instance):
    instance.sluice("up")
    sw = instance.sw
    a, b = lab.host("a", sw), lab.host("b", sw)
    sw.vsctl("add-br", "br0", "--", "add-port", "br0", "a", "--", "add-port", "br0", "b")
    assert a.pings(b)
    instance.kill("ovs-vswitchd")
    eventually(lambda: a.pings(b, count=1), timeout=5)
    instance.kill("ovsdb-server")
    assert a.pings(b)  # the switch does not stop for the database
    sw.vsctl("set", "port", "a", "tag=7")
    eventually(lambda: not a.pings(b, count=1))
    sw.vsctl("set", "port", "b", "tag=7")
    eventually(lambda: a.pings(b, count=1))


def test_the_supervisor_itself_is_killed(lab, instance):
    """Nothing stops; the next 'up' watches over what runs."""
    instance.sluice("up")
    pids = [instance.pid(n) for n in ("ovsdb-server", "ovs-vswitchd")]
    os.kill(instance.pid("sluice"), signal.SIGKILL)
    assert instance.sw.vsctl("list-br") == ""
    instance.sluice("up")
    assert pids == [instance.pid(n) for n in ("ovsdb-server", "ovs-vswitchd")]
    instance.kill("ovs-vswitchd")
    assert instance.sluice("down", check=False).returncode == 0
    assert not subprocess.run(["ip", "netns", "pids", instance.sw.ns], capture_output=True, text=True).stdout.split()


def test_a_program_that_was_asked_to_exit_stays_down(instance):
    instance.sluice("up")
    supervisor, switch = instance.pid("sluice"), instance.pid("ovs-vswitchd")
    instance.sw.appctl("exit")
    eventually(lambda: not pathlib.Path(f"/proc/{switch}").exists())
    eventually(lambda: "stays down" in (instance.dir / "sluice.log").read_text())
    assert instance.sluice("status", check=False).returncode == 3
    instance.sluice("up")  # and this starts it again
    assert instance.pid("sluice") == supervisor and instance.pid("ovs-vswitchd") != switch
    assert instance.sluice("status", check=False).returncode == 0


def test_two_instances(lab):
    one, other = Instance(lab, "one"), Instance(lab, "two")
    one.sluice("up")
    other.sluice("up")
    one.sw.vsctl("add-br", "br0")
    other.sw.vsctl("add-br", "br1")
    assert one.sw.vsctl("list-br") == "br0" and other.sw.vsctl("list-br") == "br1"
    one.sluice("down", "--cleanup")
    assert other.sw.vsctl("list-br") == "br1"


def test_a_reason_when_it_cannot_start(instance):
    instance.sw.conf.write_text("this is no database\n")
    done = instance.sluice("up", "--timeout=5", check=False)
    assert done.returncode == 1
    assert "database" in done.stderr
    assert not subprocess.run(["ip", "netns", "pids", instance.sw.ns], capture_output=True, text=True).stdout.split()


def test_a_directory_that_cannot_be_made(instance):
    instance.sw.env["OVS_RUNDIR"] = "/proc/no/such"
    done = instance.sluice("up", check=False)
    assert done.returncode == 1 and "/proc/no" in done.stderr
    instance.sw.env["OVS_RUNDIR"] = str(instance.dir)


def test_status_tells_what_is(lab, instance):
    instance.sluice("up")
    sw = instance.sw
    a, b = lab.host("a", sw), lab.host("b", sw)
    sw.vsctl("add-br", "br0", "--", "add-port", "br0", "a", "tag=5", "--", "add-port", "br0", "b", "trunks=5,6", "vlan_mode=native-untagged", "tag=5")
    sw.vsctl("add-port", "br0", "gone", check=False)
    assert a.pings(b)
    text = instance.sluice("status")
    assert "Bridge br0 (system, standalone)" in text and a.mac in text and "native-untagged 5" in text and "cannot be used: " in text
    tree = json.loads(instance.sluice("status", "--json"))
    (bridge,) = tree["bridges"]
    ports = {p["name"]: p for p in bridge["ports"]}
    assert {"a", "b", "br0", "gone"} == set(ports)
    assert ports["a"]["vlan"] == "5" and a.mac in [m["mac"] for m in ports["a"]["learned"]]
    assert ports["a"]["interfaces"][0]["link_state"] == "up" and ports["a"]["interfaces"][0]["total"]["rx_packets"] >= 3
    assert ports["gone"]["interfaces"][0]["error"]
    a.start("ping", "-q", "-i", "0.002", b.ip, stdout=subprocess.DEVNULL)
    eventually(lambda: json.loads(instance.sluice("status", "--json"))["bridges"][0]["ports"][0]["interfaces"][0]["per_second"]["rx_packets"] > 50)
