"""How large a GraphQL document, its variables and its answer may be."""

from typing import Annotated, TypeAlias

from pydantic import BaseModel, Field

Limit: TypeAlias = Annotated[int, Field(ge=1, le=1_000_000)]


class Limits(BaseModel):
    """How large an operation and its answer may be. A fragment counts as often as it is spread."""

    max_characters: Limit = Field(100_000, description="GraphQL: characters in a document")
    max_tokens: Limit = Field(1000, description="GraphQL: tokens in a document")
    max_depth: Limit = Field(10, description="GraphQL: fields within fields")
    max_fields: Limit = Field(500, description="GraphQL: fields in an operation")
    max_root_fields: Limit = Field(20, description="GraphQL: fields at the top of an operation")
    max_mutations: Limit = Field(5, description="GraphQL: fields at the top of a mutation")
    max_repeats: Limit = Field(30, description="GraphQL: times that one place names a field")
    max_aliases: Limit = Field(30, description="GraphQL: aliases in an operation")
    max_directives: Limit = Field(50, description="GraphQL: directives in an operation")
    max_operations: Limit = Field(10, description="GraphQL: operations in a document")
    max_fragments: Limit = Field(30, description="GraphQL: named fragments in a document")
    max_text: Annotated[int, Field(ge=1)] = Field(
        32 << 20, description="GraphQL: characters of inputs and outputs in an answer"
    )
    max_values: Limit = Field(
        10_000, description="GraphQL: values in the variables, nested ones too"
    )
    max_list: Limit = Field(250, description="GraphQL: elements in a list that is an argument")
