/** The listener by itself: what it does with connections, whoever answers their frames. */
import { connect as connectTls } from "node:tls";
import { afterEach, expect, test, vi } from "vitest";
import { totalBytes } from "../../../lib/base/bytes.ts";
import { systemClock } from "../../../lib/storage/system/clock.ts";
import { apiKeyOf, lengthPrefix } from "../../../lib/wire/framing.ts";
import { type Listener, type ListenerOptions, listenTcp } from "../../../lib/wire/tcp/listener.ts";
import type { Answer, FrameService } from "../../../lib/wire/tcp/types.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "../../unit/storage/aws/certificate.ts";
import { correlationIdOf, RawConnection, request } from "./raw.ts";

/** Requests with this key may be answered together. */
const TOGETHER = 0;

/** Answers with the correlation id and what `reply` says; keeps what it was asked. */
class Service implements FrameService<object> {
  readonly asked: number[] = [];
  readonly signals: AbortSignal[] = [];
  mostAtOnce = 0;
  #now = 0;
  readonly #reply: (correlationId: number, frame: Uint8Array) => Promise<Answer> | Answer;

  constructor(reply: (correlationId: number, frame: Uint8Array) => Promise<Answer> | Answer = () => []) {
    this.#reply = reply;
  }

  open(): object {
    return {};
  }

  take(waiting: readonly Uint8Array[], running: readonly Uint8Array[]): number {
    if (running.length === 0) return 1;
    return running.length < 4 && [...running, waiting[0] as Uint8Array].every((one) => apiKeyOf(one) === TOGETHER) ? 1 : 0;
  }

  async answer(frames: readonly Uint8Array[], _state: object, signal: AbortSignal): Promise<readonly Answer[]> {
    this.signals.push(signal);
    return await Promise.all(
      frames.map(async (frame) => {
        const correlationId = Buffer.from(frame).readInt32BE(4);
        this.asked.push(correlationId);
        this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#now);
        try {
          const answer = await this.#reply(correlationId, frame);
          if (answer === undefined) return undefined;
          return [lengthPrefix(4 + totalBytes(answer)), frame.slice(4, 8), ...answer];
        } finally {
          this.#now--;
        }
      }),
    );
  }
}

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function start(service: FrameService<object>, options: Partial<ListenerOptions<object>> = {}): Promise<Listener> {
  const listener = await listenTcp({ host: "127.0.0.1", port: 0, service, clock: systemClock, ...options });
  open.push({ close: () => listener.close(0) });
  return listener;
}

