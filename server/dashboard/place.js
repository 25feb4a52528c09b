// Where the page is: at the root of its host, or below a prefix.

const ROOT = new URL("../", import.meta.url);

export const API = `${ROOT}graphql`;

/** The address of a path, such as `/start`. */
export const at = (path) => ROOT.pathname + path.slice(1);

/** The path that a location or a link has below the prefix. */
export const pathOf = ({ pathname }) => pathname.slice(ROOT.pathname.length - 1);
