/** Frames over `POST /kafka`, through the tunnel and through KafkaJS's kind of socket: over a real server, whoever answers. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { KafkaCall } from "../../../lib/http/surface.ts";
import { systemClock } from "../../../lib/storage/system/clock.ts";
import { kafkaOverHttps } from "../../../lib/tunnel/kafkajs.ts";
import { startTunnel, type TunnelEvent } from "../../../lib/tunnel/tunnel.ts";
import { FrameReader, framesOf, lengthPrefix, RESPONSE_BYTES } from "../../../lib/wire/framing.ts";
import { answerBody, takeInOrder } from "../../../lib/wire/over-http.ts";
import type { Listener } from "../../../lib/wire/tcp/listener.ts";
import { brokerless, lines } from "../cli/run.ts";
import { startTestServer, type TestServer } from "../http/harness.ts";
import { correlationIdOf, RawConnection, request } from "./raw.ts";

const PRODUCE = 0;
const FETCH = 1;
const METADATA = 3;
const BAD = 999;

const calls: KafkaCall[] = [];
/** Ids that came in each body. */
const bodies: number[][] = [];
let done: number[] = [];
let server: TestServer;
let listener: Listener;
const events: TunnelEvent[] = [];

/** Answers with the id; `PRODUCE` with an odd id not at all; `BAD` closes; `FETCH` waits until nobody does any more. */
async function answer(frame: Uint8Array, signal: AbortSignal): Promise<readonly Uint8Array[] | undefined> {
  const header = Buffer.from(frame);
  const [key, id] = [header.readInt16BE(0), header.readInt32BE(4)];
  if (key === BAD) throw new Error("there is no such API");
  if (key === FETCH && !signal.aborted) await once(signal, "abort");
  if (key === PRODUCE) await new Promise((resolve) => setTimeout(resolve, id % 7));
  done.push(id);
  return key === PRODUCE && id % 2 === 1 ? undefined : [lengthPrefix(8), frame.slice(4, 8), frame.slice(4, 8)];
}

beforeAll(async () => {
  server = await startTestServer({
    async kafka(body, call, signal) {
      calls.push(call);
      bodies.push(framesOf(body, 1e9).map((frame) => Buffer.from(frame).readInt32BE(4)));
      return answerBody(
        body,
        {
          take: takeInOrder,
          answer: async (frames) => Promise.all(frames.map((frame) => answer(frame, signal))),
        },
        {},
        signal,
      );
    },
  });
  listener = await startTunnel({
    host: "127.0.0.1",
    port: 0,
    url: server.url,
    clock: systemClock,
    patienceMs: 500,
    onEvent: (event) => events.push(event),
  });
});
afterAll(async () => {
  await listener.close(1000);
  await server.close();
});
beforeEach(() => {
  calls.length = 0;
  bodies.length = 0;
  events.length = 0;
  done = [];
});

const ids = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

function post(frames: readonly Uint8Array[], headers: Record<string, string> = {}): Promise<Response> {
  const body = Buffer.concat(frames.flatMap((frame) => [lengthPrefix(frame.byteLength), frame]));
  return fetch(`${server.url}/kafka`, { method: "POST", headers: { "content-type": "application/vnd.kafka", ...headers }, body });
}

async function answered(response: Response): Promise<number[]> {
  expect(response.headers.get("content-type")).toBe("application/vnd.kafka");
  return framesOf(new Uint8Array(await response.arrayBuffer()), 1e9, RESPONSE_BYTES).map(correlationIdOf);
}

test("a body of frames is answered in order, without those that have no answer", async () => {
  const response = await post(ids(0, 30).map((id) => request(id % 3 === 0 ? METADATA : PRODUCE, 0, id)));
  expect(response.status).toBe(200);
  expect(await answered(response)).toEqual(ids(0, 30).filter((id) => id % 3 === 0 || id % 2 === 0));
});

test("where a request is refused the answers before it are the reply; where it is the first there is an error", async () => {
  const response = await post([request(METADATA, 0, 0), request(BAD, 0, 1), request(METADATA, 0, 2)]);
  expect(await answered(response)).toEqual([0]);
  expect(done).toEqual([0]);
  expect((await post([request(BAD, 0, 1)])).status).toBe(500);
});

