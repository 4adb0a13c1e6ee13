/** The exchange itself, with a server of this process on the loopback address. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { afterEach, expect, test } from "vitest";
import { AwsHttp, NoReplyInTime, NotSent } from "../../../../lib/storage/aws/http.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "./certificate.ts";
import { manualClock } from "./support.ts";

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

async function listen(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ port: number; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ keepAliveTimeout: 60_000 }, answer);
  server.on("connection", (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

function client(clock = manualClock()) {
  const dates: (string | undefined)[] = [];
  const http = new AwsHttp({ clock, maxSockets: 8, requestTimeoutMs: 5000, onReply: ({ date }) => dates.push(date) });
  open.push(() => http.destroy());
  return { http, dates };
}

function request(port: number, more: object = {}) {
  return { protocol: "http:", hostname: "127.0.0.1", port, method: "POST", path: "/", headers: {}, body: "body", ...more };
}

async function text(body: IncomingMessage): Promise<string> {
  let all = "";
  for await (const chunk of body.setEncoding("utf8")) all += chunk;
  return all;
}

test("a request has its path, query, headers and body, and the reply its status, headers and body", async () => {
  const { port } = await listen((req, res) => {
    void text(req).then((body) => {
      res.writeHead(201, { "x-seen": `${req.method} ${req.url} ${req.headers["x-a"]}` }).end(`got ${body}`);
    });
  });
  const { http, dates } = client();
  const query = { "list-type": "2", prefix: "a b/'(x)*!", uploads: null, many: ["1", "2"] };
  const { response } = await http.handle(request(port, { path: "/b/k", query, headers: { "x-a": "1" } }));
  expect(response.statusCode).toBe(201);
  expect(response.headers["x-seen"]).toBe("POST /b/k?list-type=2&prefix=a%20b%2F%27%28x%29%2A%21&uploads&many=1&many=2 1");
  expect(await text(response.body)).toBe("got body");
  expect(Date.parse(dates[0] ?? "")).toBeGreaterThan(0);
});

test("where nothing listens, nothing was sent", async () => {
  const { port } = await listen(() => {});
  for (const close of open.splice(0)) close();
  const progress = { sent: false };
  const error = await client()
    .http.handle(request(port), { progress })
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(NotSent);
  expect((error as NotSent).cause).toMatchObject({ code: "ECONNREFUSED" });
  expect(progress.sent).toBe(false);
});

test("a TLS handshake that fails has sent nothing of the request", async () => {
  const server = createTcpServer((socket) => socket.once("data", () => socket.destroy()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push(() => server.close());
  const progress = { sent: false };
  const { port } = server.address() as AddressInfo;
  const run = client().http.handle(request(port, { protocol: "https:" }), { progress });
  await expect(run).rejects.toBeInstanceOf(NotSent);
  expect(progress.sent).toBe(false);
});

test("over TLS too, a request counts as sent from when the connection is there", async () => {
  const trusted = getCACertificates("default");
  setDefaultCACertificates([...trusted, TEST_CERTIFICATE]);
  open.push(() => setDefaultCACertificates(trusted));
  let cut = false;
  const server = createTlsServer({ key: TEST_KEY, cert: TEST_CERTIFICATE }, (req, res) =>
    cut ? req.socket.destroy() : res.end("ok"),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { http } = client();
  const send = async (): Promise<[outcome: unknown, sent: boolean]> => {
    const progress = { sent: false };
    const run = http.handle(request(port, { protocol: "https:" }), { progress }).then(({ response }) => text(response.body));
    const outcome = await run.catch((error: unknown) => (error instanceof NotSent ? "not sent" : "cut"));
    return [outcome, progress.sent];
  };
  expect(await send()).toEqual(["ok", true]);
  cut = true;
  // On a connection that is used again, then on a new one.
  expect(await send()).toEqual(["cut", true]);
  expect(await send()).toEqual(["cut", true]);
});

test("a connection that is cut before the answer leaves it open", async () => {
  const { port } = await listen((req) => req.socket.destroy());
  const progress = { sent: false };
  const error = await client()
    .http.handle(request(port), { progress })
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(Error);
  expect(error).not.toBeInstanceOf(NotSent);
  expect(progress.sent).toBe(true);
});

test("no answer in time is an error of its own, and closes the connection", async () => {
  const { port, sockets } = await listen(() => {});
  const progress = { sent: false };
  const run = client().http.handle(request(port), { requestTimeout: 60, progress });
  await expect(run).rejects.toBeInstanceOf(NoReplyInTime);
  expect(progress.sent).toBe(true);
  const [socket] = sockets;
  if (socket?.destroyed === false) await new Promise((resolve) => socket.once("close", resolve));
});

test("a body that stops half way is an error too, within the same time", async () => {
  const { port } = await listen((_, res) => {
    res.writeHead(200, { "content-length": "10" }).write("half");
  });
  const { response } = await client().http.handle(request(port), { requestTimeout: 80 });
  await expect(text(response.body)).rejects.toBeInstanceOf(NoReplyInTime);
});

test("connections are used again, one after the other", async () => {
  const { port, sockets } = await listen((_, res) => res.end("ok"));
  const { http } = client();
  for (let i = 0; i < 5; i++) expect(await text((await http.handle(request(port))).response.body)).toBe("ok");
  expect(sockets.size).toBe(1);
});

test("a connection that was idle for long, by the wall clock, is not used again", async () => {
  const { port, sockets } = await listen((_, res) => res.end("ok"));
  const clock = manualClock();
  const { http } = client(clock);
  for (const idleMs of [0, 3000, 5000]) {
    clock.pass(idleMs);
    await text((await http.handle(request(port))).response.body);
    // The connection goes back to the pool after this turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(sockets.size).toBe(2);
});

test("of several connections each has its own age: the busy one does not keep the others young", async () => {
  const { port, sockets } = await listen((_, res) => res.end("ok"));
  const clock = manualClock();
  const { http } = client(clock);
  const ask = async (many: number): Promise<void> => {
    const answers = Array.from({ length: many }, async () => text((await http.handle(request(port))).response.body));
    await Promise.all(answers);
    await new Promise((resolve) => setImmediate(resolve));
  };
  await ask(2);
  expect(sockets.size).toBe(2);
  clock.pass(3000);
  await ask(1);
  clock.pass(3000);
  // One was idle for 3 s, the other for 6.
  await ask(2);
  expect(sockets.size).toBe(3);
});
