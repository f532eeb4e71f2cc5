"""'make run' itself: machines on two VLANs behind the switch, checked by the script that shows them."""
import pathlib
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.ours_only("it is our demo")
def test_the_demo_holds_and_leaves_nothing(lab):
    name = f"demo-{lab.tag}"
    demo = [str(TOP / "dev" / "demo"), "--name", name]
    lab.defer(lambda: subprocess.run([*demo, "--clean"], check=True, timeout=60))
    done = subprocess.run(demo, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout and done.stdout.count("  ok   ") == 11
    subprocess.run([*demo, "--clean"], check=True, timeout=60)
    assert name not in subprocess.run(["ip", "netns"], capture_output=True, text=True).stdout
    assert not pathlib.Path("/run", name).exists()
