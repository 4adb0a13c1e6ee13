/** `brokerless serve` with a notifier of SNS: signed for its region by the credentials of the environment. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { Brokerless } from "../../../lib/client/index.ts";

const received: { authorization: string; fields: URLSearchParams }[] = [];
const sns = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  received.push({ authorization: String(request.headers.authorization), fields: new URLSearchParams(body) });
  response.end("<PublishResponse/>");
});
let child: ChildProcess | undefined;
let folder = "";
afterEach(async () => {
  child?.kill();
  sns.close();
  await rm(folder, { recursive: true, force: true });
});

test("a server tells a topic of SNS of a group in trouble", { timeout: 60_000 }, async () => {
  sns.listen(0, "127.0.0.1");
  await once(sns, "listening");
  folder = await mkdtemp(join(tmpdir(), "brokerless-sns-"));
  const file = join(folder, "notifiers.json");
  await writeFile(file, JSON.stringify([{ name: "people", sns: { topicArn: "arn:aws:sns:eu-west-1:123456789012:lag" } }]));
  const flags = [
    "--http",
    "127.0.0.1:0",
    "--kafka",
    "off",
    "--storage",
    "memory",
    "--json",
    "--notifiers",
    file,
    "--lag-interval-ms",
    "100",
  ];
  const { port } = sns.address() as AddressInfo;
  child = spawn(process.execPath, ["bin/brokerless.ts", "serve", ...flags], {
    env: {
      ...process.env,
      AWS_ENDPOINT_URL_SNS: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
      AWS_SECRET_ACCESS_KEY: "secret",
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(child.stdout as NonNullable<typeof child.stdout>, "data");
  const { url } = JSON.parse(String(line)) as { url: string };
  const post = async (path: string, body: object): Promise<void> => {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    expect(response.status, await response.text()).toBe(200);
  };
  await new Brokerless({ url }).admin.createTopic({ name: "t" });
  await post("/v1/groups/billing/offsets", { offsets: [{ topic: "t", partition: 0, offset: 5 }] });
  await expect.poll(() => received.length, { timeout: 20_000 }).toBe(1);
  expect(received[0]?.authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/sns\/aws4_request, /);
  const { fields } = received[0] as (typeof received)[number];
  expect(fields.get("TopicArn")).toBe("arn:aws:sns:eu-west-1:123456789012:lag");
  expect(fields.get("Message")).toContain("group billing is ERR");
});
