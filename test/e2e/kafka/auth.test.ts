/** SASL and the rights of tokens, by unmodified clients over TCP; and the same rights on `POST /kafka`. */
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { Admin, Producer, type SASLMechanismValue, stringSerializers } from "@platformatic/kafka";
import { Kafka, logLevel, type SASLOptions } from "kafkajs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Grant, Tokens } from "../../../lib/auth/index.ts";
import { concatBytes } from "../../../lib/base/bytes.ts";
import { apiVersions } from "../../../lib/kafka/protocol/api/api-versions.ts";
import { createPartitions } from "../../../lib/kafka/protocol/api/create-partitions.ts";
import { createTopics } from "../../../lib/kafka/protocol/api/create-topics.ts";
import { deleteRecords } from "../../../lib/kafka/protocol/api/delete-records.ts";
import { deleteTopics } from "../../../lib/kafka/protocol/api/delete-topics.ts";
import { describeConfigs } from "../../../lib/kafka/protocol/api/describe-configs.ts";
import { describeLogDirs } from "../../../lib/kafka/protocol/api/describe-log-dirs.ts";
import { describeProducers } from "../../../lib/kafka/protocol/api/describe-producers.ts";
import { describeTopicPartitions } from "../../../lib/kafka/protocol/api/describe-topic-partitions.ts";
import { fetch as fetchApi } from "../../../lib/kafka/protocol/api/fetch.ts";
import { incrementalAlterConfigs } from "../../../lib/kafka/protocol/api/incremental-alter-configs.ts";
import { initProducerId } from "../../../lib/kafka/protocol/api/init-producer-id.ts";
import { listOffsets } from "../../../lib/kafka/protocol/api/list-offsets.ts";
import { metadata } from "../../../lib/kafka/protocol/api/metadata.ts";
import { offsetForLeaderEpoch } from "../../../lib/kafka/protocol/api/offset-for-leader-epoch.ts";
import { produce } from "../../../lib/kafka/protocol/api/produce.ts";
import { saslAuthenticate } from "../../../lib/kafka/protocol/api/sasl-authenticate.ts";
import { saslHandshake } from "../../../lib/kafka/protocol/api/sasl-handshake.ts";
import { readResponse, writeRequest } from "../../../lib/kafka/protocol/messages.ts";
import { type Api, type Decoded, type Encodable, NO_UUID, type Shape } from "../../../lib/kafka/protocol/schema.ts";
import { startServer } from "../../../lib/server/start.ts";
import type { RunningServer } from "../../../lib/server/types.ts";
import { memoryStorage } from "../../../lib/storage/memory/index.ts";
import { systemClock } from "../../../lib/storage/system/clock.ts";
import { systemIds } from "../../../lib/storage/system/ids.ts";
import { kafkaOverHttps } from "../../../lib/tunnel/kafkajs.ts";
import { startTunnel } from "../../../lib/tunnel/tunnel.ts";
import { framesOf, lengthPrefix, RESPONSE_BYTES } from "../../../lib/wire/framing.ts";
import { batchOf } from "../../unit/log/support.ts";
import { RawConnection } from "./raw.ts";

const ANY = { host: "127.0.0.1", port: 0 };
let server: RunningServer;
let tokens: Tokens;

beforeAll(async () => {
  const storage = memoryStorage({ clock: systemClock });
  tokens = new Tokens({ table: storage.table, clock: systemClock, ids: systemIds(systemClock) });
  server = await startServer({ storage, http: ANY, kafka: ANY, auth: "token" });
  await server.log.createTopic({ name: "mine" });
  await server.log.createTopic({ name: "theirs" });
  await server.log.append({ topic: "mine", partition: 0, batches: batchOf(["a"]) });
});
afterAll(() => server.close());

async function tokenWith(...grants: Grant[]) {
  return tokens.create({ name: "test", grants });
}

const topic = (name: string, ...operations: Grant["operations"]): Grant => ({ resource: "topic", name, operations });

function kafkaAs(sasl: SASLOptions): Kafka {
  return new Kafka({ brokers: [server.kafka as string], sasl, logLevel: logLevel.NOTHING, retry: { retries: 0 } });
}

