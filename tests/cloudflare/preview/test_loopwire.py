"""scratch"""
import json, subprocess
from pathlib import Path
from tests.cloudflare.preview.test_wire import preview, CALLS  # noqa
from tests.server.wire.compare import find_differences
from tests.server.wire.deliberate_differences import find_explanations
from tests.server.wire.driver import CLIENT, normalize
from tests.node import install_packages, run_script

def test_loop(preview):
    home = install_packages(CLIENT)
    import time
    for i in range(8):
        t = time.time()
        try:
            r = (run_script(Path("/tmp/wirecopy/calls_dbg.mjs"), home, preview.url, seconds=200))
        except subprocess.TimeoutExpired as e:
            print("TIMEOUT", (e.stderr or b"")[-1500:].decode(), flush=True)
            print(len(preview.lines), preview.lines[-30:], flush=True)
            subprocess.run(f"pgrep -f worker_host.mjs | xargs -I P sh -c 'ps -o pid,pcpu,stat,time,rss P'", shell=True)
            continue
        json.dump(r['times'], open(f'/tmp/wirecopy/times{i}.json','w'))
        bad = {}
        for name in CALLS:
            d = find_differences(CALLS[name], normalize(r["calls"][name]))
            s = {p: t[:100] for p, t in d.items() if not find_explanations(name, p)}
            if any("finish" in p for p in s):
                bad[name] = (s, r["errors"].get(name))
        print("ROUND", i, round(time.time() - t, 1), json.dumps(bad), flush=True)
        if len(preview.lines) > 1: print(len(preview.lines), preview.lines[-3:], flush=True)
