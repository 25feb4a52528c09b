"""What can be found again by its id alone."""

import strawberry
from strawberry import ID


@strawberry.interface(
    description="An object with an id of its own (Relay's Global Object Identification)."
)
class Node:
    id: ID = strawberry.field(description="Its id, unique among all objects.")
