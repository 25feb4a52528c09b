"""What python stages cost: `python benchmarks/stages.py`.

Runs executions of a pipeline with one empty stage and with eleven in this process and its workers,
without HTTP, and prints the processor time of all processes together for each further stage, by
the difference; how long a hundred async executions take that each sleep for half a second; how long
the first execution takes after a start and after the module has changed; and what the process and
its workers hold and use when nothing runs.
"""

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path

import psutil
from runcast.resolvers.context import Context
from runcast.resolvers.executions import get_execution, start_execution
from runcast.server.app import create_app
from runcast.server.settings import Settings

SEEN_SECONDS = 2.5
"""A change in the pipelines folder has been seen, and checked, by then."""

FUNCTIONS = """
import asyncio

def sync(text):
    return text

async def asynchronous(text):
    return text

async def sleeps(text):
    await asyncio.sleep(0.5)
    return text
"""


def pipeline(name: str, function: str, stages: int) -> str:
    lines = "\n".join(f"  - {{id: s{n}, call: 'bench_steps:{function}'}}" for n in range(stages))
    return f"pipeline: {{id: {name}, name: {name}, version: 1.0.0}}\nstages:\n{lines}\n"


FILES = {
    "bench_steps.py": FUNCTIONS,
    "sync1.yaml": pipeline("sync1", "sync", 1),
    "sync11.yaml": pipeline("sync11", "sync", 11),
    "async1.yaml": pipeline("async1", "asynchronous", 1),
    "async11.yaml": pipeline("async11", "asynchronous", 11),
    "sleeps.yaml": pipeline("sleeps", "sleeps", 1),
}


async def run(ctx: Context, name: str) -> None:
    started = await start_execution(ctx, name, "hello")
    async for change in ctx.manager.watch(started.execution.id):
        if change.terminal:
            assert change.execution.status == "COMPLETED", change.execution.error
            return
    assert (await get_execution(ctx, started.execution.id)).status == "COMPLETED"


def processor_seconds() -> float:
    """Of this process and those that it has now: the ended ones are part of its own account."""
    mine = psutil.Process()
    times = [mine.cpu_times()] + [child.cpu_times() for child in mine.children(recursive=True)]
    return sum(
        each.user + each.system + each.children_user + each.children_system for each in times
    )


async def cost(ctx: Context, name: str, executions: int) -> float:
    """Processor time of one execution, in ms."""
    before = processor_seconds()
    for _ in range(executions):
        await run(ctx, name)
    return (processor_seconds() - before) / executions * 1000


async def timed(ctx: Context, name: str) -> float:
    begun = time.perf_counter()
    await run(ctx, name)
    return (time.perf_counter() - begun) * 1000


async def measure(folder: Path, executions: int) -> None:
    app = create_app(Settings(pipelines=folder, data=folder / "data", max_concurrent=200))
    ctx: Context = app.state.ctx
    async with app.router.lifespan_context(app):
        await asyncio.sleep(1)
        print(f"first execution after a start      {await timed(ctx, 'async1'):8.1f} ms")
        await asyncio.sleep(1.5)
        (folder / "bench_steps.py").write_text(FUNCTIONS + "\n# changed\n")
        print(f"first at once after a changed module {await timed(ctx, 'async1'):6.1f} ms")
        await asyncio.sleep(1.5)
        (folder / "bench_steps.py").write_text(FUNCTIONS + "\n# changed again\n")
        await asyncio.sleep(SEEN_SECONDS)
        print(f"first once the change was seen     {await timed(ctx, 'async1'):8.1f} ms")
        print(f"one after that                     {await timed(ctx, 'async1'):8.1f} ms")
        print(f"first sync one after that          {await timed(ctx, 'sync1'):8.1f} ms")
        for kind in ("async", "sync"):
            for name in (f"{kind}1", f"{kind}11"):
                await cost(ctx, name, 20)
            one, eleven = [
                min([await cost(ctx, f"{kind}{stages}", executions) for _ in range(3)])
                for stages in (1, 11)
            ]
            print(f"an execution of one {kind:5} stage    {one:8.2f} ms of processor time")
            print(f"each further {kind:5} stage           {(eleven - one) / 10:8.2f} ms")
        begun = time.perf_counter()
        await asyncio.gather(*(run(ctx, "sleeps") for _ in range(100)))
        print(f"100 async executions that sleep 0.5 s {time.perf_counter() - begun:5.2f} s in all")
        await asyncio.sleep(2)
        processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
        used = processor_seconds()
        await asyncio.sleep(5)
        used = processor_seconds() - used
        # What processes share is counted once.
        held = sum(each.memory_full_info().pss for each in processes) / 2**20
        print(f"at rest: {len(processes)} processes, {held:.0f} MiB together, ", end="")
        print(f"{used / 5:.2%} of a processor")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, content in FILES.items():
            (folder / name).write_text(content)
        (folder / "data").mkdir()
        os.chdir(folder)
        try:
            import uvloop
        except ImportError:
            asyncio.run(measure(folder, options.executions))
        else:
            uvloop.run(measure(folder, options.executions))


if __name__ == "__main__":
    main()
