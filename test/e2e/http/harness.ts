/** A real server over a real log over the memory storage, and the few words that the tests say to it. */
import { connect } from "node:net";
import { Tokens } from "../../../lib/auth/index.ts";
import { createGroups } from "../../../lib/groups/groups.ts";
import { createShareGroups } from "../../../lib/groups/share/share.ts";
import type { GroupsApi } from "../../../lib/groups/types.ts";
import type { HttpApp } from "../../../lib/http/app.ts";
import { createHttpApp, type Limits } from "../../../lib/http/index.ts";
import { apiHandler } from "../../../lib/http/lambda/handler.ts";
import type { KafkaFrames } from "../../../lib/http/surface.ts";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { encodeBatch, type RecordInput } from "../../../lib/kafka/index.ts";
import { createLag } from "../../../lib/lag/lag.ts";
import { reportLag } from "../../../lib/lag/reporter.ts";
import { LAG_SETTINGS, type LagSettings } from "../../../lib/lag/settings.ts";
import { createLog, type LogApi } from "../../../lib/log/index.ts";
import type { Clock, Storage } from "../../../lib/ports/index.ts";
import { listen, stopListening } from "../../../lib/server/listen.ts";
import { ProcessMetrics } from "../../../lib/server/metrics.ts";
import { localDoorbell } from "../../../lib/storage/local/doorbell.ts";
import { memoryStorage } from "../../../lib/storage/memory/index.ts";
import { systemClock } from "../../../lib/storage/system/clock.ts";
import { systemIds } from "../../../lib/storage/system/ids.ts";

/** What a server answered, before anything is known of it. */
// biome-ignore lint/suspicious/noExplicitAny: its shape is what the tests judge
export type Answer = any;

export interface TestServer {
  readonly url: string;
  readonly port: number;
  readonly clusterId: string;
  readonly log: LogApi;
  readonly tokens: Tokens;
  readonly metrics: ProcessMetrics;
  readonly internalErrors: unknown[];
  /** As if called by Lambda: no server between. */
  readonly lambda: (path: string, init?: RequestInit) => Promise<Response>;
  readonly v3: string;
  readonly stopping: AbortController;
  readonly groups: GroupsApi;
  readonly storage: Storage;
  /** A run of the reporter. */
  readonly lookAtLag: () => Promise<unknown>;
  close(): Promise<void>;
}

export interface TestServerOptions {
  readonly limits?: Partial<Limits>;
  readonly cors?: readonly string[];
  /** Default: nobody is asked for a token. */
  readonly auth?: "token";
  readonly clock?: Clock;
  readonly outlivesAnswer?: boolean;
  /** Of another process, which closes it. */
  readonly storage?: Storage;
  readonly lagSettings?: LagSettings;
  readonly kafka?: KafkaFrames;
  /** Stands before the log. */
  readonly wrap?: (log: LogApi) => LogApi;
  readonly ready?: () => Promise<void>;
}

export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const clock = options.clock ?? systemClock;
  const ids = systemIds(clock);
  const metrics = new ProcessMetrics();
  const storage = options.storage ?? memoryStorage({ clock });
  const doorbell = localDoorbell(clock);
  const tokens = new Tokens({ table: storage.table, clock, ids });
  const real = createLog({ storage, clock, ids, metrics, codecs: nodeCodecs, doorbell });
  const log = options.wrap === undefined ? real : options.wrap(real);
  const internalErrors: unknown[] = [];
  const stopping = new AbortController();
  const groups = createGroups({ storage, log, clock, ids, doorbell }, { initialDelayMs: 0 });
  const lagParts = { storage, log, clock, ids, codecs: nodeCodecs, settings: options.lagSettings ?? LAG_SETTINGS };
  const shares = createShareGroups({ storage, log, clock, ids, doorbell, codecs: nodeCodecs });
  const lag = createLag({ ...lagParts, groups });
  const app = createHttpApp({
    log,
    groups: async () => groups,
    shares: async () => shares,
    lag: async () => lag,
    clock,
    ids,
    codecs: nodeCodecs,
    metrics,
    metricsText: () => metrics.text(),
    tokens,
    auth: options.auth ?? "none",
    cors: options.cors ?? [],
    limits: options.limits ?? {},
    outlivesAnswer: options.outlivesAnswer ?? true,
    ...(options.kafka === undefined ? {} : { kafka: options.kafka }),
    ready: options.ready ?? (async () => {}),
    stopping: stopping.signal,
    version: "0.0.0-test",
    onInternalError: (error) => internalErrors.push(error),
  });
  const { server, port } = await listen({
    address: { host: "127.0.0.1", port: 0 },
    listener: app.listener,
    maxBodyBytes: options.limits?.bodyBytes ?? 16 * 1024 * 1024,
    anyHost: false,
  });
  const url = `http://127.0.0.1:${port}`;
  const clusterId = await log.clusterId();
  return {
    url,
    port,
    clusterId,
    log,
    tokens,
    metrics,
    internalErrors,
    stopping,
    groups,
    storage,
    lookAtLag: () => reportLag(lagParts, { untilMs: clock.monotonicMs() + 60_000 }),
    lambda: (path, init) => throughLambda(app, path, init),
    v3: `${url}/v3/clusters/${clusterId}`,
    async close() {
      stopping.abort();
      await stopListening(server, 1000);
      await log.close();
      if (options.storage === undefined) await storage.close();
    },
  };
}

