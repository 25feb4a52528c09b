"""Finding pipelines."""

from ..core.pipelines.pipeline import Pipeline
from .context import Context


def list_pipelines(ctx: Context) -> tuple[Pipeline, ...]:
    """Every pipeline that can be started, in the order of their files' names."""
    return ctx.pipelines.all()


def get_pipeline(ctx: Context, pipeline_id: str) -> Pipeline:
    """The pipeline of that id, or of the file of that name (without its ending).

    Raises:
        NotFound: there is none.
    """
    return ctx.pipelines.get(pipeline_id)
