"""What has changed in the schema since the last release; fails on what breaks clients.

`.ci/released.graphql` is the schema of that release; a break that is meant has its line in
`.ci/breaking.txt`.
"""

import sys
from pathlib import Path

from graphql import GraphQLSchema, build_schema
from graphql.utilities import find_breaking_changes, find_dangerous_changes

CI = Path(__file__).parent


def schema(path: Path) -> GraphQLSchema:
    return build_schema(path.read_text())


def main() -> int:
    old, new = schema(CI / "released.graphql"), schema(CI.parent / "schema" / "schema.graphql")
    meant = (CI / "breaking.txt").read_text().splitlines()
    for change in find_dangerous_changes(old, new):
        print(f"dangerous: {change.description}")
    breaks = [change.description for change in find_breaking_changes(old, new)]
    for description in breaks:
        print(f"breaking{', meant' if description in meant else ''}: {description}")
    refused = set(breaks) - set(meant)
    print(f"{len(breaks)} breaking changes since the last release, {len(refused)} not meant")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
