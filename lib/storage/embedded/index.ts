export { openEmbedded } from "./open.ts";
export type { EmbeddedOptions } from "./options.ts";