describe("a KafkaJS client says who it is", () => {
  test.each(["plain", "scram-sha-256", "scram-sha-512"] as const)("by %s", async (mechanism) => {
    const { id, token } = await tokenWith(topic("mine", "write"));
    const producer = kafkaAs({ mechanism, username: id, password: token } as SASLOptions).producer({
      idempotent: true,
      maxInFlightRequests: 1,
      retry: { retries: 1 },
    });
    await producer.connect();
    const [sent] = await producer.send({ topic: "mine", messages: [{ value: mechanism }] });
    expect(sent?.errorCode).toBe(0);
    await expect(producer.send({ topic: "theirs", messages: [{ value: "x" }] })).rejects.toThrow(/not authorized/i);
    await producer.disconnect();
  });

  test.each(["plain", "scram-sha-256", "scram-sha-512"] as const)(
    "and is refused by %s with a token that is wrong",
    async (mechanism) => {
      const { id, token } = await tokenWith(topic("mine", "write"));
      const wrong = token.slice(0, -1) + (token.endsWith("2") ? "3" : "2");
      for (const [username, password] of [
        [id, wrong],
        ["nobody", wrong],
      ] as const) {
        const admin = kafkaAs({ mechanism, username, password } as SASLOptions).admin();
        await expect(admin.connect()).rejects.toThrow(/not valid/);
        await admin.disconnect();
      }
    },
  );

  test("a client that says nothing is not served", async () => {
    const admin = new Kafka({
      brokers: [server.kafka as string],
      logLevel: logLevel.NOTHING,
      retry: { retries: 0 },
      requestTimeout: 2000,
    }).admin();
    await expect(admin.connect().then(() => admin.listTopics())).rejects.toThrow();
    await admin.disconnect();
  });
});

describe.each(["TCP", "the tunnel"] as const)("a client of @platformatic/kafka, over %s,", (where) => {
  let tunnel: Awaited<ReturnType<typeof startTunnel>> | undefined;
  beforeAll(async () => {
    if (where === "the tunnel") tunnel = await startTunnel({ ...ANY, url: server.url, clock: systemClock });
  });
  afterAll(() => tunnel?.close(1000));

  const base = (mechanism: SASLMechanismValue, username: string, password: string) => ({
    clientId: "test",
    bootstrapBrokers: [tunnel === undefined ? (server.kafka as string) : `127.0.0.1:${tunnel.port}`],
    retries: 0,
    sasl: { mechanism, username, password },
  });

  test.each(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const)("says by %s who it is", async (mechanism) => {
    const { id, token } = await tokenWith(topic("mine", "write"));
    const producer = new Producer({ ...base(mechanism, id, token), serializers: stringSerializers });
    const send = (name: string) => producer.send({ messages: [{ topic: name, partition: 0, value: "x" }] });
    if (tunnel === undefined || mechanism === "PLAIN") {
      expect((await send("mine")).offsets).toHaveLength(1);
      await expect(send("theirs")).rejects.toSatisfy(says("TOPIC_AUTHORIZATION_FAILED"));
      const wrong = token.slice(0, -1) + (token.endsWith("2") ? "3" : "2");
      const admin = new Admin(base(mechanism, id, wrong));
      await expect(admin.listTopics()).rejects.toSatisfy(says("SASL_AUTHENTICATION_FAILED"));
      await admin.close();
    } else await expect(send("mine")).rejects.toSatisfy(says("UNSUPPORTED_SASL_MECHANISM"));
    await producer.close();
  });

  /** Does it, or one of its causes, carry this error of Kafka's? */
  function says(apiId: string): (error: unknown) => boolean {
    return (error) => {
      const { apiId: own, cause, errors = [] } = error as { apiId?: string; cause?: unknown; errors?: readonly unknown[] };
      return own === apiId || (cause !== undefined && says(apiId)(cause)) || errors.some(says(apiId));
    };
  }
});

