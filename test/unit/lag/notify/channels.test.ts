import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type NotifierMeans, openNotifiers } from "../../../../lib/lag/notify/config.ts";
import { checkTemplate, type Notice, render, textOf } from "../../../../lib/lag/notify/notice.ts";
import { systemClock } from "../../../../lib/storage/system/clock.ts";

const SECRET = "0123456789abcdef-secret";
const NOTICE: Notice = {
  id: "a-2",
  incident: "a",
  sequence: 2,
  event: "repeat",
  notifier: "people",
  cluster: "c",
  group: 'quo"ted\n{{id}} ünï',
  opened_at: "2026-01-01T00:00:00.000Z",
  at: "2026-01-01T01:00:00.000Z",
  summary: "group g is ERR, still: 7 records and 9 s behind",
  status: "ERR",
  total_lag: 7,
  seconds_behind: 9,
  partitions_not_ok: 2,
  partitions: [
    {
      topic: "clicks",
      partition: 3,
      status: "STOP",
      offset: 1,
      log_end_offset: 8,
      lag: 7,
      lost_records: 2,
      seconds_behind: 9,
    },
  ],
};

interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let url: string;
const received: Received[] = [];
/** The shape of the next answers. */
let answer: { status: number; body?: string; location?: string; never?: boolean } = { status: 200 };
const server = createServer((request, response) => {
  let body = "";
  request.on("data", (data) => {
    body += data;
  });
  request.on("end", () => {
    received.push({ path: request.url ?? "", headers: request.headers, body });
    if (answer.never) return;
    response.writeHead(answer.status, answer.location === undefined ? {} : { location: answer.location });
    response.end(answer.body);
  });
});
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  received.length = 0;
  answer = { status: 200 };
});

const means = (): NotifierMeans => ({
  clock: systemClock,
  send: (to, init) => fetch(to, init),
  secret: async () => SECRET,
  sns: (region) => ({ endpoint: `${url}/sns/${region}`, send: (to, init) => fetch(to, init) }),
});

async function channelOf(settings: object) {
  const [notifier] = await openNotifiers("notifiers.json", JSON.stringify([{ name: "people", ...settings }]), means());
  return notifier?.channel as NonNullable<typeof notifier>["channel"];
}

/** As docs/lag.md says that a receiver does it. */
function isFromUs({ headers, body }: Received): boolean {
  const timestamp = String(headers["brokerless-timestamp"]);
  const expected = Buffer.from(`v1=${createHmac("sha256", SECRET).update(`${timestamp}.${body}`).digest("hex")}`);
  const given = Buffer.from(String(headers["brokerless-signature"]));
  return given.length === expected.length && timingSafeEqual(given, expected);
}

describe("a webhook", () => {
  test("gets everything as JSON, signed, with an id that repetitions share", async () => {
    const channel = await channelOf({ webhook: { url: `${url}/hook`, headers: { "X-Team": "data" }, secretFile: "s" } });
    await channel.send(NOTICE, 5000);
    const [one] = received as [Received];
    expect(JSON.parse(one.body)).toEqual(NOTICE);
    expect(one.headers).toMatchObject({ "content-type": "application/json", "idempotency-key": "a-2", "x-team": "data" });
    expect(isFromUs(one)).toBe(true);
    expect(isFromUs({ ...one, body: one.body.replace("7", "8") })).toBe(false);
    const age = systemClock.nowMs() / 1000 - Number(one.headers["brokerless-timestamp"]);
    expect(Math.abs(age)).toBeLessThan(60);
  });

  test("without a secret is not signed", async () => {
    await (await channelOf({ webhook: { url } })).send(NOTICE, 5000);
    expect(received[0]?.headers["brokerless-signature"]).toBeUndefined();
  });

  test("gets what its template says, the close by one of its own", async () => {
    const channel = await channelOf({
      webhook: { url },
      template: { text: "{{group}}: {{total_lag}}", n: "{{total_lag}}", fixed: [1, null, "{{partitions}}"] },
      closeTemplate: { text: "well" },
    });
    await channel.send(NOTICE, 5000);
    await channel.send({ ...NOTICE, event: "close" }, 5000);
    expect(received.map(({ body }) => JSON.parse(body))).toEqual([
      { text: `${NOTICE.group}: 7`, n: 7, fixed: [1, null, NOTICE.partitions] },
      { text: "well" },
    ]);
  });

  test("that does not take it says why; a redirect is not followed, and silence ends", async () => {
    const channel = await channelOf({ webhook: { url } });
    answer = { status: 503, body: "try\n later" };
    await expect(channel.send(NOTICE, 5000)).rejects.toThrow("answers 503: try later");
    answer = { status: 307, location: `${url}/elsewhere` };
    await expect(channel.send(NOTICE, 5000)).rejects.toThrow("redirects are not followed");
    expect(received.map(({ path }) => path)).toEqual(["/", "/"]);
    answer = { status: 200, never: true };
    await expect(channel.send(NOTICE, 50)).rejects.toThrow(/timeout/i);
  });
});

