/** The HTTP surface of a log. `docs/http.md` describes it for its users. */
export { createHttpApp } from "./app.ts";
export { HTTP_ERRORS } from "./errors.ts";
export type { Limits } from "./limits.ts";
export type { AuthKind } from "./surface.ts";