describe.each(["socketFactory", "tunnel"] as const)("over HTTPS, by %s, a client says who it is by SASL/PLAIN", (way) => {
  let tunnel: Awaited<ReturnType<typeof startTunnel>> | undefined;
  beforeAll(async () => {
    if (way === "tunnel") tunnel = await startTunnel({ ...ANY, url: server.url, clock: systemClock });
  });
  afterAll(() => tunnel?.close(1000));

  function clientAs(sasl: SASLOptions): Kafka {
    const place =
      tunnel === undefined
        ? { brokers: ["brokerless:443"], socketFactory: kafkaOverHttps({ url: server.url }) }
        : { brokers: [`127.0.0.1:${tunnel.port}`] };
    return new Kafka({ ...place, sasl, logLevel: logLevel.NOTHING, retry: { retries: 0 } });
  }

  test("and has the rights of its token on each of its connections", async () => {
    const { id, token } = await tokenWith(topic("mine", "write"));
    const producer = clientAs({ mechanism: "plain", username: id, password: token }).producer({ retry: { retries: 1 } });
    await producer.connect();
    const [sent] = await producer.send({ topic: "mine", messages: [{ value: way }] });
    expect(sent?.errorCode).toBe(0);
    await expect(producer.send({ topic: "theirs", messages: [{ value: "x" }] })).rejects.toThrow(/not authorized/i);
    await producer.disconnect();
  });

  test("and is refused with a token that is wrong, in the protocol's own words", async () => {
    const { id, token } = await tokenWith(topic("mine", "write"));
    const wrong = token.slice(0, -1) + (token.endsWith("2") ? "3" : "2");
    const admin = clientAs({ mechanism: "plain", username: id, password: wrong }).admin();
    await expect(admin.connect()).rejects.toThrow(/not valid/);
    await admin.disconnect();
  });

  test("and is told that only PLAIN goes this way", async () => {
    const { id, token } = await tokenWith(topic("mine", "write"));
    const admin = clientAs({ mechanism: "scram-sha-256", username: id, password: token }).admin();
    await expect(admin.connect()).rejects.toThrow(/mechanism/i);
    await admin.disconnect();
  });
});

test("POST /kafka without a token answers ApiVersions and nothing else", async () => {
  const post = (frame: Uint8Array) =>
    fetch(`${server.url}/kafka`, {
      method: "POST",
      headers: { "content-type": "application/vnd.kafka" },
      body: concatBytes([lengthPrefix(frame.byteLength), frame]) as Uint8Array<ArrayBuffer>,
    });
  const header = { correlationId: 1, clientId: "test" };
  const versions = { clientSoftwareName: "test", clientSoftwareVersion: "1" };
  expect((await post(concatBytes(writeRequest(apiVersions, { ...header, apiVersion: 3 }, versions)))).status).toBe(200);
  const asked = { topics: [], allowAutoTopicCreation: false, includeTopicAuthorizedOperations: false };
  expect((await post(concatBytes(writeRequest(metadata, { ...header, apiVersion: 4 }, asked)))).status).toBe(401);
});

