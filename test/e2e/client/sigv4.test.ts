import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type SigningOptions, signingFetch } from "../../../lib/client/aws/index.ts";
import { Brokerless, BrokerlessError, type Fetch, text } from "../../../lib/client/index.ts";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { encodeBatch } from "../../../lib/kafka/index.ts";
import type { RunningServer } from "../../../lib/server/types.ts";
import { start } from "../cli/process.ts";
import { type Gateway, KEY, startGateway } from "./gateway.ts";
import { memoryServer } from "./server.ts";

let server: RunningServer;
let gateway: Gateway;
beforeAll(async () => {
  server = await memoryServer();
  gateway = await startGateway({ target: server.url });
});
afterAll(async () => {
  await gateway.close();
  await server.close();
});
beforeEach(() => {
  gateway.aheadMs = 0;
  gateway.passed.length = 0;
});

const REGION = "eu-west-1";

function signed(more: Partial<SigningOptions> = {}): Fetch {
  return signingFetch({ credentials: KEY, region: REGION, ...more });
}

function clientOf(more: Partial<SigningOptions> = {}, url = gateway.url): Brokerless {
  return new Brokerless({ url, codecs: nodeCodecs, fetch: signed(more), retry: { minMs: 1, maxMs: 1 } });
}

async function failure(work: Promise<unknown>): Promise<BrokerlessError> {
  const error = await work.then(
    () => undefined,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(BrokerlessError);
  return error as BrokerlessError;
}

describe("a client that signs, before a gateway that reckons by AWS's own signer", () => {
  test("makes topics, changes them, produces, reads, waits and streams", async () => {
    const client = clientOf();
    await client.admin.createTopic({ name: "all.of-it_1", partitions: 2 });
    // A path with a colon in it.
    await client.admin.alterConfigs("all.of-it_1", { "retention.ms": "1000000000" });
    await using producer = client.producer();
    for (let i = 0; i < 20; i++) await producer.send({ topic: "all.of-it_1", key: `k${i}`, value: `ünï ${i}` });
    const { producerId, producerEpoch } = await client.admin.allocateProducerId();
    const batch = encodeBatch([{ key: null, value: new Uint8Array([0, 255, 13, 10]) }], {
      timestampMs: 1,
      producerId,
      producerEpoch,
      baseSequence: 0,
    });
    await client.append("all.of-it_1", 0, batch);
    const seen: string[] = [];
    for await (const { value } of client.reader({ topic: "all.of-it_1", follow: false }))
      seen.push(Buffer.from(value ?? []).toString());
    expect(seen).toHaveLength(21);
    for (let i = 0; i < 20; i++) expect(seen).toContain(`ünï ${i}`);
    expect(gateway.passed.some((one) => one.includes("stream=true"))).toBe(true);
    expect(gateway.passed.some((one) => one.includes("configs:alter"))).toBe(true);
  });

  test.each([
    "/topics/none?a=b%20c&d=%2B&e=%C3%BC&f=~-._&g=%27%28%29%2A%21&h=%2F%3F%3D%26",
    "/topics/none?b=2&a=2&a=1&a=&c",
    "/topics/none?q=one+two&z=%25",
    "/v3/clusters/x/topics/a%20b%2Fc%C3%BC/configs:alter",
    "/topics/~tilde/(brackets)/it's",
  ])("is let through with %s", async (target) => {
    // Whatever the server makes of it: the gateway has let it through.
    const answer = await signed()(gateway.url + target, {});
    expect(answer.status).not.toBe(403);
    expect(gateway.passed).toHaveLength(1);
  });

  test("signs a body of any kind, streams too", async () => {
    const client = clientOf();
    await client.admin.createTopic({ name: "bodies" });
    const bodies = [
      '{"value":"text"}',
      new TextEncoder().encode('{"value":"bytes"}'),
      new Blob(['{"value":"blob"}']),
      new Response('{"value":"stream"}').body,
    ];
    for (const body of bodies) {
      const answer = await signed()(`${gateway.url}/topics/bodies/partitions/0/records`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
        duplex: "half",
      } as RequestInit);
      expect(answer.status).toBe(200);
    }
    const seen: string[] = [];
    for await (const { value } of client.reader({ topic: "bodies", follow: false })) seen.push(text(value ?? new Uint8Array()));
    expect(seen).toEqual(["text", "bytes", "blob", "stream"]);
  });

  test("reads server-sent events as they come", async () => {
    const client = clientOf();
    await client.admin.createTopic({ name: "live" });
    const stop = new AbortController();
    const answer = await signed()(`${gateway.url}/topics/live/partitions/0/events?offset=earliest`, { signal: stop.signal });
    await client.append("live", 0, encodeBatch([{ key: null, value: new TextEncoder().encode("now") }], { timestampMs: 1 }));
    let said = "";
    for await (const piece of answer.body ?? []) {
      said += new TextDecoder().decode(piece as Uint8Array);
      if (said.includes("now")) break;
    }
    stop.abort();
    expect(said).toContain("id: 0");
  });

  test("sends the session token, and takes credentials anew before each request", async () => {
    const guarded = await startGateway({ target: server.url, sessionToken: "FwoGZXIvYXdz//+=", service: "lambda" });
    let asked = 0;
    const client = clientOf(
      {
        service: "lambda",
        credentials: async () => {
          asked++;
          return { ...KEY, sessionToken: "FwoGZXIvYXdz//+=" };
        },
      },
      guarded.url,
    );
    await client.admin.listTopics();
    expect(asked).toBe(guarded.passed.length);
    await guarded.close();
  });
});

