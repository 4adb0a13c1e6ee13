import { describe, expect, test } from "vitest";
import { Tokens } from "../../../lib/auth/index.ts";
import { tokenKey } from "../../../lib/auth/items/token.ts";
import { scramVerifier } from "../../../lib/auth/scram.ts";
import type { TokenSpec } from "../../../lib/auth/spec.ts";
import { base32, parseToken } from "../../../lib/auth/token-text.ts";
import { type Key, type Storage, StorageError } from "../../../lib/ports/index.ts";
import { memoryStorage } from "../../../lib/storage/memory/index.ts";
import { systemIds } from "../../../lib/storage/system/ids.ts";
import { START_MS, TestClock } from "../log/support.ts";

const READER: TokenSpec = { name: "reader", grants: [{ resource: "topic", prefix: "clicks.", operations: ["read"] }] };

/** Two processes over one table, with a clock that the test moves and the reads counted. */
function bench() {
  const clock = new TestClock();
  const storage: Storage = memoryStorage({ clock });
  const ids = systemIds(clock);
  const reads: Key[] = [];
  const state = { broken: false };
  const table = {
    ...storage.table,
    write: storage.table.write.bind(storage.table),
    range: storage.table.range.bind(storage.table),
    get: async (key: Key) => {
      reads.push(key);
      if (state.broken) throw new StorageError("unavailable", "no answer");
      return storage.table.get(key);
    },
  } as Storage["table"];
  const process = (): Tokens => new Tokens({ table, clock, ids });
  return { clock, storage, ids, reads, here: process(), there: process(), state };
}

const NOT_VALID = { code: "unauthenticated", message: "the token is not valid here: it is mistyped, unknown or revoked" };

/** A promise, whether it was answered at once or not. */
async function asked(tokens: Tokens, text: string) {
  return tokens.authenticate(text);
}

