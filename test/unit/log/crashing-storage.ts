/** A storage that dies at one of its calls: before the call is made, or after it was applied and before it is answered. */
import type { Storage } from "../../../lib/ports/index.ts";

export class Died extends Error {}

export interface DyingStorage {
  readonly storage: Storage;
  /** Did it live to the end? */
  readonly lived: () => boolean;
}

/** Dies at call number `at`, counted from 0 over table, blobs and bucket; every later call dies too. */
export function dyingStorage(truth: Storage, at: number, applied: boolean): DyingStorage {
  let calls = 0;
  const around = <T extends object>(port: T): T =>
    new Proxy(port, {
      get(target, name) {
        const member = Reflect.get(target, name) as unknown;
        if (typeof member !== "function") return member;
        return (...args: unknown[]) => {
          if (name === "place" || name === "list" || name === "scan") return member.apply(target, args);
          const mine = calls++;
          if (mine > at || (mine === at && !applied)) return Promise.reject(new Died());
          const answer = Promise.resolve(member.apply(target, args));
          return mine < at ? answer : answer.then(() => Promise.reject(new Died()));
        };
      },
    });
  const storage = { ...truth, table: around(truth.table), blobs: around(truth.blobs), bucket: around(truth.bucket) };
  return { storage, lived: () => calls <= at };
}
