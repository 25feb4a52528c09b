"""`/api/outputs`: section 3 of the REST contract."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from ..core.results.outputs import Outputs
from ..core.results.result_file import ResultSummary
from ..resolvers.context import Context
from .answers import answer
from .ranged import ranged


async def list_outputs(outputs: Outputs, request: Request) -> Response:
    found = await asyncio.to_thread(outputs.list)
    return answer([_list_item(summary) for summary in found])


async def show_output(ctx: Context, outputs: Outputs, request: Request) -> Response:
    """A result file as it is, of any size; `Range`.

    Raises:
        NotFound: there is no such result file.
    """
    filename = request.path_params["filename"]
    file = await asyncio.to_thread(outputs.find, filename)
    headers = {
        "Content-Disposition": f'attachment; filename="{filename}"',
        "X-Content-Type-Options": "nosniff",
    }
    return ranged(ctx.files, request, file.size, file.read, "application/json", headers)


def _list_item(summary: ResultSummary) -> dict[str, object]:
    shown = {
        "filename": summary.filename,
        "pipelineId": summary.pipeline_id,
        "status": summary.status,
        "timestamp": summary.timestamp,
        "duration": summary.duration,
        "cost": summary.cost,
        "stagesRun": summary.stages_run,
        "stagesSkipped": summary.stages_skipped,
        "stagesFailed": summary.stages_failed,
    }
    return {key: value for key, value in shown.items() if value is not None}
