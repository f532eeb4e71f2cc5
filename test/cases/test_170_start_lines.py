"""The option lines by which packages and test suites start and stop the programs."""
import pathlib
import re

import pytest

from lab import eventually


def lines(sw):
    """A case that starts programs itself, word by word."""
    sw.inside(sw.program("ovsdb-tool"), "create", sw.conf, sw.schema(sw.whose["ovsdb-server"]))


@pytest.fixture
def idle(lab):
    return lab.switch(start=False)


def sockets(sw):
    return {p.name for p in sw.dir.iterdir() if p.is_socket()}


def test_the_line_of_the_packages(idle):
    sw = idle
    lines(sw)
    done = sw.inside(sw.program("ovsdb-server"), sw.conf, "--remote=punix:" + str(sw.dir / "db.sock"),
                     "--remote=db:Open_vSwitch,Open_vSwitch,manager_options", "--pidfile", "--unixctl=" + str(sw.dir / "dbctl"),
                     "-vconsole:off", "--log-file", "--detach", "--no-chdir", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {"db.sock", "dbctl"} <= sockets(sw)  # both answer when the line returns
    assert sw.vsctl("--no-wait", "init") == ""
    done = sw.inside(sw.program("ovs-vswitchd"), "unix:" + str(sw.dir / "db.sock"), "-vconsole:off", "--pidfile", "--detach", "--no-chdir",
                     "--log-file", "--unixctl=" + str(sw.dir / "swctl"), "-vvlog:off", "-vsyslog:err", "-vfile:info", "--enable-dummy",
                     "--disable-system", "--disable-system-route", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "swctl" in sockets(sw)
    for name, ctl in (("ovsdb-server", "dbctl"), ("ovs-vswitchd", "swctl")):
        version = sw.appctl("-t", sw.dir / ctl, "version")
        assert re.match(rf"{name} \(Open vSwitch\) \d+\.\d+\.\d+", version)
    sw.appctl("-t", sw.dir / "swctl", "exit", "--cleanup")
    sw.appctl("-t", sw.dir / "dbctl", "exit")
    for name in ("ovs-vswitchd", "ovsdb-server"):
        eventually(lambda: sw.pid(name) is None)
    eventually(lambda: not sockets(sw))


@pytest.mark.parametrize("dummy", ["--enable-dummy", "--enable-dummy=override", "--enable-dummy=system"])
def test_dummy_modes(idle, dummy):
    sw = idle
    sw.vswitchd_options = [dummy, "--disable-system"]
    sw.start()
    sw.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", "fail-mode=secure",
             "other-config:datapath-id=fedcba9876543210", "other-config:hwaddr=aa:55:aa:55:00:00",
             "protocols=[OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15]",
             "--", "add-port", "br0", "p1", "--", "set", "interface", "p1", "type=dummy", "ofport_request=7")
    assert sw.get("interface", "p1", "ofport") == "7"
    assert sw.get("bridge", "br0", "datapath_id").strip('"') == "fedcba9876543210"


def test_pid_files_are_locked_and_logs_have_the_fields_shape(sw):
    for name in ("ovsdb-server", "ovs-vswitchd"):
        assert pathlib.Path(f"/proc/{sw.pid(name)}").exists()
        assert (sw.dir / f"{name}.{sw.pid(name)}.ctl").is_socket()
        for line in sw.log(name).splitlines():
            assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\|\d{5,}\|[a-z0-9_]+(\([^|]*\))?\|(EMER|ERR|WARN|INFO|DBG)\|", line), line


def test_a_quiet_start_complains_of_nothing(sw):
    sw.add_bridge("br0")
    assert sw.complaints("ovsdb-server") == []
    assert sw.complaints("ovs-vswitchd") == []


@pytest.mark.parametrize("target", ["ovsdb-server", "ovs-vswitchd"])
def test_common_commands(sw, target):
    commands = sw.appctl("-t", target, "list-commands")
    for word in ("exit", "version", "vlog/set", "vlog/list", "coverage/show", "memory/show", "list-commands"):
        assert re.search(rf"^  {word}\b", commands, re.M), word
    assert sw.appctl("-t", target, "vlog/set", "file:dbg") == ""
    assert "DBG" in sw.appctl("-t", target, "vlog/list")
    sw.appctl("-t", target, "coverage/show")
    sw.appctl("-t", target, "memory/show")
    done = sw.appctl("-t", target, "no/such", check=False)
    assert done.returncode == 2 and '"no/such" is not a valid command' in done.stderr


@pytest.mark.parametrize("program", ["ovs-vswitchd", "ovsdb-server", "ovs-vsctl", "ovs-appctl", "ovsdb-tool", "ovsdb-client", "ovs-ofctl"])
def test_version_and_help(idle, program):
    out = idle.inside(idle.program(program), "--version")
    assert re.match(rf"{program} \(Open vSwitch\) \d+\.\d+\.\d+", out.splitlines()[0])
    assert "--" in idle.inside(idle.program(program), "--help")


def test_wrong_options_are_told(idle):
    for program in ("ovs-vswitchd", "ovsdb-server", "ovs-vsctl"):
        done = idle.inside(idle.program(program), "--no-such-option", check=False)
        assert done.returncode == 1
        assert "no-such-option" in done.stderr


def test_vsctl_without_a_server_ends_in_time(idle):
    done = idle.vsctl("--timeout=1", "show", check=False)
    assert done.returncode != 0 and done.stderr


def test_restart_of_the_database_by_signal_takes_its_pid_file_along(sw):
    import os
    import signal
    pid = sw.pid("ovsdb-server")
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: not pathlib.Path(f"/proc/{pid}").exists())
    assert sw.pid("ovsdb-server") is None


def test_a_switch_before_init_waits_and_does_not_turn(idle):
    """Between two questions a loop at rest takes a handful of turns; one that keeps itself busy takes thousands."""
    sw = idle
    sw.start_db()
    sw.start_daemon()

    def turns():
        return int(sw.appctl("coverage/read-counter", "loop_turn"))

    before = turns()
    assert turns() - before < 50
    sw.vsctl("--no-wait", "init")
    sw.add_bridge("br0")  # and it still does its work once there is some
