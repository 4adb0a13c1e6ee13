/** An agent behind a network and an AWS that fail: what its callers are told is what has happened. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { Brokerless, text } from "../../lib/client/index.ts";
import { systemClock } from "../../lib/storage/system/clock.ts";
import { type Agent, startAgent } from "./support/agent.ts";
import { type Fault, type FaultyProxy, startProxy } from "./support/proxy.ts";
import { dropPlaces, makePlace, openStorage, type Place } from "./support/storage.ts";
import { openLog, readAll } from "./support/writer.ts";

const target = inject("awsEndpoint");

interface Told {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: { readonly code?: string; readonly outcome?: string; readonly message?: string; readonly base_offset?: number };
}

describe.skipIf(!target.startsWith("http:"))("an agent (behind a proxy, so without TLS)", () => {
  let place: Place;
  let proxy: FaultyProxy;
  let agent: Agent;
  let topic: string;

  beforeAll(async () => {
    place = await makePlace(target);
    proxy = await startProxy(target);
    agent = await startAgent({ ...place, endpoint: proxy.endpoint }, ["--jobs", "false"]);
  });
  afterAll(async () => {
    proxy.decide = () => "pass";
    expect(await agent.stop()).toBe(0);
    expect(agent.said()).not.toContain("internal error");
    await proxy.close();
    await dropPlaces();
  });
  beforeEach(async () => {
    proxy.decide = () => "pass";
    topic = `t-${randomUUID()}`;
    await new Brokerless({ url: agent.url }).admin.createTopic({ name: topic });
    // Whatever is read once is read now.
    expect((await post("first")).body.base_offset).toBe(0);
  });

  async function post(value: string, headers: Record<string, string> = {}): Promise<Told> {
    const answer = await fetch(`${agent.url}/topics/${topic}/partitions/0/records`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ value }),
    });
    return { status: answer.status, retryAfter: answer.headers.get("retry-after"), body: (await answer.json()) as Told["body"] };
  }

  /** What is in the log, read around the proxy by a process of its own. */
  async function kept(): Promise<string[]> {
    const storage = openStorage(place);
    const log = openLog(storage);
    try {
      return (await readAll(log, topic, 0)).map(({ value }) =>
        text(value ?? new Uint8Array())
          .slice(0, 10)
          .trim(),
      );
    } finally {
      await log.close();
      await storage.close();
    }
  }

  /** These faults for the next requests of this name; then all goes well. */
  function disturb(name: string, ...faults: readonly Fault[]): void {
    const left = [...faults];
    proxy.decide = (request) => (request.name.startsWith(name) ? (left.shift() ?? "pass") : "pass");
  }

  const LARGE = "large".padEnd(20_000, " ");

  test.each([
    ["the head's update is cut before it is done", "DynamoDB UpdateItem", "cut before", "small"],
    ["the head's update is cut after it was done", "DynamoDB UpdateItem", "cut after", "small"],
    ["the head's update is done after its sender has given up", "DynamoDB UpdateItem", { lateMs: 200 }, "small"],
    ["the table breaks in the middle", "DynamoDB UpdateItem", { status: 500, type: "InternalServerError" }, "small"],
    ["the blob's put is cut after it was done", "DynamoDB PutItem", "cut after", "small"],
    ["the object's put is cut after it was done", "S3 PUT", "cut after", LARGE],
    ["the object's put is throttled once", "S3 PUT", { status: 503, type: "SlowDown" }, LARGE],
    ["the table throttles once", "DynamoDB UpdateItem", { status: 400, type: "ProvisionedThroughputExceededException" }, "small"],
  ] satisfies [string, string, Fault, string][])(
    "finds out what became of an append when %s, and answers it",
    async (_, name, fault, value) => {
      disturb(name, fault);
      const told = await post(value);
      const now = await kept();
      if (told.status === 200) expect(now).toEqual(["first", value.trim()]);
      else {
        // It may say no, but then it is no, for good.
        expect(told.body.outcome).toBe("not_applied");
        expect(told.retryAfter).not.toBeNull();
        await systemClock.sleep(400);
        expect(await kept()).toEqual(["first"]);
      }
      expect((await post("next")).body.base_offset).toBe((await kept()).length - 1);
    },
  );

  test("says unknown when the network goes in the middle of an append and does not come back; the same key then tells, and writes once", async () => {
    for (const fault of ["cut after", "cut before"] as const) {
      const value = fault.slice(4);
      const headers = { "idempotency-key": `${topic}-${value}` };
      let isCut = false;
      proxy.decide = ({ name }) => {
        if (isCut) return "cut before";
        if (name !== "DynamoDB UpdateItem") return "pass";
        isCut = true;
        return fault;
      };
      const told = await post(value, headers);
      expect(told).toMatchObject({ status: 504, body: { code: "outcome_unknown", outcome: "unknown" } });
      expect(told.body.message).not.toContain("\n");
      proxy.decide = () => "pass";
      let again = await post(value, headers);
      for (let i = 0; again.status === 409 && i < 100; i++) {
        expect(again.body.code).toBe("idempotency_in_progress");
        await systemClock.sleep(500);
        again = await post(value, headers);
      }
      expect(again.status, JSON.stringify(again.body)).toBe(200);
      const now = await kept();
      expect(now.filter((one) => one === value)).toHaveLength(1);
      expect(now[again.body.base_offset ?? -1]).toBe(value);
    }
  });

  test.each([
    [
      "the table",
      "DynamoDB UpdateItem",
      { status: 400, type: "ProvisionedThroughputExceededException", message: "too much" },
      "small",
      429,
    ],
    [
      "the table, by another name",
      "DynamoDB UpdateItem",
      { status: 400, type: "ThrottlingException", message: "too much" },
      "small",
      429,
    ],
    ["S3", "S3 PUT", { status: 503, type: "SlowDown", message: "Please reduce your request rate." }, LARGE, 429],
  ] satisfies [string, string, Fault, string, number][])(
    "backs off while %s throttles, then answers 429 with Retry-After, and nothing is written",
    async (_, name, fault, value, status) => {
      const before = proxy.seen.length;
      proxy.decide = (request) => (request.name.startsWith(name) ? fault : "pass");
      const told = await post(value);
      expect(told).toMatchObject({ status, body: { code: "throttled", outcome: "not_applied" } });
      expect(Number(told.retryAfter)).toBeGreaterThanOrEqual(1);
      const sent = proxy.seen.slice(before).filter((one) => one.startsWith(name)).length;
      expect(sent).toBeGreaterThan(3);
      // Its patience ends before that of a gateway.
      expect(sent).toBeLessThan(60);
      proxy.decide = () => "pass";
      expect(await kept()).toEqual(["first"]);
      expect((await post("next")).body.base_offset).toBe(1);
    },
  );

  test.each([
    [
      "credentials that have expired",
      { status: 400, type: "ExpiredTokenException", message: "The security token included in the request is expired" },
      /credentials have expired: get new ones/,
    ],
    [
      "a clock that is wrong",
      { status: 400, type: "InvalidSignatureException", message: "Signature expired: 1 is now earlier than 2" },
      /refuses this machine's clock: set it right/,
    ],
    [
      "a table that was deleted",
      { status: 400, type: "ResourceNotFoundException", message: "Requested resource not found" },
      /table ".*" is not in us-east-1/,
    ],
    [
      "a right that was taken away",
      { status: 400, type: "AccessDeniedException", message: "not authorized" },
      /may not do dynamodb:/,
    ],
  ] satisfies [string, Fault, RegExp][])(
    "says what to do about %s, to whoever calls and in /health, and works again when it is done",
    async (_, fault, says) => {
      proxy.decide = ({ name }) => (name.startsWith("DynamoDB") ? fault : "pass");
      const told = await post("refused");
      expect(told).toMatchObject({
        status: 503,
        body: { code: "unavailable", outcome: "not_applied", message: expect.stringMatching(says) },
      });
      expect(told.retryAfter).not.toBeNull();
      const health = await fetch(`${agent.url}/health`);
      expect(health.status).toBe(503);
      expect(((await health.json()) as Told["body"]).message).toMatch(says);
      proxy.decide = () => "pass";
      expect((await post("again")).body.base_offset).toBe(1);
      expect(await kept()).toEqual(["first", "again"]);
    },
  );
});
