"""A model that is served follows its pointer from the first moment on."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from pathlib import Path

from cauce.model.sealed import render
from cauce.online.plane import Plane
from cauce.online.served import Served
from cauce.registry.registry import Registry


def test_a_promotion_while_other_models_are_loaded_is_taken_over(home: Path, model_folder: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(model_folder, tmp_path / "other"))
    fields = json.loads((other / "cauce.json").read_text("utf-8"))
    (other / "cauce.json").write_bytes(render({**fields, "name": "other"}))
    registry = Registry()
    first, second = (registry.register("mood", folder)[0].version for folder in (model_folder, other))
    registry.promote(f"mood@{first}", reason="first")
    served = Served("mood")
    served.load()
    registry.promote(f"mood@{second}", reason="better")
    end = time.monotonic() + 20
    while served.followed and served.followed["version"] != second:
        assert time.monotonic() < end
        time.sleep(0.02)

    async def answers_with(version: str) -> None:
        plane = Plane([served])
        try:
            async with asyncio.timeout(20):
                while (await plane.predict(["me encanta"])).model.version != version:
                    await asyncio.sleep(0.02)
        finally:
            await plane.close()

    asyncio.run(answers_with(second))
