import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PutBlob, Settled, Storage } from "../../../../lib/ports/index.ts";
import { systemClock } from "../../../../lib/storage/system/clock.ts";
import { systemIds } from "../../../../lib/storage/system/ids.ts";

export const ids = systemIds(systemClock);

/** Runs with a folder of its own. */
export async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "brokerless-unit-"));
  try {
    await run(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Bytes that say which blob they are of, and where in it. */
export function bytesOf(sizeBytes: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: sizeBytes }, (_, i) => (i * 7 + seed * 13 + (i >> 8)) & 255);
}

export interface Written {
  readonly id: Uint8Array;
  readonly bytes: Uint8Array;
}

export function putOf({ id, bytes }: Written): PutBlob {
  return { op: "putBlob", id, pieces: [bytes.subarray(0, 5), bytes.subarray(5)], partitions: ["t#0"] };
}

export async function write(storage: Storage, blobs: readonly Written[]): Promise<Settled[]> {
  const [settled] = await storage.table.inOrder([blobs.map(putOf)]);
  return settled as Settled[];
}

export function fresh(sizeBytes: number, seed: number): Written {
  return { id: ids.ulid(), bytes: bytesOf(sizeBytes, seed) };
}

/** Which of these are there, byte for byte; throws when one is there with other bytes. */
export async function present(storage: Storage, blobs: readonly Written[]): Promise<boolean[]> {
  const found = await storage.blobs.read(
    blobs.map(({ id, bytes }) => ({ id, place: storage.blobs.place(bytes.byteLength), from: 0, to: bytes.byteLength })),
  );
  return found.map((bytes, i) => {
    if (bytes === undefined) return false;
    if (Buffer.compare(bytes, (blobs[i] as Written).bytes) !== 0) throw new Error(`blob ${i} has other bytes`);
    return true;
  });
}

/** Waits until something holds that happens in the background. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let left = 200; left > 0; left--) {
    if (await holds()) return;
    await systemClock.sleep(20);
  }
  throw new Error("it did not happen in four seconds");
}