describe("tokens", () => {
  test("a token is shown once, and is who it was made to be", async () => {
    const { here, there, storage } = bench();
    const created = await here.create({ ...READER, expiresAtMs: START_MS + 1000 });
    const { token, createdAtMs, ...principal } = created;
    expect(token).toMatch(/^bkl_[a-z2-7]{8}_[a-z2-7]{32}$/);
    expect(createdAtMs).toBe(START_MS);
    expect(await asked(there, token)).toEqual(principal);
    expect(await there.list()).toEqual([{ ...principal, createdAtMs }]);
    const secret = parseToken(token)?.secret as string;
    const kept = JSON.stringify(await storage.table.get(tokenKey(created.id)), (_, value) =>
      value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value,
    );
    expect(kept).not.toContain(secret);
  });

  test("two tokens have nothing in common", async () => {
    const { here } = bench();
    const [a, b] = [await here.create(READER), await here.create(READER)];
    expect(a.id).not.toBe(b.id);
    expect(parseToken(a.token)?.secret).not.toBe(parseToken(b.token)?.secret);
  });

  test("a wrong secret, an unknown id and what is no token are refused in the same words", async () => {
    const { here } = bench();
    const { token, id } = await here.create(READER);
    const wrong = `bkl_${id}_${"a".repeat(32)}`;
    for (const text of [wrong, wrong, `bkl_aaaaaaaa_${"a".repeat(32)}`, "", "bkl_", `${token}a`, token.toUpperCase(), "é"])
      await expect(asked(here, text)).rejects.toMatchObject(NOT_VALID);
    expect(await asked(here, token)).toMatchObject({ id });
  });

  test("a token in the cache is judged at once and without reading", async () => {
    const { here, clock, reads } = bench();
    const { token, id } = await here.create(READER);
    await asked(here, token);
    clock.ms += 29_999;
    expect(here.authenticate(token)).toMatchObject({ id });
    expect(reads).toHaveLength(1);
    clock.ms += 1;
    expect(here.authenticate(token)).toBeInstanceOf(Promise);
    expect(reads).toHaveLength(2);
  });

  test("requests that come together read once", async () => {
    const { here, there, reads } = bench();
    const { token } = await here.create(READER);
    await Promise.all(Array.from({ length: 20 }, () => asked(there, token)));
    expect(reads).toHaveLength(1);
  });

  test("a revoked token is refused at once here, and after 30 s where it was in a cache", async () => {
    const { here, there, clock } = bench();
    const { token, id } = await here.create(READER);
    await Promise.all([asked(here, token), asked(there, token)]);
    await there.revoke(id);
    await expect(asked(there, token)).rejects.toMatchObject(NOT_VALID);
    clock.ms += 29_999;
    expect(await asked(here, token)).toMatchObject({ id });
    clock.ms += 1;
    await expect(asked(here, token)).rejects.toMatchObject(NOT_VALID);
    expect(await here.list()).toEqual([]);
  });

  test("a token that is read while it is revoked is not kept", async () => {
    const { here, storage } = bench();
    const { token, id } = await here.create(READER);
    const get = storage.table.get.bind(storage.table);
    let answer = (): void => {};
    storage.table.get = async (key) => {
      const item = await get(key);
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return item;
    };
    const late = asked(here, token);
    await new Promise((resolve) => setImmediate(resolve));
    await here.revoke(id);
    answer();
    await late;
    storage.table.get = get;
    await expect(asked(here, token)).rejects.toMatchObject(NOT_VALID);
  });

  test("a token expires to the millisecond, and is told so only to who has it", async () => {
    const { here, clock } = bench();
    const { token, id } = await here.create({ ...READER, expiresAtMs: START_MS + 1000 });
    clock.ms += 999;
    expect(await asked(here, token)).toMatchObject({ id });
    clock.ms += 1;
    await expect(asked(here, token)).rejects.toMatchObject({
      code: "unauthenticated",
      message: 'the token "reader" expired at 2023-11-14T22:13:21.000Z: ask for a new one',
    });
    await expect(asked(here, `bkl_${id}_${"a".repeat(32)}`)).rejects.toMatchObject(NOT_VALID);
    expect(await here.scram(id, "SCRAM-SHA-256")).toBeUndefined();
    clock.ms += 31 * 24 * 3_600_000;
    await expect(asked(here, token)).rejects.toMatchObject(NOT_VALID);
  });

  test("nobody is let in while the table does not answer, but who is in the cache", async () => {
    const { here, there, state } = bench();
    const { token, id } = await here.create(READER);
    await asked(here, token);
    state.broken = true;
    expect(await asked(here, token)).toMatchObject({ id });
    await expect(asked(there, token)).rejects.toMatchObject({ code: "unavailable", outcome: "not_applied" });
  });

  test("guesses drive no token out of the cache, and the cache does not grow with them", async () => {
    const { here, ids, reads } = bench();
    const { token } = await here.create(READER);
    await asked(here, token);
    const guess = (): string => `bkl_${base32(ids.secret(5))}_${"a".repeat(32)}`;
    for (let i = 0; i < 2500; i++) await asked(here, guess()).catch(() => {});
    const before = reads.length;
    here.authenticate(token);
    expect(reads.length).toBe(before);
  });

  test("an id that is taken is not given again", async () => {
    const { here, there, storage, clock, ids } = bench();
    const first = await here.create(READER);
    const bytes = [first.id, "bbbbbbbb"].map((id) => unbase32(id));
    const repeating = { ...ids, secret: (size: number) => (size === 5 ? (bytes.shift() as Uint8Array) : ids.secret(size)) };
    const second = await new Tokens({ table: storage.table, clock, ids: repeating }).create(READER);
    expect(second.id).toBe("bbbbbbbb");
    expect(await asked(there, first.token)).toMatchObject({ id: first.id });
  });

  test("SCRAM finds the token by its id and verifies the whole token", async () => {
    const { here, there } = bench();
    const { token, id } = await here.create(READER);
    for (const mechanism of ["SCRAM-SHA-256", "SCRAM-SHA-512"] as const) {
      const found = await there.scram(id, mechanism);
      if (found === undefined) throw new Error("not found");
      const { salt, iterations, storedKey, serverKey } = found.verifier;
      const right = await scramVerifier(mechanism, token, salt, iterations);
      expect(found.principal.id).toBe(id);
      expect([storedKey, serverKey].map(hex)).toEqual([right.storedKey, right.serverKey].map(hex));
    }
    expect(await there.scram("aaaaaaaa", "SCRAM-SHA-256")).toBeUndefined();
    expect(await there.scram("not an id", "SCRAM-SHA-256")).toBeUndefined();
  });

  test("an item of a newer program is refused, whatever it grants", async () => {
    const { here, there, storage } = bench();
    const { token, id } = await here.create(READER);
    const item = await storage.table.get(tokenKey(id));
    await storage.table.write({ op: "put", key: tokenKey(id), item: { ...item, g: [["topic", "p", "", "rz"]] } });
    await expect(asked(there, token)).rejects.toMatchObject({ code: "unsupported_version" });
    await storage.table.write({ op: "put", key: tokenKey(id), item: { ...item, v: 2 } });
    await expect(asked(there, token)).rejects.toMatchObject({ code: "unsupported_version" });
  });

  test.each([
    [{ ...READER, name: "" }, "name", "1 to 100 printable"],
    [{ ...READER, name: "a\nb" }, "name", '"a\\nb"'],
    [{ ...READER, grants: [] }, "grants", "it has 0"],
    [{ ...READER, expiresAtMs: START_MS }, "expires_at", "in the future"],
    [{ ...READER, expiresAtMs: Number.NaN }, "expires_at", "NaN"],
    [{ ...READER, grants: [{ resource: "topic", prefix: "clicks*", operations: ["read"] }] }, "grants[0].prefix", "no patterns"],
    [{ ...READER, grants: [{ resource: "topic", operations: ["read"] }] }, "grants[0]", "a name"],
    [{ ...READER, grants: [{ resource: "topic", name: "a", prefix: "a", operations: ["read"] }] }, "grants[0]", "either"],
    [{ ...READER, grants: [{ resource: "topic", name: "", operations: ["read"] }] }, "grants[0].name", "is empty"],
    [{ ...READER, grants: [{ resource: "group", prefix: "a".repeat(250), operations: ["read"] }] }, "grants[0].prefix", "250"],
    [{ ...READER, grants: [{ resource: "cluster", prefix: "", operations: ["read"] }] }, "grants[0]", "one cluster"],
    [{ ...READER, grants: [{ resource: "topic", prefix: "", operations: [] }] }, "grants[0].operations", "one or more"],
    [{ ...READER, grants: [{ resource: "topic", prefix: "", operations: ["fly"] }] }, "grants[0].operations", '"fly"'],
    [{ ...READER, grants: [{ resource: "moon", prefix: "", operations: ["read"] }] }, "grants[0].resource", '"moon"'],
  ] as unknown as [TokenSpec, string, string][])("%j is refused by its field", async (spec, field, said) => {
    const { here } = bench();
    await expect(here.create(spec)).rejects.toMatchObject({
      code: "invalid_request",
      field,
      message: expect.stringContaining(said),
    });
    expect(await here.exist()).toBe(false);
  });

  test("revoking what is not there says so", async () => {
    const { here } = bench();
    for (const id of ["aaaaaaaa", "../etc", ""])
      await expect(here.revoke(id)).rejects.toMatchObject({ code: "not_found", field: "token_id" });
  });
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function unbase32(text: string): Uint8Array {
  let bits = 0n;
  for (const letter of text) bits = (bits << 5n) | BigInt("abcdefghijklmnopqrstuvwxyz234567".indexOf(letter));
  return Uint8Array.from({ length: 5 }, (_, i) => Number((bits >> BigInt(32 - 8 * i)) & 255n));
}