test("a topic of SNS gets text for people, with attributes to filter by and an id to drop repetitions by", async () => {
  const channel = await channelOf({ sns: { topicArn: "arn:aws:sns:eu-west-1:123456789012:lag.fifo" } });
  await channel.send(NOTICE, 5000);
  expect(received[0]?.path).toBe("/sns/eu-west-1");
  const fields = new URLSearchParams(received[0]?.body);
  expect(fields.get("Action")).toBe("Publish");
  expect(fields.get("Message")).toBe(textOf(NOTICE));
  // ASCII in one line.
  expect(fields.get("Subject")).toBe('ERR: consumer group quo"ted?{{id}} ?n?');
  expect(fields.get("MessageDeduplicationId")).toBe("a-2");
  const names = [1, 2, 3, 4].map((i) => fields.get(`MessageAttributes.entry.${i}.Name`));
  expect(names).toEqual(["group", "status", "event", "id"]);
});

test("text for people names the worst partitions and how many more there are", () => {
  expect(textOf(NOTICE).split("\n")).toEqual([
    "group g is ERR, still: 7 records and 9 s behind",
    "  clicks-3: STOP, 7 records and 9 s behind, 2 lost (offset 1 of 8)",
    "  and 1 more",
    "",
    "cluster c, incident a since 2026-01-01T00:00:00.000Z, message 2, 2026-01-01T01:00:00.000Z",
  ]);
});

test("what a group is called is never taken as a placeholder", () => {
  expect(render("{{group}} {{status}}", NOTICE)).toBe(`${NOTICE.group} ERR`);
  expect(() => checkTemplate({ a: ["{{grupp}}"] })).toThrow("{{grupp}} is not known");
});

describe("a configuration that is wrong names what", () => {
  test.each<[unknown, string]>([
    [{ name: "x" }, "must hold|expected array"],
    [[{ name: "a b", webhook: { url: "https://x.example" } }], "[0].name: takes 1 to 64 letters"],
    [[{ name: "a" }], 'notifier "a": takes a webhook or sns, and one of them alone'],
    [[{ name: "a", webhook: { url: "http://hooks.example/x" } }], "takes https://"],
    [[{ name: "a", webhook: { url: "ftp://hooks.example/x" } }], "takes https://"],
    [[{ name: "a", webhook: { url: "https://u:p@hooks.example/x" } }], "no user name"],
    [[{ name: "a", webhook: { url: "https://x.example", header: {} } }], "[0].webhook"],
    [[{ name: "a", webhook: { url: "https://x.example", headers: { "a b": "c" } } }], "webhook.headers"],
    [[{ name: "a", webhook: { url: "https://x.example" }, groups: "(" }], "groups: "],
    [[{ name: "a", webhook: { url: "https://x.example" }, threshold: "STOP" }], "[0].threshold"],
    [[{ name: "a", webhook: { url: "https://x.example" }, template: "{{nope}}" }], "{{nope}} is not known"],
    [[{ name: "a", sns: { topicArn: "arn:aws:sqs:us-east-1:1:q" } }], "the ARN of an SNS topic"],
    [
      [
        { name: "a", webhook: { url: "https://x.example" } },
        { name: "a", webhook: { url: "https://y.example" } },
      ],
      'two notifiers are called "a"',
    ],
  ])("%j", async (values, message) => {
    const refused = await openNotifiers("notifiers.json", JSON.stringify(values), means()).catch(
      (error: unknown) => error as Error,
    );
    expect(refused).toBeInstanceOf(Error);
    const said = (refused as Error).message;
    expect(said.startsWith("notifiers.json: ")).toBe(true);
    expect(
      message.split("|").some((one) => said.includes(one)),
      said,
    ).toBe(true);
  });

  test("text that is no JSON, and a secret that is short", async () => {
    await expect(openNotifiers("f", "{", means())).rejects.toThrow("f: must hold a JSON list of notifiers");
    const short = { ...means(), secret: async () => "short" };
    const text = JSON.stringify([{ name: "a", webhook: { url: "https://x.example", secretFile: "s" } }]);
    await expect(openNotifiers("f", text, short)).rejects.toThrow("the secret has 5 characters; it takes at least 16");
  });

  test("plain http is taken to this machine, or where it is meant", async () => {
    for (const webhook of [
      { url: "http://localhost:1/x" },
      { url: "http://[::1]:1/x" },
      { url: "http://hooks.example", insecure: true },
    ])
      expect(await openNotifiers("f", JSON.stringify([{ name: "a", webhook }]), means())).toHaveLength(1);
  });
});

test("groups are chosen by patterns: those that match, except for those that match the other", async () => {
  const text = JSON.stringify([{ name: "a", webhook: { url: "https://x.example" }, groups: "^orders", exceptGroups: "-test$" }]);
  const [notifier] = await openNotifiers("f", text, means());
  expect(["orders", "orders-eu", "orders-test", "other"].map((group) => notifier?.isFor(group))).toEqual([
    true,
    true,
    false,
    false,
  ]);
});
