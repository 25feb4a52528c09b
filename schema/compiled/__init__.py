"""Queries that are compiled: read at once, from bytes that are there wherever possible.

What is covered: queries of which every field is an attribute of its Strawberry object, or has a
resolver that is marked by `schema/reads.py`, and is a scalar, an enum, an object, or a list of
these. So aliases, fragments of both kinds, variables, arguments, `@skip` and `@include` are;
mutations, subscriptions, questions about the schema, interfaces and unmarked resolvers are not.
Such an operation is graphql-core's as a whole, and so is any that turns out to need more when it is
read: a file, the history, an execution of very many stages, or anything that raises, whatever it
is.

Why it is right: the document has been measured and validated by then. Fields are collected,
variables and arguments coerced, and leaves serialized by graphql-core's own functions, arguments
converted by Strawberry's. Resolvers are the same, or stand beside them in the same class. There are
no errors to be worded here: an answer is data without errors, or none at all, and graphql-core then
begins anew. Bytes are stored only in `core/live/derived.py`, which drops them with the execution
that they are of; what moves although no execution changes is marked (`moves`), and not stored.

`selection.py` compiles what is asked of an object, `plan.py` an operation; `reader.py` reads one
answer, and `answer.py` has the plans, and begins and finishes answers.
"""
