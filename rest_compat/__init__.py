"""REST: the routes that existing clients rely on, over the same resolvers."""