/** One connection, one request at a time. */
class Client {
  readonly #connection: RawConnection;
  #asked = 0;
  constructor(connection: RawConnection) {
    this.#connection = connection;
  }
  async ask<Req extends Shape, Res extends Shape>(
    api: Api<Req, Res>,
    version: number,
    body: Encodable<Req>,
  ): Promise<Decoded<Res> | undefined> {
    this.#connection.send(
      concatBytes(writeRequest(api, { apiVersion: version, correlationId: ++this.#asked, clientId: "raw" }, body)),
    );
    const answer = (await this.#connection.answers(this.#asked))[this.#asked - 1];
    return answer === undefined ? undefined : readResponse(api, version, answer).body;
  }
  plain(token: string) {
    return this.ask(saslAuthenticate, 2, { authBytes: new TextEncoder().encode(`\0anyone\0${token}`) });
  }
}

async function connected(): Promise<Client> {
  return new Client(await RawConnection.open(Number((server.kafka as string).split(":").at(-1))));
}

const allTopics = { topics: null, includeTopicAuthorizedOperations: true };

describe("the connection", () => {
  test("answers nothing before it knows who asks, and closes", async () => {
    expect(await (await connected()).ask(metadata, 12, allTopics)).toBeUndefined();
  });

  test("an unknown mechanism is told those that there are; a proof without a handshake is refused", async () => {
    const client = await connected();
    expect(await client.ask(saslHandshake, 1, { mechanism: "GSSAPI" })).toEqual({
      errorCode: 33,
      mechanisms: ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"],
    });
    expect(await client.plain("x")).toMatchObject({ errorCode: 34 });
  });

  describe.each(["the listener", "the tunnel"] as const)("behind SaslHandshake 0, at %s,", (where) => {
    const handshake = concatBytes(
      writeRequest(saslHandshake, { apiVersion: 0, correlationId: 1, clientId: "raw" }, { mechanism: "PLAIN" }),
    );
    const asked = concatBytes(writeRequest(metadata, { apiVersion: 12, correlationId: 2, clientId: "raw" }, allTopics));
    let tunnel: Awaited<ReturnType<typeof startTunnel>> | undefined;
    let port: number;
    beforeAll(async () => {
      if (where === "the tunnel") tunnel = await startTunnel({ ...ANY, url: server.url, clock: systemClock });
      port = tunnel?.port ?? Number((server.kafka as string).split(":").at(-1));
    });
    afterAll(() => tunnel?.close(1000));

    async function say(token: string): Promise<RawConnection> {
      const connection = await RawConnection.open(port, 0);
      connection.send(handshake);
      const [answer] = (await connection.answers(1)) as [Uint8Array];
      expect(readResponse(saslHandshake, 0, answer).body).toMatchObject({ errorCode: 0 });
      connection.send(new TextEncoder().encode(`\0anyone\0${token}`));
      return connection;
    }

    test("the messages of SASL go without a header", async () => {
      const connection = await say((await tokenWith(topic("mine", "read"))).token);
      expect((await connection.answers(2))[1]).toHaveLength(0);
      connection.send(asked);
      const answer = (await connection.answers(3))[2] as Uint8Array;
      expect(readResponse(metadata, 12, answer).body.topics.map(({ name }) => name)).toEqual(["mine"]);
      connection.close();
    });

    test("a wrong token ends the connection", async () => {
      const connection = await say("bkl_wrong");
      connection.send(asked);
      await connection.ended();
      expect(connection.frames).toHaveLength(1);
    });
  });

  test.each([
    ["alone", (_own: string, whole: string) => whole, 0],
    ["behind the client's once more, as librdkafka before 2.6.1 sends it", (own: string, whole: string) => own + whole, 0],
    ["without ours", (own: string) => own, 58],
    ["behind another's", (_own: string, whole: string) => `x${whole}`, 58],
  ])("SCRAM takes the nonce of both %s", async (_what, nonceOf, errorCode) => {
    const { id, token } = await tokenWith(topic("mine", "read"));
    const client = await connected();
    await client.ask(saslHandshake, 1, { mechanism: "SCRAM-SHA-256" });
    const say = async (message: string) => client.ask(saslAuthenticate, 2, { authBytes: new TextEncoder().encode(message) });
    const bare = `n=${id},r=own`;
    const first = new TextDecoder().decode((await say(`n,,${bare}`))?.authBytes);
    const [, whole, salt, iterations] = /^r=(.+),s=(.+),i=(\d+)$/.exec(first) as unknown as [string, string, string, string];
    const hmac = (key: Uint8Array, text: string) => createHmac("sha256", key).update(text).digest();
    const salted = pbkdf2Sync(token, Buffer.from(salt, "base64"), Number(iterations), 32, "sha256");
    const clientKey = hmac(salted, "Client Key");
    const withoutProof = `c=biws,r=${nonceOf("own", whole)}`;
    const signature = hmac(createHash("sha256").update(clientKey).digest(), `${bare},${first},${withoutProof}`);
    const proof = clientKey.map((byte, i) => byte ^ (signature[i] as number));
    expect(await say(`${withoutProof},p=${Buffer.from(proof).toString("base64")}`)).toMatchObject({ errorCode });
  });

  test("tells how long the token is good for, and ends when it is revoked", async () => {
    const client = await connected();
    const expiresAtMs = Date.now() + 3_600_000;
    const { id, token } = await tokens.create({ name: "short", grants: [topic("mine", "read")], expiresAtMs });
    await client.ask(saslHandshake, 1, { mechanism: "PLAIN" });
    const answer = await client.plain(token);
    expect(answer).toMatchObject({ errorCode: 0 });
    expect(answer?.sessionLifetimeMs).toBeGreaterThan(3_500_000);
    expect(answer?.sessionLifetimeMs).toBeLessThanOrEqual(3_600_000);
    expect((await client.ask(metadata, 12, allTopics))?.topics.map(({ name }) => name)).toEqual(["mine"]);
    await fetch(`${server.url}/v1/tokens/${id}`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${(await tokenWith({ resource: "cluster", operations: ["admin"] })).token}` },
    });
    expect(await client.ask(metadata, 12, allTopics)).toBeUndefined();
  });

  test("may not become another's", async () => {
    const client = await connected();
    await client.ask(saslHandshake, 1, { mechanism: "PLAIN" });
    await client.plain((await tokenWith(topic("mine", "read"))).token);
    await client.ask(saslHandshake, 1, { mechanism: "PLAIN" });
    expect(await client.plain((await tokenWith(topic("theirs", "read"))).token)).toBeUndefined();
  });
});

describe("every request asks for its rights, topic by topic", () => {
  const read = { currentLeaderEpoch: -1, timestamp: -1 };
  const plain = { numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] };
  const both = ["mine", "theirs"];

  async function as(...grants: Grant[]): Promise<Client> {
    const client = await connected();
    await client.ask(saslHandshake, 1, { mechanism: "PLAIN" });
    await client.plain((await tokenWith(...grants)).token);
    return client;
  }

  test("who may read sees and reads that topic, and writes none", async () => {
    const client = await as(topic("mine", "read"));
    const named = { topics: both.map((name) => ({ topicId: NO_UUID, name })), includeTopicAuthorizedOperations: true };
    const seen = (await client.ask(metadata, 9, named))?.topics;
    expect(seen?.map(({ errorCode }) => errorCode)).toEqual([0, 29]);
    // Read, describe and describe its configs.
    expect(seen?.[0]?.topicAuthorizedOperations).toBe((1 << 3) | (1 << 8) | (1 << 10));
    const pages = await client.ask(describeTopicPartitions, 0, { topics: both.map((name) => ({ name })), cursor: null });
    expect(pages?.topics.map(({ errorCode }) => errorCode)).toEqual([0, 29]);
    const fetched = await client.ask(fetchApi, 11, {
      maxWaitMs: 0,
      minBytes: 1,
      topics: both.map((name) => ({
        topic: name,
        topicId: NO_UUID,
        partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }],
      })),
      forgottenTopicsData: [],
    });
    expect(fetched?.responses.map(({ partitions }) => partitions[0]?.errorCode)).toEqual([0, 29]);
    const offsets = await client.ask(listOffsets, 5, {
      replicaId: -1,
      isolationLevel: 0,
      topics: both.map((name) => ({ name, partitions: [{ ...read, partitionIndex: 0 }] })),
      timeoutMs: 0,
    });
    expect(offsets?.topics.map(({ partitions }) => partitions[0]?.errorCode)).toEqual([0, 29]);
    const epochs = await client.ask(offsetForLeaderEpoch, 3, {
      topics: both.map((name) => ({ topic: name, partitions: [{ partition: 0, leaderEpoch: 0 }] })),
    });
    expect(epochs?.topics.map(({ partitions }) => partitions[0]?.errorCode)).toEqual([0, 29]);
    const configs = await client.ask(describeConfigs, 4, {
      resources: both.map((resourceName) => ({ resourceType: 2, resourceName, configurationKeys: null })),
    });
    expect(configs?.results.map(({ errorCode }) => errorCode)).toEqual([0, 29]);
    const producers = await client.ask(describeProducers, 0, { topics: both.map((name) => ({ name, partitionIndexes: [0] })) });
    expect(producers?.topics.map(({ partitions }) => partitions[0]?.errorCode)).toEqual([0, 29]);
    const sizes = await client.ask(describeLogDirs, 4, { topics: null });
    expect(sizes?.results[0]?.topics.map(({ name }) => name)).toEqual(["mine"]);
    const written = await client.ask(produce, 9, {
      acks: -1,
      timeoutMs: 0,
      topicData: [{ name: "mine", topicId: NO_UUID, partitionData: [{ index: 0, records: batchOf(["x"]) }] }],
    });
    expect(written?.responses[0]?.partitionResponses[0]?.errorCode).toBe(29);
    expect((await client.ask(initProducerId, 4, { transactionalId: null, transactionTimeoutMs: 0 }))?.errorCode).toBe(31);
  });

  test("who may administer a topic changes it, and no other; a topic that is asked for is not made without the right", async () => {
    const client = await as(topic("new", "admin"), topic("mine", "write"));
    const names = ["new", "theirs"];
    const created = await client.ask(createTopics, 7, { topics: ["new", "other"].map((name) => ({ ...plain, name })) });
    expect(created?.topics.map(({ errorCode }) => errorCode)).toEqual([0, 29]);
    const named = { topics: ["unheard"].map((name) => ({ topicId: NO_UUID, name })), includeTopicAuthorizedOperations: false };
    expect((await client.ask(metadata, 9, named))?.topics[0]?.errorCode).toBe(29);
    const grown = await client.ask(createPartitions, 3, {
      topics: names.map((name) => ({ name, count: 2, assignments: null })),
      timeoutMs: 0,
      validateOnly: false,
    });
    expect(grown?.results.map(({ errorCode }) => errorCode)).toEqual([0, 29]);
    const altered = await client.ask(incrementalAlterConfigs, 1, {
      resources: names.map((resourceName) => ({
        resourceType: 2,
        resourceName,
        configs: [{ name: "retention.ms", configOperation: 0, value: "5" }],
      })),
      validateOnly: false,
    });
    expect(altered?.responses.map(({ errorCode }) => errorCode)).toEqual([0, 29]);
    const emptied = await client.ask(deleteRecords, 2, {
      topics: ["new", "mine"].map((name) => ({ name, partitions: [{ partitionIndex: 0, offset: -1 }] })),
      timeoutMs: 0,
    });
    expect(emptied?.topics.map(({ partitions }) => partitions[0]?.errorCode)).toEqual([0, 29]);
    const { id } = await server.log.topic("theirs");
    const byId = await client.ask(deleteTopics, 6, { topics: [{ name: null, topicId: id }], timeoutMs: 0 });
    expect(byId?.responses[0]?.errorCode).toBe(29);
    const gone = await client.ask(deleteTopics, 5, { topics: [], topicNames: names, timeoutMs: 0 });
    expect(gone?.responses.map(({ errorCode }) => errorCode)).toEqual([0, 29]);
    expect((await server.log.topic("theirs")).partitions).toBe(1);
  });

  test("POST /kafka takes the token of HTTP", async () => {
    const frame = concatBytes(writeRequest(metadata, { apiVersion: 12, correlationId: 1, clientId: null }, allTopics));
    const body = concatBytes([lengthPrefix(frame.byteLength), frame]) as Uint8Array<ArrayBuffer>;
    const headers = {
      "content-type": "application/vnd.kafka",
      authorization: `Bearer ${(await tokenWith(topic("theirs", "read"))).token}`,
    };
    const reply = await fetch(`${server.url}/kafka`, { method: "POST", headers, body });
    expect(reply.status).toBe(200);
    const [answer] = framesOf(new Uint8Array(await reply.arrayBuffer()), 2 ** 20, RESPONSE_BYTES) as [Uint8Array];
    expect(readResponse(metadata, 12, answer).body.topics.map(({ name }) => name)).toEqual(["theirs"]);
    expect(
      (await fetch(`${server.url}/kafka`, { method: "POST", headers: { "content-type": "application/vnd.kafka" }, body })).status,
    ).toBe(401);
  });
});
