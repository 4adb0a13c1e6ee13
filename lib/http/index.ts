/** The HTTP surface of a log. `docs/http.md` describes it for its users. */
export { createHttpApp, type HttpApp, type HttpAppParts } from "./app.ts";
export { HTTP_ERRORS } from "./errors.ts";
export { DEFAULT_LIMITS, type Limits } from "./limits.ts";
