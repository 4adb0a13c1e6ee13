/** `brokerless token`, and servers that ask for one. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startServer } from "../../../lib/server/start.ts";
import type { RunningServer } from "../../../lib/server/types.ts";
import { brokerless, lines, type Ran, type RunOptions } from "./run.ts";

let data: string;
let server: RunningServer;
/** The first one, made before the server ran. */
let admin: string;

const run = (args: string, options: RunOptions = {}): Promise<Ran> => brokerless(args.split(" "), options);
const as = (token: string): RunOptions => ({ url: server.url, env: { BROKERLESS_TOKEN: token } });

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), "brokerless-token-"));
  const first = await run(`token create --name admin --admin --data ${data}`);
  expect(first.code).toBe(0);
  expect(first.err).toMatch(/^token [a-z2-7]{8} \(admin\): admin on cluster; does not expire\. It is shown this once\.$/m);
  admin = first.out.trim();
  server = await startServer({ http: { host: "127.0.0.1", port: 0 }, data, auth: "token", kafka: undefined });
  expect(server.hasTokens).toBe(true);
});
afterAll(async () => {
  await server.close();
  await rm(data, { recursive: true });
});

describe("tokens on the command line", () => {
  test("stdout is the token alone, and it opens what it was made for", async () => {
    expect(admin).toMatch(/^bkl_[a-z2-7]{8}_[a-z2-7]{32}$/);
    expect((await run("topic create shop.orders", as(admin))).code).toBe(0);
    const made = await run(
      "token create --name shop --topic-prefix shop. --group-prefix shop --allow read,write --expires 30d",
      as(admin),
    );
    const shop = made.out.trim();
    expect(made.err).toMatch(/read,write on topic shop\.\*; read,write on group shop\*; expires \d{4}-/);
    expect((await run("produce shop.orders", { ...as(shop), stdin: "one\n" })).code).toBe(0);
    expect((await run("consume shop.orders -e", as(shop))).out).toBe("one\n");
    expect((await run(`consume shop.orders -e --token ${shop}`, { url: server.url })).out).toBe("one\n");
  });

  test("what a token lacks is one line", async () => {
    const reader = (await run("token create --name r --topic shop.orders --allow read", as(admin))).out.trim();
    const ran = await run("produce shop.orders", { ...as(reader), stdin: "one\n" });
    expect(ran.code).toBe(1);
    expect(ran.err).toContain("this token lacks write on any topic");
    expect(await run("topic delete shop.orders", as(reader))).toMatchObject({
      code: 1,
      err: 'brokerless: this token lacks admin on topic "shop.orders"\n',
    });
    expect((await run("token list", as(reader))).err).toBe("brokerless: this token lacks admin on the cluster\n");
  });

  test("without a token, and with one that is none, it says so and repeats nothing", async () => {
    expect((await run("topic list", { url: server.url })).err).toBe(
      'brokerless: who calls must say so: send a token as "Authorization: Bearer <token>"\n',
    );
    for (const wrong of [`bkl_aaaaaaaa_${"b".repeat(32)}`, "secret word", "secret\n"]) {
      for (const args of ["topic list", "token list --json", "produce shop.orders", "health"]) {
        const ran = await run(args, { ...as(wrong), stdin: "x\n" });
        expect(ran.out + ran.err).not.toContain(wrong.trim());
        if (args !== "health" || wrong.startsWith("secret")) expect(ran.code).not.toBe(0);
      }
    }
  });

  test("tokens are listed without their secrets, and revoked by their ids", async () => {
    const made = JSON.parse((await run("token create --name gone --topic a --allow read --json", as(admin))).out);
    expect(made).toMatchObject({
      name: "gone",
      grants: [{ resource: "topic", name: "a", operations: ["read"] }],
      expires_at: null,
    });
    const listed = await run("token list", as(admin));
    expect(lines(listed.out)[0]).toMatch(/^ID +NAME +CREATED +EXPIRY +RIGHTS$/);
    expect(listed.out).toMatch(new RegExp(`^${made.token_id} +gone .* does not expire +read on topic a$`, "m"));
    const { token, ...shown } = made;
    expect(JSON.parse((await run("token list --json", as(admin))).out)).toContainEqual(shown);
    expect(listed.out).not.toContain(token.split("_")[2]);
    expect((await run("topic list", as(token))).code).toBe(0);
    expect(await run(`token revoke ${made.token_id}`, as(admin))).toMatchObject({ code: 0, out: `${made.token_id} revoked\n` });
    expect((await run("topic list", as(token))).err).toContain("the token is not valid here");
    expect((await run(`token revoke ${made.token_id}`, as(admin))).code).toBe(3);
  });

  test.each([
    ["token create --admin", "--name"],
    ["token create --name x", "of no use"],
    ["token create --name x --topic a", "--allow is missing"],
    ["token create --name x --allow read", "on what?"],
    ["token create --name x --topic a --allow fly", "read, write, admin"],
    ["token create --name x --topic a --allow read --expires soon", "30d"],
    ["token create --name x --topic a --allow read --expires 2020-01-01T00:00:00Z", "to come"],
    ["token list --data d --url http://127.0.0.1:1", "give one of them"],
    [`token revoke bkl_aaaaaaaa_${"b".repeat(32)}`, "an id is 8 letters and digits"],
  ])("%s: 2, and one line", async (args, message) => {
    const ran = await run(args);
    expect(ran).toMatchObject({ code: 2, out: "" });
    expect(lines(ran.err)).toHaveLength(1);
    expect(ran.err).toContain(message);
    expect(ran.err).not.toContain("b".repeat(32));
  });

  test("data that a server holds are not opened, and the way out is named", async () => {
    const ran = await run(`token create --name x --admin --data ${data}`);
    expect(ran).toMatchObject({ code: 1, out: "" });
    expect(ran.err).toMatch(/data directory .* is in use by process \d+; a server that runs is asked with --url/);
  });
});
