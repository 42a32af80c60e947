"""Build hook: a wheel carries the built web client, so that installing it needs no Node."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WebClientHook(BuildHookInterface[Any]):
    """Runs `npm ci` and `npm run build` in web/ when the built client is missing or older."""

    PLUGIN_NAME = "custom"
    NOTICES = "src/webchat/static/THIRD-PARTY.txt"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the client for wheels. An editable install serves what `make web` has built."""
        if version == "editable":
            return
        root = Path(self.root)
        if _is_fresh(root / "src/webchat/static/index.html", root / "web"):
            return
        npm = shutil.which("npm")
        if npm is None:
            raise SystemExit(
                "Building webchat from source needs npm (Node 20 or newer) for its web client; "
                "a ready wheel needs neither."
            )
        for step in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
            subprocess.run([npm, *step], cwd=root / "web", check=True)
        # Licence files were looked for before there was this one.
        if self.NOTICES not in self.metadata.core.license_files:
            self.metadata.core.license_files.append(self.NOTICES)


def _is_fresh(built: Path, sources: Path) -> bool:
    """Whether `built` exists and no file of `sources` is newer."""
    if not built.exists():
        return False
    made_at = built.stat().st_mtime
    own = (top for top in sources.iterdir() if top.name != "node_modules")
    files = (path for top in own for path in (top, *top.rglob("*")) if path.is_file())
    return all(path.stat().st_mtime <= made_at for path in files)
