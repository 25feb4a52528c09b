"""GraphQL: the types, the roots and the document limits."""