async function connectTo(listener: Listener): Promise<RawConnection> {
  const connection = await RawConnection.open(listener.port);
  open.push(connection);
  return connection;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test("answers leave in the order of the requests, also where a later one is ready first", async () => {
  const service = new Service(async (id) => {
    await sleep(id % 4 === 0 ? 30 : 1);
    return id % 5 === 0 ? undefined : [];
  });
  const connection = await connectTo(await start(service));
  const ids = Array.from({ length: 40 }, (_, i) => i);
  connection.send(...ids.map((id) => request(id < 30 ? TOGETHER : 1, 0, id)));
  const answers = await connection.answers(32);
  expect(answers.map(correlationIdOf)).toEqual(ids.filter((id) => id % 5 !== 0));
  expect(service.mostAtOnce).toBe(4);
  expect(service.asked).toEqual(ids);
});

test("a request that fails closes the connection after the answers to those before it", async () => {
  const failures: unknown[] = [];
  const service = new Service(async (id) => {
    await sleep(20 - id);
    if (id === 2) throw new Error("no");
    return [];
  });
  const connection = await connectTo(await start(service, { onFailure: (error) => failures.push(error) }));
  connection.send(...[0, 1, 2, 3, 4].map((id) => request(TOGETHER, 0, id)));
  await connection.ended();
  expect(connection.frames.map(correlationIdOf)).toEqual([0, 1]);
  expect(failures).toEqual([new Error("no")]);
});

test("a request that fails after its sender's end closes the connection too", async () => {
  const service = new Service(async () => {
    await new Promise((resolve) => service.signals[0]?.addEventListener("abort", resolve));
    throw new Error("no");
  });
  const connection = await connectTo(await start(service));
  connection.send(request(1, 0, 0));
  await vi.waitFor(() => expect(service.signals).toHaveLength(1));
  connection.socket.end();
  await connection.ended();
});

test.each([
  ["HTTP", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
  ["TLS", Buffer.from("16030100c8010000c40303", "hex")],
  ["a negative length", lengthPrefix(-1)],
  ["a length that is too large", lengthPrefix(1001)],
  ["a frame without a header", Buffer.concat([lengthPrefix(3), Buffer.from("abc")])],
])("%s closes the connection, after what was asked before is answered; others go on", async (_name, bytes) => {
  const service = new Service(async () => {
    await sleep(5);
    return [];
  });
  const listener = await start(service, { limits: { frameBytes: 1000 } });
  const other = await connectTo(listener);
  const connection = await connectTo(listener);
  connection.send(request(1, 0, 7));
  connection.socket.write(bytes);
  await connection.ended();
  expect(connection.frames.map(correlationIdOf)).toEqual([7]);
  other.send(request(1, 0, 8));
  expect((await other.answers(1)).map(correlationIdOf)).toEqual([8]);
});

test("what was sent before the sender's end is done, and answered; waiting ends", async () => {
  const service = new Service();
  const listener = await start(service);
  const connection = await connectTo(listener);
  connection.send(...Array.from({ length: 100 }, (_, id) => request(1, 0, id)));
  connection.socket.end();
  await connection.ended();
  expect(connection.frames.map(correlationIdOf)).toEqual(Array.from({ length: 100 }, (_, id) => id));
  expect(service.signals[0]?.aborted).toBe(true);
  await vi.waitFor(() => expect(listener.connections).toBe(0));
  expect(listener.heldBytes).toBe(0);
});

test("a sender that does not read its answers is not read from, and holds no more than its share", async () => {
  const answer = new Uint8Array(100_000);
  const service = new Service(() => [answer]);
  const listener = await start(service, { limits: { aheadBytes: 10_000, outputBytes: 200_000 } });
  const connection = await connectTo(listener);
  connection.socket.pause();
  const big = new Uint8Array(5000);
  for (let id = 0; id < 2000; id++) connection.send(request(1, 0, id, big));
  // Until nothing moves: what both sockets hold is the kernel's.
  let before = -1;
  while (service.asked.length !== before) {
    before = service.asked.length;
    await sleep(100);
  }
  expect(service.asked.length).toBeLessThan(1000);
  expect(listener.heldBytes).toBeLessThan(10_000 + 65_536 + 200_000 + 2 * answer.byteLength);
  const other = await connectTo(listener);
  other.send(request(1, 0, 1));
  expect(await other.answers(1)).toHaveLength(1);
  connection.socket.resume();
  const answers = await connection.answers(2000);
  expect(answers.map(correlationIdOf)).toEqual(Array.from({ length: 2000 }, (_, id) => id));
});

test("one that takes nothing for too long is cut", async () => {
  const service = new Service(() => [new Uint8Array(20_000_000)]);
  const listener = await start(service, { limits: { stallMs: 300 } });
  const connection = await connectTo(listener);
  connection.socket.pause();
  connection.send(request(1, 0, 1));
  await vi.waitFor(() => expect(listener.connections).toBe(0), { timeout: 10_000 });
  expect(listener.heldBytes).toBe(0);
});

test("all connections together hold no more than the limit, and all are served in the end", async () => {
  let mostBytes = 0;
  const service = new Service(async () => {
    mostBytes = Math.max(mostBytes, listener.heldBytes);
    await sleep(1);
    return [];
  });
  const listener = await start(service, { limits: { inFlightBytes: 500_000 } });
  const connections = await Promise.all(Array.from({ length: 40 }, () => connectTo(listener)));
  const body = new Uint8Array(190_000);
  for (const connection of connections) for (let id = 0; id < 3; id++) connection.send(request(1, 0, id, body));
  for (const connection of connections) expect(await connection.answers(3)).toHaveLength(3);
  // The limit, a frame that may be completed, and what each may read of the next.
  expect(mostBytes).toBeLessThan(500_000 + 200_000 + 40 * 2 * 65_536);
});

test("senders that stop in the middle of large frames stop nobody else", async () => {
  const listener = await start(new Service(), { limits: { inFlightBytes: 2_000_000, frameMs: 500 } });
  const liars = await Promise.all(Array.from({ length: 20 }, () => connectTo(listener)));
  for (const liar of liars) {
    liar.socket.write(lengthPrefix(15_000_000));
    liar.socket.write(new Uint8Array(1_000_000));
  }
  const honest = await connectTo(listener);
  honest.send(request(1, 0, 3));
  expect((await honest.answers(1)).map(correlationIdOf)).toEqual([3]);
  // One at a time goes on, and is cut.
  await liars[0]?.ended();
  honest.send(request(1, 0, 4));
  expect(await honest.answers(2)).toHaveLength(2);
});

test("idle connections are closed after their time, others are not", async () => {
  const waiting = Promise.withResolvers<Answer>();
  const listener = await start(new Service(() => waiting.promise), { limits: { idleMs: 200 } });
  const busy = await connectTo(listener);
  busy.send(request(1, 0, 1));
  const idle = await connectTo(listener);
  await idle.ended();
  expect(busy.isEnded).toBe(false);
  waiting.resolve([]);
  expect(await busy.answers(1)).toHaveLength(1);
});

test("connections over the limit are closed as they come", async () => {
  const listener = await start(new Service(), { limits: { connections: 2 } });
  const [first] = [await connectTo(listener), await connectTo(listener)];
  const third = await connectTo(listener);
  await third.ended();
  first?.send(request(1, 0, 1));
  expect(await first?.answers(1)).toHaveLength(1);
});

test("the end: what was begun is answered, nothing new is, and waiting ends", async () => {
  const service = new Service(async (id) => {
    await Promise.race([
      sleep(id === 1 ? 50 : 10_000),
      new Promise((resolve) => service.signals[0]?.addEventListener("abort", resolve)),
    ]);
    return [];
  });
  const listener = await start(service);
  const connection = await connectTo(listener);
  const idle = await connectTo(listener);
  connection.send(request(1, 0, 2), request(1, 0, 3));
  await vi.waitFor(() => expect(service.asked).toEqual([2]));
  const closed = listener.close(5000);
  await Promise.all([connection.ended(), idle.ended()]);
  expect(connection.frames.map(correlationIdOf)).toEqual([2]);
  connection.close();
  idle.close();
  await closed;
  expect(service.asked).toEqual([2]);
});

test("the end does not wait for those who do not end", async () => {
  const listener = await start(new Service(() => new Promise(() => {})));
  const connection = await connectTo(listener);
  connection.send(request(1, 0, 2));
  await vi.waitFor(() => expect(listener.heldBytes).toBeGreaterThan(0));
  await listener.close(100);
  await connection.ended();
});

test("2,000 idle connections cost little, and one among them is served", async () => {
  const listener = await start(new Service());
  const before = process.memoryUsage().rss;
  const idle = await Promise.all(Array.from({ length: 2000 }, () => connectTo(listener)));
  await vi.waitFor(() => expect(listener.connections).toBe(2000), { timeout: 10_000 });
  // Both ends are in this process.
  expect((process.memoryUsage().rss - before) / idle.length).toBeLessThan(60_000);
  expect(listener.heldBytes).toBe(0);
  idle[1234]?.send(request(1, 0, 9));
  expect(await idle[1234]?.answers(1)).toHaveLength(1);
});

test("TLS: frames go through, and what is no TLS is cut", async () => {
  const listener = await start(new Service(), { tls: { cert: TEST_CERTIFICATE, key: TEST_KEY } });
  const plain = await connectTo(listener);
  plain.send(request(1, 0, 1));
  await plain.ended();
  expect(plain.frames).toEqual([]);
  const answer = await new Promise<Buffer>((resolve, reject) => {
    const socket = connectTls({ port: listener.port, host: "127.0.0.1", ca: TEST_CERTIFICATE }, () => {
      const frame = request(1, 0, 77);
      socket.write(Buffer.concat([lengthPrefix(frame.byteLength), frame]));
    });
    socket.once("data", (piece: Buffer) => {
      resolve(piece);
      socket.destroy();
    });
    socket.once("error", reject);
  });
  expect(answer).toEqual(Buffer.from([0, 0, 0, 4, 0, 0, 0, 77]));
});