async function throughLambda(app: HttpApp, path: string, init: RequestInit = {}): Promise<Response> {
  const request = new Request(`https://api.example.com${path}`, init);
  const { pathname, search, host } = new URL(request.url);
  const handle = apiHandler({ dispatch: app.dispatch, clock: systemClock, line: () => {} });
  const answer = await handle(
    {
      version: "2.0",
      rawPath: pathname,
      rawQueryString: search.slice(1),
      headers: Object.fromEntries(request.headers),
      body: Buffer.from(await request.arrayBuffer()).toString("base64"),
      isBase64Encoded: true,
      requestContext: { domainName: host, stage: "$default", http: { method: request.method } },
    },
    { awsRequestId: "r", getRemainingTimeInMillis: () => 29_000 },
  );
  const body = answer.body === "" ? null : Buffer.from(answer.body, "base64");
  return new Response(body, { status: answer.statusCode, headers: answer.headers });
}

/** A JSON body to send. */
export function jsonInit(body: unknown, init: RequestInit & { headers?: Record<string, string> } = {}): RequestInit {
  return {
    method: "POST",
    ...init,
    headers: { "content-type": "application/json", ...init.headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  };
}

export function batch(
  records: readonly (string | RecordInput)[],
  options: Partial<Parameters<typeof encodeBatch>[1]> = {},
): Uint8Array {
  const inputs = records.map((record) => (typeof record === "string" ? { key: null, value: Buffer.from(record) } : record));
  return encodeBatch(inputs, { timestampMs: 1_700_000_000_000, codecs: nodeCodecs, ...options });
}

export function rawInit(bytes: Uint8Array, headers: Record<string, string> = {}): RequestInit {
  return {
    method: "POST",
    headers: { "content-type": "application/vnd.kafka.recordbatch.v2", ...headers },
    body: bytes as Uint8Array<ArrayBuffer>,
  };
}

/** What comes back for bytes on a bare connection, until the server closes it or the text holds `until`. */
export function speak(
  port: number,
  send: readonly (string | Uint8Array | number)[],
  { until, timeoutMs = 5000 }: { until?: string | RegExp; timeoutMs?: number } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no end after ${timeoutMs} ms; so far: ${text}`));
    }, timeoutMs);
    const done = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(text);
    };
    socket.on("data", (data) => {
      text += data.toString("latin1");
      if (until !== undefined && (typeof until === "string" ? text.includes(until) : until.test(text))) done();
    });
    socket.on("close", done);
    socket.on("error", () => {});
    socket.on("connect", async () => {
      for (const piece of send) {
        // A number is a pause; a negative one hangs up after it.
        if (typeof piece === "number") {
          await new Promise((go) => setTimeout(go, Math.abs(piece)));
          if (piece < 0) socket.destroy();
        } else socket.write(piece);
      }
    });
  });
}

export async function createTopic(
  server: TestServer,
  name: string,
  partitions = 1,
  configs: Record<string, string> = {},
): Promise<void> {
  await server.log.createTopic({ name, partitions, configs });
}

/** The answer to a request: JSON where there is a body. */
export async function ask(url: string, init?: RequestInit): Promise<{ status: number; body: Answer; headers: Headers }> {
  const response = await fetch(url, init);
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json") === true && text !== "";
  return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
}

/** All records of a partition, as JSON. */
export async function readAll(server: TestServer, topic: string, partition = 0): Promise<Answer[]> {
  return (await ask(`${server.url}/topics/${topic}/partitions/${partition}/records?stream=true`)).body.records;
}

export function valuesOf(records: readonly Answer[]): unknown[] {
  return records.map((record) => record.value?.data ?? null);
}
