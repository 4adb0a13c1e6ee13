/** Group commit: what a failure in a group, or of its commit, means for each of its requests. */
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Item, StorageError, Write } from "../../../../lib/ports/index.ts";
import { ByteReader, ByteWriter, type Encodable } from "../../../../lib/storage/embedded/codec.ts";
import { NOTE, REQUEST, readError, readItem, STATUS } from "../../../../lib/storage/embedded/protocol.ts";
import { Groups } from "../../../../lib/storage/embedded/worker/groups.ts";
import { Store } from "../../../../lib/storage/embedded/worker/store.ts";
import { inFolder } from "./support.ts";

/** A database whose commits can fail as a disk makes them fail. */
class FailingStore extends Store {
  failure: { readonly errcode: number; readonly message: string; readonly afterwards: boolean } | undefined;
  commits = 0;

  override commit(): void {
    this.commits++;
    const { failure } = this;
    if (failure?.afterwards === true) super.commit();
    if (failure !== undefined) throw Object.assign(new Error(failure.message), { errcode: failure.errcode });
    super.commit();
  }
}

const FULL = { errcode: 13, message: "database or disk is full", afterwards: false };
const SYNC_FAILED = { errcode: 1034, message: "disk I/O error", afterwards: false };
const SYNCED_AND_FAILED = { ...SYNC_FAILED, afterwards: true };

type Answer = { readonly item: Item | undefined } | { readonly error: StorageError };

const key = (sk: string) => ({ pk: "p", sk });
const put = (sk: string, n: number): Write => ({ op: "put", key: key(sk), item: { n } });
/** What no caller sends: the worker must outlive it. */
const broken = { op: "update", key: key("broken"), changes: 5 } as unknown as Write;

function run(store: Store, requests: readonly { readonly write?: Write; readonly get?: string }[]): Answer[] {
  const message = new ByteWriter();
  message.double(1_700_000_000_000);
  for (const [i, { write, get }] of requests.entries()) {
    message.varint(i + 1);
    message.byte(write === undefined ? REQUEST.getMany : REQUEST.write);
    if (write !== undefined) message.value(write as unknown as Encodable);
    else {
      message.varint(1);
      message.text("p");
      message.text(get as string);
    }
  }
  const answers: Answer[] = [];
  new Groups(store, (bytes) => readAnswers(bytes, answers)).run([message.take()]);
  return answers;
}

function readAnswers(bytes: Uint8Array, answers: Answer[]): void {
  const from = new ByteReader(bytes);
  while (!from.atEnd) {
    const number = from.varint();
    if (number === NOTE) {
      from.text();
      from.double();
    } else answers[number - 1] = from.byte() === STATUS.ok ? { item: readItem(from) } : { error: readError(from) };
  }
}

const withStore = (use: (store: FailingStore, path: string) => void) =>
  inFolder(async (folder) => {
    const path = join(folder, "db");
    const store = new FailingStore({ path, checkpointBytes: 0 });
    try {
      use(store, path);
    } finally {
      store.close();
    }
  });

test("all that waits is one commit", () =>
  withStore((store) => {
    const answers = run(store, [{ write: put("a", 1) }, { write: put("b", 2) }, { write: put("a", 3) }]);
    expect(answers).toEqual([{ item: { n: 1 } }, { item: { n: 2 } }, { item: { n: 3 } }]);
    expect(store.commits).toBe(1);
    expect(run(store, [{ get: "a" }, { get: "b" }, { get: "c" }])).toEqual([
      { item: { n: 3 } },
      { item: { n: 2 } },
      { item: undefined },
    ]);
  }));

test("a request that cannot be done does not spoil the others of its group", () =>
  withStore((store) => {
    const answers = run(store, [{ write: put("a", 1) }, { write: broken }, { write: put("b", 2) }]);
    expect(answers[0]).toEqual({ item: { n: 1 } });
    expect(answers[1]).toMatchObject({ error: { kind: "unavailable", outcome: "not_applied" } });
    expect(answers[2]).toEqual({ item: { n: 2 } });
    expect(run(store, [{ get: "a" }, { get: "b" }])).toEqual([{ item: { n: 1 } }, { item: { n: 2 } }]);
  }));

test("a commit without space is full and not applied, and the next one is tried", () =>
  withStore((store) => {
    run(store, [{ write: put("a", 1) }]);
    store.failure = FULL;
    for (const answer of run(store, [{ write: put("a", 2) }, { write: put("b", 2) }])) {
      expect(answer).toMatchObject({ error: { kind: "full", outcome: "not_applied" } });
    }
    store.failure = undefined;
    expect(run(store, [{ get: "a" }, { get: "b" }])).toEqual([{ item: { n: 1 } }, { item: undefined }]);
    expect(run(store, [{ write: put("b", 3) }])).toEqual([{ item: { n: 3 } }]);
  }));

test.each([SYNC_FAILED, SYNCED_AND_FAILED])("after a commit of unknown outcome nothing is written, reads go on (%#)", (failure) =>
  withStore((store) => {
    run(store, [{ write: put("a", 1) }]);
    store.failure = failure;
    for (const answer of run(store, [{ write: put("b", 2) }, { write: put("c", 2) }])) {
      expect(answer).toMatchObject({ error: { kind: "unknown", outcome: "unknown" } });
    }
    expect(run(store, [{ get: "a" }])).toEqual([{ item: { n: 1 } }]);
  }),
);

test("after a commit of unknown outcome every further write is refused as not applied", () =>
  withStore((store) => {
    store.failure = SYNC_FAILED;
    const send = (bytes: Uint8Array): void => readAnswers(bytes, answers);
    let answers: Answer[] = [];
    const groups = new Groups(store, send);
    const ask = (write: Write): Answer | undefined => {
      const message = new ByteWriter();
      message.double(0);
      message.varint(1);
      message.byte(REQUEST.write);
      message.value(write as unknown as Encodable);
      answers = [];
      groups.run([message.take()]);
      return answers[0];
    };
    expect(ask(put("a", 1))).toMatchObject({ error: { kind: "unknown" } });
    store.failure = undefined;
    expect(ask(put("b", 1))).toMatchObject({
      error: { kind: "unavailable", message: expect.stringContaining("until the storage is opened again") },
    });
    expect(store.commits).toBe(1);
  }));