test.each([
  ["nothing", Buffer.alloc(0), "the body is empty"],
  ["text", Buffer.from("hello there, this is no frame"), "bytes; at most"],
  ["half a frame", Buffer.concat([lengthPrefix(50), Buffer.alloc(49)]), "the last frame is cut short: 49 of 50"],
  ["a frame that is too short", Buffer.concat([lengthPrefix(2), Buffer.alloc(2)]), "the shortest header has 8"],
  ["half a length", Buffer.from([0, 0]), "the last frame is cut short"],
])("a body of %s is refused before anything is done", async (_name, body, message) => {
  const response = await fetch(`${server.url}/kafka`, {
    method: "POST",
    headers: { "content-type": "application/vnd.kafka" },
    body,
  });
  expect([400, 413]).toContain(response.status);
  expect(((await response.json()) as { message: string }).message).toContain(message);
  expect(done).toEqual([]);
});

test("only Kafka's frames go there", async () => {
  const send = (type: string): Promise<Response> => post([request(METADATA, 0, 1)], { "content-type": type });
  expect((await send("application/octet-stream")).status).toBe(200);
  expect((await send("application/json")).status).toBe(415);
  expect((await fetch(`${server.url}/kafka`)).status).toBe(405);
});

test("the broker's address is the one that was called, or what the caller says", async () => {
  await post([request(METADATA, 0, 1)]);
  await post([request(METADATA, 0, 1)], { "kafka-advertise": "[::1]:19092" });
  expect(calls.map(({ advertised }) => advertised)).toEqual([
    { host: "127.0.0.1", port: server.port },
    { host: "::1", port: 19092 },
  ]);
  for (const wrong of ["a", "a:0", "a:70000", "a b:1", `${"a".repeat(256)}:1`]) {
    const response = await post([request(METADATA, 0, 1)], { "kafka-advertise": wrong });
    expect(response.status).toBe(400);
    expect(((await response.json()) as { field: string }).field).toBe("Kafka-Advertise");
  }
});

test("through the tunnel: answers in order, what waits goes together, and the tunnel's own address is advertised", async () => {
  const connection = await RawConnection.open(listener.port);
  for (const id of ids(0, 200)) connection.send(request(id % 3 === 0 ? METADATA : PRODUCE, 0, id));
  const expected = ids(0, 200).filter((id) => id % 3 === 0 || id % 2 === 0);
  expect((await connection.answers(expected.length)).map(correlationIdOf)).toEqual(expected);
  expect(bodies.flat()).toEqual(ids(0, 200));
  expect(bodies.length).toBeLessThan(100);
  expect(calls[0]?.advertised).toEqual({ host: "127.0.0.1", port: listener.port });
  connection.close();
});

test("through the tunnel: a request that the server refuses closes the connection, after the answers before it", async () => {
  const connection = await RawConnection.open(listener.port);
  connection.send(request(METADATA, 0, 0), request(METADATA, 0, 1), request(BAD, 0, 2), request(METADATA, 0, 3));
  await connection.ended();
  expect(connection.frames.map(correlationIdOf)).toEqual([0, 1]);
  expect(events.map(({ event }) => event)).toContain("failed");
});

test("through the tunnel: records that were sent before the sender's end are posted, and waiting ends", async () => {
  const connection = await RawConnection.open(listener.port);
  connection.send(...ids(0, 5).map((id) => request(PRODUCE, 0, 2 * id + 1)));
  connection.socket.end();
  await connection.ended();
  expect(done.toSorted()).toEqual([1, 3, 5, 7, 9]);
  const waiting = await RawConnection.open(listener.port);
  waiting.send(request(FETCH, 0, 100));
  while (!bodies.flat().includes(100)) await new Promise((resolve) => setTimeout(resolve, 5));
  waiting.socket.end();
  await waiting.ended();
});

async function closedPort(): Promise<number> {
  const unused = createServer();
  await new Promise<void>((resolve) => unused.listen(0, "127.0.0.1", resolve));
  const { port } = unused.address() as AddressInfo;
  await new Promise((resolve) => unused.close(resolve));
  return port;
}

