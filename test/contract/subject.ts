/** What a backend hands to the contract suite. */
import { randomUUID } from "node:crypto";
import { type Clock, type Item, type Settled, type Storage, StorageError, type StorageErrorKind } from "../../lib/ports/index.ts";
import { systemIds } from "../../lib/storage/system/ids.ts";

export interface Subject {
  readonly storage: Storage;
  /** The clock of the storage; `sleep` lets its time pass. */
  readonly clock: Clock;
  /** Closes and takes away what the test left. */
  dispose(): Promise<void>;
}

export type MakeSubject = () => Promise<Subject>;

/** A clock that stands still save when somebody sleeps on it. */
export function manualClock(startMs = 1_700_000_000_000): Clock {
  let passedMs = 0;
  return {
    nowMs: () => startMs + passedMs,
    monotonicMs: () => passedMs,
    async sleep(ms) {
      passedMs += ms;
    },
  };
}

/** A key part that no other test uses. */
export function unique(name: string): string {
  return `${name}-${randomUUID().slice(0, 13)}`;
}

/** A fresh ULID by the clock. */
export function freshUlid(clock: Clock): Uint8Array {
  return systemIds(clock).ulid();
}

/** The error of a call that must fail with a {@link StorageError} of this kind, not applied. */
export async function refusal(call: Promise<unknown>, kind: StorageErrorKind = "condition_failed"): Promise<StorageError> {
  const error = await call.then(
    () => new Error("it was not refused"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof StorageError)) throw error;
  if (error.kind !== kind) throw new Error(`refused as ${error.kind} (${error.message}), not ${kind}`);
  if (error.outcome !== "not_applied") throw new Error(`the outcome of ${error.kind} is ${error.outcome}`);
  return error;
}

/** `ok`, or the kind of the error, of each operation. */
export function kinds(settled: readonly (readonly Settled[])[]): string[][] {
  return settled.map((stage) => stage.map((one) => (one.ok ? "ok" : one.error.kind)));
}

export function itemOf(settled: Settled | undefined): Item | undefined {
  if (settled?.ok !== true) throw settled?.error ?? new Error("no answer");
  return settled.item;
}

export async function collect<T>(pages: AsyncIterable<readonly T[]>): Promise<T[]> {
  const all: T[] = [];
  for await (const page of pages) all.push(...page);
  return all;
}
