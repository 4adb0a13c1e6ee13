/**
 * What the contract suite needs of a backend, and helpers that all its parts use.
 *
 * The suite runs over shared, non-empty, slow storages too (AWS): each test works under names of its own, counts on
 * nothing else being there, writes few items, and lets time pass only where the backend can.
 */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect } from "vitest";
import { ulidFrom } from "../../lib/base/ulid.ts";
import type { Clock, Item, Key, Settled, Storage, Value } from "../../lib/ports/index.ts";
import { StorageError } from "../../lib/ports/index.ts";
import { systemClock } from "../../lib/storage/system/clock.ts";

export interface Backend {
  readonly storage: Storage;
  /** The time by which the storage judges expiry. */
  readonly clock: Clock;
  /** Lets the storage's clock jump forward; absent where the storage has a clock of its own. */
  readonly passTime?: (ms: number) => void;
  /** Opens the same data anew after `storage` was closed; absent where nothing outlives the storage. */
  readonly reopen?: () => Promise<Storage>;
  /** Closes what is open and deletes what only this backend used. */
  dispose(): Promise<void>;
}

export type MakeBackend = () => Promise<Backend>;

/** Opens one backend for the tests of a `describe`. */
export function useBackend(make: MakeBackend): () => Backend {
  let backend: Backend | undefined;
  beforeAll(async () => {
    backend = await make();
  });
  afterAll(async () => {
    await backend?.dispose();
  });
  return () => backend as Backend;
}

/** The machine's clock, which a test can put forward. */
export function movableClock(): { readonly clock: Clock; readonly passTime: (ms: number) => void } {
  let aheadMs = 0;
  return {
    clock: {
      nowMs: () => systemClock.nowMs() + aheadMs,
      monotonicMs: () => systemClock.monotonicMs() + aheadMs,
      sleep: systemClock.sleep,
    },
    passTime: (ms) => {
      aheadMs += ms;
    },
  };
}

/** A partition key that no other test and no earlier run has used. */
export function freshName(what = "t"): string {
  return `contract#${what}#${randomBytes(9).toString("hex")}`;
}

/** A key that no other test has used. */
export function freshKey(sk = "item"): Key {
  return { pk: freshName(), sk };
}

/** A blob id of a time. */
export function freshUlid(timeMs: number): Uint8Array {
  return ulidFrom(timeMs, randomBytes(10));
}

/** Bytes that differ from place to place, so that a slice from elsewhere is noticed. */
export function patternBytes(sizeBytes: number, seed = 1): Uint8Array {
  const out = new Uint8Array(sizeBytes);
  let x = seed * 2654435761;
  for (let i = 0; i < sizeBytes; i++) {
    x = (Math.imul(x, 1103515245) + 12345) | 0;
    out[i] = x >>> 16;
  }
  return out;
}

/** Pieces that come one after the other; then it fails, where an error is given. */
export async function* streamOf(pieces: readonly Uint8Array[], error?: Error): AsyncGenerator<Uint8Array> {
  yield* pieces;
  if (error !== undefined) throw error;
}

/** As `toEqual` for bytes, at the speed of `memcmp`. */
export function expectBytes(got: Uint8Array | undefined, wanted: Uint8Array): void {
  expect(got, "bytes are there").toBeInstanceOf(Uint8Array);
  expect(got?.byteLength, "number of bytes").toBe(wanted.byteLength);
  expect(Buffer.compare(got as Uint8Array, wanted), "order of the bytes got and wanted").toBe(0);
}

/** The `StorageError` that this rejects with; fails when it resolves or rejects with anything else. */
export async function storageErrorOf(run: Promise<unknown>): Promise<StorageError> {
  const error = await run.then(
    (value) => expect.fail(`expected a StorageError, got the answer ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof StorageError)) throw error;
  return error;
}

/** Rejects, with whatever error: for requests that break a rule of the port, and so are bugs of the caller. */
export async function expectRefused(run: () => Promise<unknown>): Promise<void> {
  await expect((async () => run())()).rejects.toBeInstanceOf(Error);
}

/** The item after an operation of `inOrder`, which must have succeeded. */
export function itemOf(settled: Settled | undefined): Item | undefined {
  if (settled === undefined) return expect.fail("no answer for this operation");
  if (!settled.ok) throw settled.error;
  return settled.item;
}

/** The error of an operation of `inOrder`, which must have failed. */
export function errorOf(settled: Settled | undefined): StorageError {
  if (settled === undefined || settled.ok) return expect.fail("this operation should have failed");
  return settled.error;
}

/** Changes everything in a value that can be changed, as a careless caller might. */
export function spoil(value: Value | undefined): void {
  if (typeof value !== "object") return;
  if (value instanceof Uint8Array) {
    value.fill(0xee);
    return;
  }
  const holder = value as Record<string, Value>;
  for (const name of Object.keys(holder)) {
    spoil(holder[name]);
    if (typeof holder[name] !== "object") holder[name] = "spoilt";
  }
  if (Array.isArray(value)) value.push("spoilt");
  else holder["spoilt"] = true;
}
