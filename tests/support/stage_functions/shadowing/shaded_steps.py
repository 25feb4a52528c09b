"""Functions that use modules of the standard library which its folder has by the same name."""

import colorsys
import json


def at_once(text: str) -> str:
    return json.dumps(colorsys.rgb_to_hls(1, 1, 1))


async def later(text: str) -> str:
    return json.dumps(colorsys.rgb_to_hls(1, 1, 1))
