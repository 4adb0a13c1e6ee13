/** T4: an item past its expiry reads as absent, whether or not it has been deleted. */
import { expect, test } from "vitest";
import type { Condition } from "../../../lib/ports/index.ts";
import { type Backend, errorOf, freshKey, freshName, storageErrorOf } from "../backend.ts";

const MINUTE_MS = 60_000;
const NO_TIME = "this backend's clock cannot be put forward";

export function expiryTests(backend: () => Backend): void {
  const past = () => backend().clock.nowMs() - MINUTE_MS;
  const future = () => backend().clock.nowMs() + 10 * MINUTE_MS;

  /** An item that is expired already. */
  async function expired(sk = "item"): Promise<ReturnType<typeof freshKey>> {
    const key = freshKey(sk);
    await backend().storage.table.write({ op: "put", key, item: { n: 1, l: [1], m: { a: 1 } }, expiresAtMs: past() });
    return key;
  }

  test("an expired item is absent for every read", async () => {
    const { table } = backend().storage;
    const key = await expired("b");
    await table.write({ op: "put", key: { ...key, sk: "a" }, item: { n: 1 } });
    await table.write({ op: "put", key: { ...key, sk: "c" }, item: { n: 3 }, expiresAtMs: future() });
    expect(await table.get(key)).toBeUndefined();
    expect(await table.getMany([key, { ...key, sk: "c" }])).toEqual([undefined, { n: 3 }]);
    expect((await table.range(key.pk)).map(({ key: { sk } }) => sk)).toEqual(["a", "c"]);
    expect((await table.range(key.pk, { from: "b", to: "b" })).length).toBe(0);
  });

  test("a limited range counts only the items that are alive", async () => {
    const { table } = backend().storage;
    const pk = freshName();
    await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        table.write({
          op: "put",
          key: { pk, sk: String(i).padStart(2, "0") },
          item: { i },
          ...(i < 8 ? { expiresAtMs: past() } : {}),
        }),
      ),
    );
    expect((await table.range(pk, { limit: 3 })).map(({ item }) => item["i"])).toEqual([8, 9, 10]);
    expect((await table.range(pk, { limit: 6, reverse: true })).map(({ item }) => item["i"])).toEqual([11, 10, 9, 8]);
  });

  test("an item whose expiry is still to come is there", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    expect(await table.write({ op: "put", key, item: { n: 1 }, expiresAtMs: future() })).toEqual({ n: 1 });
    expect(await table.get(key)).toEqual({ n: 1 });
    expect(await table.range(key.pk)).toEqual([{ key, item: { n: 1 } }]);
    const again = table.write({ op: "put", key, item: {}, when: [{ item: "absent" }] });
    expect((await storageErrorOf(again)).item).toEqual({ n: 1 });
  });

  test("an expired item can be put anew where it must be absent", async () => {
    const { table } = backend().storage;
    const key = await expired();
    await table.write({ op: "put", key, item: { n: 2 }, when: [{ item: "absent" }] });
    expect(await table.get(key)).toEqual({ n: 2 });
    const staged = await expired();
    const [[settled] = []] = await table.inOrder([[{ op: "put", key: staged, item: { n: 3 }, when: [{ item: "absent" }] }]]);
    expect(settled).toEqual({ ok: true, item: { n: 3 } });
    const atomic = await expired();
    await table.atomically([{ op: "put", key: atomic, item: { n: 4 }, when: [{ item: "absent" }] }]);
    expect(await table.get(atomic)).toEqual({ n: 4 });
  });

  test.each([
    [{ item: "exists" }, false],
    [{ path: "n", is: "exists" }, false],
    [{ path: "n", is: "absent" }, true],
    [{ path: "n", is: "=", value: 1 }, false],
    [{ path: "n", is: "!=", value: 1 }, true],
    [{ path: "n", is: "<", value: 2 }, false],
    [{ path: ["m", "a"], is: "exists" }, false],
    [{ path: "l", is: "contains", value: 1 }, false],
    [{ path: "l", is: "lacks", value: 1 }, true],
  ] satisfies [Condition, boolean][])("%o on an expired item is judged as on none: %s", async (condition, wanted) => {
    const { table } = backend().storage;
    const key = await expired();
    const write = table.write({ op: "put", key, item: { new: true }, when: [condition] });
    if (wanted) {
      expect(await write).toEqual({ new: true });
      return;
    }
    const error = await storageErrorOf(write);
    expect(error.kind).toBe("condition_failed");
    expect(error.item).toBeUndefined();
    expect(await table.get(key)).toBeUndefined();
  });

  test("a check in a transaction takes an expired item for absent", async () => {
    const { table } = backend().storage;
    const key = await expired();
    const other = freshKey();
    const put = { op: "put", key: other, item: {} } as const;
    const error = await storageErrorOf(table.atomically([put, { op: "check", key, when: [{ item: "exists" }] }]));
    expect(error).toMatchObject({ kind: "condition_failed", index: 1 });
    expect(error.item).toBeUndefined();
    await table.atomically([put, { op: "check", key, when: [{ item: "absent" }] }]);
    expect(await table.get(other)).toEqual({});
  });

  test("an update of an expired item starts from nothing", async () => {
    const { table } = backend().storage;
    const key = await expired();
    const update = { op: "update", key, changes: [{ add: "n", by: 5 }] } as const;
    expect(await table.write({ ...update, expiresAtMs: future() })).toEqual({ n: 5 });
    expect(await table.get(key)).toEqual({ n: 5 });
  });

  test("an update of an expired item, without an expiry of its own, makes an item that does not expire", async () => {
    const { table } = backend().storage;
    const key = await expired();
    expect(await table.write({ op: "update", key, changes: [{ add: "n", by: 5 }] })).toEqual({ n: 5 });
    expect(await table.get(key)).toEqual({ n: 5 });
  });

  test("an update of an expired item that must exist is refused", async () => {
    const { table } = backend().storage;
    const key = await expired();
    const update = { op: "update", key, changes: [{ add: "n", by: 5 }], when: [{ item: "exists" }] } as const;
    expect((await storageErrorOf(table.write(update))).item).toBeUndefined();
    const [[settled] = []] = await table.inOrder([[update]]);
    expect(errorOf(settled).kind).toBe("condition_failed");
    expect(await table.get(key)).toBeUndefined();
  });

  test("deleting an expired item succeeds", async () => {
    const { table } = backend().storage;
    const key = await expired();
    await table.write({ op: "delete", key });
    expect(await table.get(key)).toBeUndefined();
  });

  test("a put without an expiry takes the old one away", async () => {
    const { table } = backend().storage;
    const key = await expired();
    await table.write({ op: "put", key, item: { n: 2 } });
    expect(await table.get(key)).toEqual({ n: 2 });
  });

  test("a put without an expiry takes away one that is still to come", async ({ skip }) => {
    const { storage, passTime } = backend();
    if (passTime === undefined) return skip(NO_TIME);
    const key = freshKey();
    await storage.table.write({ op: "put", key, item: { n: 1 }, expiresAtMs: future() });
    await storage.table.write({ op: "put", key, item: { n: 2 } });
    passTime(11 * MINUTE_MS);
    expect(await storage.table.get(key)).toEqual({ n: 2 });
  });

  test("an update can set the expiry", async () => {
    const { table } = backend().storage;
    const key = freshKey();
    await table.write({ op: "put", key, item: { n: 1 } });
    await table.write({ op: "update", key, changes: [{ add: "n", by: 1 }], expiresAtMs: past() });
    expect(await table.get(key)).toBeUndefined();
  });

  test("an item expires when its time has come, in whole seconds, rounded up", async ({ skip }) => {
    const { storage, clock, passTime } = backend();
    if (passTime === undefined) return skip(NO_TIME);
    const key = freshKey();
    const expiresAtMs = Math.ceil(clock.nowMs() / 1000) * 1000 + 30_001;
    await storage.table.write({ op: "put", key, item: { n: 1 }, expiresAtMs });
    passTime(expiresAtMs - clock.nowMs());
    expect(await storage.table.get(key)).toEqual({ n: 1 });
    passTime(1000);
    expect(await storage.table.get(key)).toBeUndefined();
    expect(await storage.table.range(key.pk)).toEqual([]);
  });

  test("an update without an expiry keeps the one that the item has", async ({ skip }) => {
    const { storage, passTime } = backend();
    if (passTime === undefined) return skip(NO_TIME);
    const [key, other] = [freshKey(), freshKey()];
    await storage.table.write({ op: "put", key, item: { n: 1 }, expiresAtMs: future() });
    await storage.table.write({ op: "update", key, changes: [{ add: "n", by: 1 }] });
    await storage.table.write({ op: "put", key: other, item: { n: 1 }, expiresAtMs: future() });
    await storage.table.write({
      op: "update",
      key: other,
      changes: [{ add: "n", by: 1 }],
      expiresAtMs: future() + 20 * MINUTE_MS,
    });
    expect(await storage.table.get(key)).toEqual({ n: 2 });
    passTime(11 * MINUTE_MS);
    expect(await storage.table.getMany([key, other])).toEqual([undefined, { n: 2 }]);
  });
}