test("a server that is not there is waited for, then the connection is closed", async () => {
  const told: TunnelEvent[] = [];
  const nowhere = await startTunnel({
    host: "127.0.0.1",
    port: 0,
    url: `http://127.0.0.1:${await closedPort()}`,
    clock: systemClock,
    patienceMs: 300,
    onEvent: (event) => told.push(event),
  });
  const connection = await RawConnection.open(nowhere.port);
  connection.send(request(METADATA, 0, 0));
  await connection.ended();
  expect(told.map(({ event }) => event)).toEqual(expect.arrayContaining(["connected", "retrying", "failed"]));
  expect(told.find(({ event }) => event === "failed")?.message).toContain("connection refused");
  connection.close();
  await nowhere.close(100);
});

test("a socket for KafkaJS: frames in pieces go out whole and in order, and it ends when it is ended", async () => {
  const factory = kafkaOverHttps({ url: server.url });
  let isConnected = false;
  const socket = factory({ host: "any", port: 9092, onConnect: () => (isConnected = true) });
  const reader = new FrameReader(1e6, RESPONSE_BYTES);
  const received: number[] = [];
  socket.on("data", (piece) => received.push(...reader.push(piece as Buffer).map(correlationIdOf)));
  const stream = Buffer.concat(
    ids(0, 20).flatMap((id) => {
      const frame = request(METADATA, 0, id);
      return [lengthPrefix(frame.byteLength), frame];
    }),
  );
  for (let at = 0; at < stream.byteLength; at += 5) socket.write(stream.subarray(at, at + 5));
  socket.end();
  await once(socket, "close");
  expect(isConnected).toBe(true);
  expect(received).toEqual(ids(0, 20));
  expect(calls[0]?.advertised).toEqual({ host: "any", port: 9092 });
});

test("a socket for KafkaJS tells what went wrong as sockets do", async () => {
  const url = `http://127.0.0.1:${await closedPort()}`;
  const nowhere = kafkaOverHttps({ url, patienceMs: 50 })({ host: "any", port: 1, onConnect() {} });
  const frame = request(METADATA, 0, 1);
  nowhere.write(Buffer.concat([lengthPrefix(frame.byteLength), frame]));
  const [error] = (await once(nowhere, "error")) as [NodeJS.ErrnoException];
  expect(error).toMatchObject({ code: "ECONNREFUSED", message: expect.stringContaining(`cannot reach ${url}`) });
  expect(() => kafkaOverHttps({ url: "nowhere" })).toThrow("begins with http");
});

test("the command: it says where it listens, what happens, and how it ends", async () => {
  const interrupt = new AbortController();
  let port = 0;
  const connected = Promise.withResolvers<RawConnection>();
  const ran = brokerless(["tunnel", "--listen", "127.0.0.1:0", "--json"], {
    url: server.url,
    interrupted: interrupt.signal,
    onOutput(text) {
      const line = JSON.parse(lines(text)[0] as string) as { event: string; address?: string };
      if (line.event !== "listening") return;
      port = Number(line.address?.split(":")[1]);
      connected.resolve(RawConnection.open(port));
    },
  });
  const connection = await connected.promise;
  connection.send(request(METADATA, 0, 5));
  expect((await connection.answers(1)).map(correlationIdOf)).toEqual([5]);
  interrupt.abort("SIGINT");
  await connection.ended();
  connection.close();
  const { code, out } = await ran;
  expect(code).toBe(0);
  const said = lines(out).map((line) => JSON.parse(line) as { event: string });
  expect(said.map(({ event }) => event)).toEqual(["listening", "connected", "stopping", "disconnected", "stopped"]);
});

test.each([
  [["--listen", "0.0.0.0:0"], "can be reached from other machines"],
  [["--listen", "nowhere"], "--listen: an address is host:port"],
  [["--advertise", "x"], "--advertise: an address is host:port"],
  [["--url", "ftp://x"], "begins with http:// or https://"],
])("the command refuses %j", async (flags, message) => {
  const { code, err } = await brokerless(["tunnel", ...flags]);
  expect(code).toBe(2);
  expect(err).toContain(message);
});
