"""Start the gallery from this folder; nothing is asked of any network: ``python start.py [--host ADDRESS] [--port NUMBER]``.

With a folder ``wheels`` beside it, everything is installed from there into ``.venv`` first, once. Needs nothing but Python.
"""

import os
import platform
import runpy
import subprocess
import sys
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCK, WHEELS, HOME = HERE / "requirements.lock", HERE / "wheels", HERE / ".venv"
OFFLINE = {
    "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_SHARE": "False",
    "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost",
}  # fmt: skip


def here() -> str:
    """The Python and the machine on which this runs, as the lock names them."""
    return f"Python {sys.version_info.major}.{sys.version_info.minor}, {platform.system()} {platform.machine()}"


def installed() -> str:
    """Python of ``.venv`` with all wheels installed."""
    made_for = LOCK.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
    if made_for != here():
        raise SystemExit(f"error: the wheels in this folder are for {made_for}, and this is {here()}")
    python = HOME / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = HOME / ".installed"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != LOCK.read_text(encoding="utf-8"):
        print("installing from wheels/, once ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--no-index", "--find-links", str(WHEELS), "-r", str(LOCK)]
        if subprocess.run(command).returncode:
            raise SystemExit("error: the wheels cannot be installed; make the folder again: python -m gen_models.bundle --wheels")
        stamp.write_text(LOCK.read_text(encoding="utf-8"), encoding="utf-8")
    return str(python)


def missing() -> list[str]:
    """Packages of the lock that this Python lacks; another version than the locked one will do."""
    found = []
    for line in LOCK.read_text(encoding="utf-8").splitlines():
        name = line.partition("==")[0]
        try:
            if not line.startswith("#"):
                metadata.version(name)
        except metadata.PackageNotFoundError:
            found.append(name)
    return found


def main() -> int:
    """Start; returns the exit status."""
    os.environ.update(OFFLINE)
    os.environ.pop("GALLERY_WEIGHTS", None)
    os.chdir(HERE)
    if WHEELS.is_dir():
        return subprocess.call([installed(), "app.py", *sys.argv[1:]])
    lacking = missing()
    if lacking:
        some = ", ".join(lacking[:5]) + (", ..." if len(lacking) > 5 else "")
        raise SystemExit(f"error: this Python lacks {some}; with a network: pip install -r {LOCK.name}, or bundle with --wheels")
    sys.argv[0] = "app.py"
    runpy.run_path("app.py", run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
