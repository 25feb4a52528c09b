"""`/api/outputs`: section 3 of the REST contract."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from ..core.results.outputs import Outputs
from ..core.results.result_file import ResultSummary
from .answers import answer


async def list_outputs(outputs: Outputs, request: Request) -> Response:
    found = await asyncio.to_thread(outputs.list)
    return answer([_list_item(summary) for summary in found])


async def show_output(outputs: Outputs, request: Request) -> Response:
    """
    Raises:
        NotFound: there is no such result file.
    """
    filename = request.path_params["filename"]
    content = await asyncio.to_thread(outputs.read, filename)
    headers = {
        "Content-Disposition": f'attachment; filename="{filename}"',
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, headers=headers, media_type="application/json")


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
