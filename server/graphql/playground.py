"""The playground: GraphiQL for a browser that opens `/graphql`."""

from strawberry.http.ides import get_graphql_ide_html


def playground() -> str:
    """The page."""
    return get_graphql_ide_html(graphql_ide="graphiql")
