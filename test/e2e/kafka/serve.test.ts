/** Kafka's protocol on a real server: over TCP, over TLS, over `POST /kafka`; what it is told, and how it refuses. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Kafka, logLevel } from "kafkajs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openKafka } from "../../../lambdas/kafka.ts";
import { createHttpApp } from "../../../lib/http/index.ts";
import { apiHandler } from "../../../lib/http/lambda/handler.ts";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { startServer } from "../../../lib/server/start.ts";
import type { RunningServer } from "../../../lib/server/types.ts";
import { memoryStorage } from "../../../lib/storage/memory/index.ts";
import { pollingDoorbell } from "../../../lib/storage/polling/doorbell.ts";
import { systemClock } from "../../../lib/storage/system/clock.ts";
import { systemIds } from "../../../lib/storage/system/ids.ts";
import { framesOf, lengthPrefix, RESPONSE_BYTES } from "../../../lib/wire/framing.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "../../unit/storage/aws/certificate.ts";
import { correlationIdOf, RawConnection, request } from "./raw.ts";

const HTTP = { host: "127.0.0.1", port: 0 };
const API_VERSIONS = 18;
let server: RunningServer;

beforeAll(async () => {
  server = await startServer({ storage: "memory", http: HTTP, kafka: HTTP });
});
afterAll(() => server.close());

function portOf({ kafka }: RunningServer): number {
  return Number(kafka?.split(":").at(-1));
}

test("a version of ApiVersions that is not known is answered in the oldest, with error 35", async () => {
  const connection = await RawConnection.open(portOf(server));
  connection.send(request(API_VERSIONS, 99, 7));
  const [answer] = (await connection.answers(1)) as [Uint8Array];
  expect(correlationIdOf(answer)).toBe(7);
  expect(Buffer.from(answer).readInt16BE(4)).toBe(35);
  // And the connection is good for another.
  connection.send(request(API_VERSIONS, 0, 8));
  const [, second] = (await connection.answers(2)) as [Uint8Array, Uint8Array];
  expect(Buffer.from(second).readInt16BE(4)).toBe(0);
  connection.close();
});

test.each([
  ["an API that is not there", request(9999, 0, 1)],
  ["a version that was not offered", request(3, 99, 1)],
  ["a header that lies about its length", Buffer.concat([request(3, 1, 1).subarray(0, 8), Buffer.from([0x7f, 0xff])])],
  ["an array that lies about its length", request(3, 1, 1, Buffer.from([0x7f, 0xff, 0xff, 0xff]))],
  ["a body that is cut short", request(3, 1, 1, Buffer.from([0, 0, 0, 5, 0, 3]))],
  ["garbage", Buffer.from("garbage, and more garbage")],
])("%s closes the connection, and no other", async (_name, frame) => {
  const other = await RawConnection.open(portOf(server));
  const connection = await RawConnection.open(portOf(server));
  connection.send(frame);
  await connection.ended();
  expect(connection.frames).toEqual([]);
  other.send(request(API_VERSIONS, 0, 2));
  expect(await other.answers(1)).toHaveLength(1);
  other.close();
  const posted = await fetch(`${server.url}/kafka`, {
    method: "POST",
    headers: { "content-type": "application/vnd.kafka" },
    body: Buffer.concat([lengthPrefix(frame.byteLength), frame]),
  });
  expect([400, 501]).toContain(posted.status);
  expect(((await posted.json()) as { outcome: string }).outcome).toBe("not_applied");
});

test("the same frames get the same answers over TCP and over HTTP", async () => {
  const connection = await RawConnection.open(portOf(server));
  const frames = [request(API_VERSIONS, 0, 1), request(API_VERSIONS, 99, 2), request(API_VERSIONS, 2, 3)];
  connection.send(...frames);
  const response = await fetch(`${server.url}/kafka`, {
    method: "POST",
    headers: { "content-type": "application/vnd.kafka" },
    body: Buffer.concat(frames.flatMap((frame) => [lengthPrefix(frame.byteLength), frame])),
  });
  const hex = (all: readonly Uint8Array[]): string[] => all.map((one) => Buffer.from(one).toString("hex"));
  const overHttp = framesOf(new Uint8Array(await response.arrayBuffer()), 1e6, RESPONSE_BYTES);
  expect(hex(overHttp)).toEqual(hex(await connection.answers(3)));
  connection.close();
});

test("clients are told the address that they called, or the one that is advertised", async () => {
  const describe = async (brokers: string[]): Promise<unknown> => {
    const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING, retry: { retries: 0 } }).admin();
    await admin.connect();
    try {
      return (await admin.describeCluster()).brokers.map(({ host, port }) => `${host}:${port}`);
    } finally {
      await admin.disconnect();
    }
  };
  expect(await describe([`localhost:${portOf(server)}`])).toEqual([server.kafka]);
  const proxied = await startServer({
    storage: "memory",
    http: HTTP,
    kafka: HTTP,
    advertise: { host: "log.example", port: 443 },
  });
  const connection = await RawConnection.open(portOf(proxied));
  connection.send(request(3, 0, 1, Buffer.from([0, 0, 0, 0])));
  const [answer] = (await connection.answers(1)) as [Uint8Array];
  expect(Buffer.from(answer).toString("latin1")).toContain("log.example\x00\x00\x01\xbb");
  connection.close();
  await proxied.close();
});

test("over TLS", async () => {
  const folder = await mkdtemp(join(tmpdir(), "brokerless-tls-"));
  const [kafkaTlsCert, kafkaTlsKey] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  await writeFile(kafkaTlsCert, TEST_CERTIFICATE);
  await writeFile(kafkaTlsKey, TEST_KEY);
  const secure = await startServer({ storage: "memory", http: HTTP, kafka: HTTP, kafkaTlsCert, kafkaTlsKey });
  const admin = new Kafka({
    brokers: [secure.kafka as string],
    ssl: { ca: [TEST_CERTIFICATE] },
    logLevel: logLevel.NOTHING,
  }).admin();
  await admin.connect();
  expect(await admin.listTopics()).toEqual([]);
  await admin.disconnect();
  await secure.close();

  const start = (more: object): Promise<RunningServer> => startServer({ storage: "memory", http: HTTP, kafka: HTTP, ...more });
  await expect(start({ kafkaTlsCert })).rejects.toThrow("kafkaTlsKey: TLS takes a certificate and its key");
  await expect(start({ kafkaTlsCert, kafkaTlsKey: join(folder, "none") })).rejects.toThrow("cannot be read (ENOENT)");
  await expect(start({ kafkaTlsCert: kafkaTlsKey, kafkaTlsKey })).rejects.toThrow("are no certificate and its key");
  await rm(folder, { recursive: true });
});

test("an address that cannot be had, or that others reach, is refused; the HTTP port is let go", async () => {
  const taken = { host: "127.0.0.1", port: portOf(server) };
  await expect(startServer({ storage: "memory", http: HTTP, kafka: taken })).rejects.toThrow(
    /cannot listen on 127.0.0.1:\d+: another program listens there already.*--kafka.*off/,
  );
  const open = { host: "0.0.0.0", port: 0 };
  await expect(startServer({ storage: "memory", http: HTTP, kafka: open, auth: "none" })).rejects.toThrow(
    "can be reached from other machines",
  );
});

test("an address that others reach asks for tokens, also where the HTTP one does not", async () => {
  const asking = await startServer({ storage: "memory", http: HTTP, kafka: { host: "0.0.0.0", port: 0 } });
  expect(asking.auth).toBe("none");
  const connection = await RawConnection.open(portOf(asking));
  connection.send(request(3, 1, 1, Buffer.from([255, 255, 255, 255])));
  await connection.ended();
  expect(connection.frames).toEqual([]);
  connection.close();
  await asking.close();
});

test("the end of the server ends connections", async () => {
  const ending = await startServer({ storage: "memory", http: HTTP, kafka: HTTP });
  const connection = await RawConnection.open(portOf(ending));
  connection.send(request(API_VERSIONS, 0, 1));
  await connection.answers(1);
  const closed = ending.close();
  await connection.ended();
  connection.close();
  await closed;
});

test("behind API Gateway: frames in base64, and the answer too", async () => {
  const clock = systemClock;
  const { log } = server;
  const ids = systemIds(clock);
  const app = createHttpApp({
    log,
    clock,
    ids,
    codecs: nodeCodecs,
    auth: "none",
    outlivesAnswer: false,
    ready: async () => {},
    version: "1",
    kafka: openKafka({ storage: memoryStorage({ clock }), log, clock, ids, doorbell: pollingDoorbell(clock) }),
  });
  const handle = apiHandler({ dispatch: app.dispatch, clock, line() {} });
  const frame = request(3, 1, 5, Buffer.from([0, 0, 0, 0]));
  const reply = await handle(
    {
      version: "2.0",
      rawPath: "/kafka",
      headers: { "content-type": "application/vnd.kafka" },
      body: Buffer.concat([lengthPrefix(frame.byteLength), frame]).toString("base64"),
      isBase64Encoded: true,
      requestContext: { domainName: "abc.example", stage: "$default", http: { method: "POST" } },
    },
    { awsRequestId: "r", getRemainingTimeInMillis: () => 10_000 },
  );
  expect(reply).toMatchObject({ statusCode: 200, isBase64Encoded: true, headers: { "content-type": "application/vnd.kafka" } });
  const [answer] = framesOf(Buffer.from(reply.body, "base64"), 1e6, RESPONSE_BYTES) as [Uint8Array];
  expect(correlationIdOf(answer)).toBe(5);
  expect(Buffer.from(answer).toString("latin1")).toContain("abc.example\x00\x00\x01\xbb");
});
