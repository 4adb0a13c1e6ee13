import type { Transform } from "node:stream";

/** Hands a chunk to a compressing or decompressing engine; resolves when it was taken, or when the engine was closed meanwhile. */
export function takeChunk(engine: Transform, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    engine.once("close", resolve);
    engine.write(chunk, (error) => {
      engine.off("close", resolve);
      if (error) reject(error);
      else resolve();
    });
  });
}