describe("what AWS refuses is told in one line, and nothing was applied", () => {
  const write = (client: Brokerless) =>
    client.append("t", 0, encodeBatch([{ key: null, value: new Uint8Array(1) }], { timestampMs: 1 }));

  test.each([
    [
      "an access key that AWS does not know",
      { credentials: { ...KEY, accessKeyId: "AKIDOTHER" } },
      "unauthenticated",
      /does not know the access key AKIDOTHER/,
    ],
    ["a secret that is wrong", { credentials: { ...KEY, secretAccessKey: "no" } }, "unauthenticated", /secret key does not fit/],
    ["another region", { region: "us-east-1" }, "unauthenticated", /signed for execute-api in us-east-1/],
    ["no credentials", { credentials: async () => undefined }, "unauthenticated", /was not signed: name AWS credentials/],
    [
      "credentials that cannot be had",
      {
        credentials: async () => {
          throw new Error("the profile is gone");
        },
      },
      "unauthenticated",
      /^there are no AWS credentials to sign with: the profile is gone/,
    ],
  ] satisfies [string, Partial<SigningOptions>, string, RegExp][])("%s", async (_, options, code, message) => {
    const error = await failure(write(clientOf(options)));
    expect(error).toMatchObject({ code, outcome: "not_applied", retriable: false });
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain("\n");
    expect(gateway.passed).toEqual([]);
  });

  test.each([
    [600_000, "behind"],
    [-600_000, "ahead"],
  ])("a clock that is wrong: the gateway's is %i ms ahead", async (aheadMs, direction) => {
    gateway.aheadMs = aheadMs;
    const error = await failure(write(clientOf()));
    expect(error).toMatchObject({ code: "unauthenticated", outcome: "not_applied" });
    expect(error.message).toMatch(new RegExp(`clock: it is (59\\d|60\\d) s ${direction}; set it right`));
  });

  test("what our own server refuses stays as it said it", async () => {
    const own: Fetch = async () =>
      Response.json(
        { error_code: 40301, code: "forbidden", message: "write on topic t is missing", outcome: "not_applied" },
        { status: 403 },
      );
    const error = await failure(write(clientOf({ fetch: own })));
    expect(error).toMatchObject({ code: "forbidden", message: "write on topic t is missing" });
  });

  test("a missing right is named", async () => {
    const denied: Fetch = async () =>
      Response.json({ Message: "Forbidden" }, { status: 403, headers: { "x-amzn-errortype": "AccessDeniedException" } });
    const error = await failure(write(clientOf({ fetch: denied, service: "lambda" })));
    expect(error).toMatchObject({ code: "forbidden", outcome: "not_applied" });
    expect(error.message).toContain("must allow lambda:InvokeFunctionUrl");
  });

  test("a token and a signature do not go together, and a domain of one's own needs a region", async () => {
    const both = new Brokerless({ url: gateway.url, token: "t", fetch: signed() });
    expect(await failure(both.admin.listTopics())).toMatchObject({ code: "invalid_request", field: "token" });
    const nowhere = new Brokerless({ url: gateway.url, fetch: signingFetch({ credentials: KEY }) });
    expect(await failure(nowhere.admin.listTopics())).toMatchObject({ code: "invalid_request", field: "region" });
  });
});

describe("the command line", () => {
  const env = { AWS_ACCESS_KEY_ID: KEY.accessKeyId, AWS_SECRET_ACCESS_KEY: KEY.secretAccessKey, AWS_REGION: REGION };

  async function run(
    args: readonly string[],
    more: Record<string, string> = {},
    input?: string,
  ): Promise<{ code: unknown; out: string; err: string }> {
    const one = start([...args, "--url", gateway.url], { ...env, ...more });
    one.child.stdin?.end(input ?? "");
    const code = await one.ended;
    return { code, ...one.output };
  }

  test("signs with --sigv4 what it makes, writes and reads", async () => {
    expect(await run(["topic", "create", "cli", "--sigv4"])).toMatchObject({ code: 0 });
    expect(await run(["produce", "cli", "--sigv4", "-q"], {}, "one\ntwo\n")).toMatchObject({ code: 0 });
    expect(await run(["consume", "cli", "--sigv4", "-e", "-q", "--region", REGION], { AWS_REGION: "us-east-1" })).toMatchObject({
      code: 0,
      out: "one\ntwo\n",
    });
    expect(gateway.passed.length).toBeGreaterThan(3);
  });

  test("says what is missing", async () => {
    const unsigned = await run(["topic", "list"]);
    expect(unsigned.code).toBe(1);
    const noRegion = await run(["topic", "list", "--sigv4"], { AWS_REGION: "" });
    expect(noRegion).toMatchObject({ code: 2, err: expect.stringMatching(/^brokerless: --sigv4: .* does not say which region/) });
    const both = await run(["topic", "list", "--sigv4", "--token", "x"]);
    expect(both).toMatchObject({ code: 2, err: expect.stringContaining("not both") });
    const wrong = await run(["topic", "list", "--sigv4"], { AWS_SECRET_ACCESS_KEY: "x" });
    expect(wrong).toMatchObject({ code: 1, err: expect.stringMatching(/^brokerless: the AWS secret key does not fit.*\n$/) });
    const none = await run(["topic", "list", "--sigv4"], {
      AWS_ACCESS_KEY_ID: "",
      AWS_SECRET_ACCESS_KEY: "",
      HOME: "/nowhere",
      AWS_EC2_METADATA_DISABLED: "true",
    });
    expect(none).toMatchObject({ code: 1, err: expect.stringMatching(/^brokerless: no AWS credentials: set AWS_PROFILE/) });
  });
});
