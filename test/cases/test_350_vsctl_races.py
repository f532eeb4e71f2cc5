"""Many ovs-vsctl at once on one database: none may lose what another did, nor fail because another was there."""
import os
import subprocess

import pytest

from lab import COMPAT, eventually, run

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VSCTL = str(COMPAT / "ovs-vsctl")


@pytest.fixture(params=["debian", "ours"])
def env(lab, request):
    env = os.environ | {"OVS_RUNDIR": str(lab.dir), "OVS_SYSLOG_METHOD": "null"}
    run("/usr/bin/ovsdb-tool", "create", lab.dir / "conf.db", os.path.join(ROOT, "src/ovsdb/vswitch.ovsschema"))
    program = "/usr/sbin/ovsdb-server" if request.param == "debian" else COMPAT / "ovsdb-server"
    server = subprocess.Popen([program, "conf.db", f"--remote=punix:{lab.dir}/db.sock", f"--unixctl={lab.dir}/x.ctl", "-vconsole:off"], cwd=lab.dir, env=env)
    lab.defer(server.wait)
    lab.defer(server.kill)
    eventually(lambda: (lab.dir / "db.sock").exists())
    run(VSCTL, "--no-wait", "add-br", "br0", env=env)
    return env


def together(env, lines):
    running = [subprocess.Popen([VSCTL, "-t", "20", "--no-wait", *line.split()], env=env, stderr=subprocess.PIPE, text=True) for line in lines]
    return [(p.wait(), p.communicate()[1]) for p in running]


def test_the_same_port_by_many(env):
    for i in range(5):
        answers = together(env, [f"--may-exist add-port br0 p{i} -- set interface p{i} external_ids:n{j}=1" for j in range(12)])
        assert answers == [(0, "")] * 12
    assert run(VSCTL, "list-ports", "br0", env=env).split() == [f"p{i}" for i in range(5)]
    assert len(run(VSCTL, "get", "interface", "p0", "external_ids", env=env).split(",")) == 12


def test_one_wins_where_only_one_may(env):
    answers = together(env, ["add-port br0 p"] * 12)
    assert sorted(code for code, _ in answers) == [0] + [1] * 11
    assert {err for code, err in answers if code} == {"ovs-vsctl: cannot create a port named p because a port named p already exists on bridge br0\n"}


def test_different_ports_by_many(env):
    assert together(env, [f"add-port br0 q{i}" for i in range(30)]) == [(0, "")] * 30
    assert len(run(VSCTL, "list-ports", "br0", env=env).split()) == 30
    assert together(env, [f"--if-exists del-port q{i % 15}" for i in range(30)]) == [(0, "")] * 30
    assert len(run(VSCTL, "list-ports", "br0", env=env).split()) == 15


def test_a_bridge_that_goes_takes_new_ports_along_or_refuses(env):
    for i in range(6):
        run(VSCTL, "--no-wait", "--may-exist", "add-br", "t", env=env)
        answers = together(env, ["del-br t"] + [f"add-port t t{i}{j}" for j in range(6)])
        assert all(code == 0 or "no bridge named t" in err for code, err in answers), answers
        assert "t" not in run(VSCTL, "list-br", env=env).split()


def test_conditions_that_come_true_are_seen(env):
    waiting = [subprocess.Popen([VSCTL, "-t", "20", "wait-until", "bridge", "br0", f"external_ids:k=v{i}"], env=env) for i in range(5)]
    last = subprocess.Popen([VSCTL, "-t", "20", "wait-until", "port", "late", "tag=7"], env=env)
    for i in range(5):
        run(VSCTL, "--no-wait", "set", "bridge", "br0", f"external_ids:k=v{i}", env=env)
        assert waiting[i].wait(20) == 0
    run(VSCTL, "--no-wait", "add-port", "br0", "late", env=env)
    assert last.poll() is None
    run(VSCTL, "--no-wait", "set", "port", "late", "tag=7", env=env)
    assert last.wait(20) == 0
