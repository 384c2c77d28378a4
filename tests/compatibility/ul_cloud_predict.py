"""Run in an environment with ultralytics and ultralytics-platform: `ul cloud predict`, unmodified, against the server.

    python ul_cloud_predict.py http://127.0.0.1:PORT
"""
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[2]
PICTURE = ROOT / "examples/checkout/pictures/fruit_101_0008.jpg"
with tempfile.TemporaryDirectory() as folder:
    env = {**os.environ, "ULTRALYTICS_API_KEY": "x", "ULTRALYTICS_PLATFORM_URL": sys.argv[1], "HOME": folder,
           "YOLO_CONFIG_DIR": folder}
    done = subprocess.run(
        [pathlib.Path(sys.executable).with_name("ul"), "cloud", "predict", "model=ul://acme/tray/fruit",
         f"source={PICTURE}", "conf=0.5", f"project={folder}", "name=run", "save_txt=True"],
        env=env, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    saved = sorted(p.name for p in pathlib.Path(folder).rglob("*") if p.suffix in (".jpg", ".txt"))
    assert "fruit_101_0008.txt" in saved, f"{saved}: {done.stdout}{done.stderr}"
print("saved " + ", ".join(saved))
