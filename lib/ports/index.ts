/** The ports: what the log needs of a storage and of its surroundings. Each file says its promises. */
export type * from "./blobs.ts";
export type * from "./bucket.ts";
export type * from "./clock.ts";
export type * from "./doorbell.ts";
export type * from "./ids.ts";
export * from "./metrics.ts";
export type * from "./storage.ts";
export * from "./table.ts";
