/** The log core: what surfaces and composition roots use of it. */
export { createLog, type LogParts } from "./log.ts";
export type * from "./types.ts";
