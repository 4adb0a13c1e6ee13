/** The codecs that run anywhere, browsers too: snappy and lz4. */
import { lz4 } from "./lz4.ts";
import { snappy } from "./snappy.ts";
import type { Codecs } from "./types.ts";

export const portableCodecs = { snappy, lz4 } as const satisfies Codecs;
