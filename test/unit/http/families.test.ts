/** Families of routes: what is read with the first call that is meant for it, and what becomes of calls meanwhile. */
import { beforeEach, describe, expect, test } from "vitest";
import { onCluster } from "../../../lib/http/access.ts";
import { json } from "../../../lib/http/call.ts";
import { Dispatcher } from "../../../lib/http/dispatch.ts";
import { EventCall, type HttpEvent } from "../../../lib/http/lambda/event.ts";
import { DEFAULT_LIMITS } from "../../../lib/http/limits.ts";
import { type Operation, operation } from "../../../lib/http/operation.ts";
import { allOperations, type Family, operationsOf } from "../../../lib/http/routes/index.ts";
import { createSurface, type Surface } from "../../../lib/http/surface.ts";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { createLog } from "../../../lib/log/index.ts";
import { localDoorbell } from "../../../lib/storage/local/doorbell.ts";
import { memoryStorage } from "../../../lib/storage/memory/index.ts";
import { systemClock as clock } from "../../../lib/storage/system/clock.ts";
import { systemIds } from "../../../lib/storage/system/ids.ts";

const REAL = operationsOf({
  limits: DEFAULT_LIMITS,
  version: "0",
  withMetrics: true,
  withKafka: true,
  withGroups: true,
  withShares: true,
  withLag: true,
  withTokens: true,
  upkeep: { jobs: ["roll"], run: async () => ({ left: false }) },
});

describe("the families of the API", () => {
  test("have their operations under their own paths, or no call would find them", async () => {
    for (const { under, load } of REAL.later) {
      for (const { path, id } of await load()) expect([id, path.startsWith(under)]).toEqual([id, true]);
    }
  });

  test("leave no path that two operations take: which one answers would depend on what was loaded first", async () => {
    const all = await allOperations(REAL);
    const pattern = ({ path }: Operation) => new RegExp(`^${path.replaceAll(".", "\\.").replace(/\{\w+\}/g, "([^/]+)")}$`);
    for (const one of all) {
      const path = one.path.replace(/\{\w+\}/g, "x");
      const takers = all.filter((other) => other.method === one.method && pattern(other).test(path));
      expect(takers.map(({ id }) => id)).toEqual([one.id]);
    }
  });
});

describe("a family", () => {
  const hello = operation({
    id: "hello",
    method: "GET",
    path: "/late/{name}",
    tag: "service",
    summary: "",
    access: onCluster("describe"),
    responses: {},
    handle: ({ params }) => json(params),
  });
  let surface: Surface;
  let internalErrors: unknown[];

  beforeEach(() => {
    const ids = systemIds(clock);
    internalErrors = [];
    surface = createSurface({
      log: createLog({ storage: memoryStorage({ clock }), clock, ids, codecs: nodeCodecs, doorbell: localDoorbell(clock) }),
      clock,
      ids,
      codecs: nodeCodecs,
      auth: "none",
      outlivesAnswer: false,
      ready: async () => {},
      onInternalError: (error) => internalErrors.push(error),
    });
  });

  function call(method: string, path: string): EventCall {
    const event: HttpEvent = { version: "2.0", rawPath: path, requestContext: { http: { method } } };
    return new EventCall(event, new AbortController().signal);
  }

  function loadedBy(load: Family["load"]): { dispatcher: Dispatcher; loads: () => number } {
    let loads = 0;
    const family: Family = {
      under: "/late/",
      load() {
        loads++;
        return load();
      },
    };
    return { dispatcher: new Dispatcher(surface, { first: [], later: [family] }), loads: () => loads };
  }

  test("is loaded once, with the first calls under its paths, and not for others", async () => {
    const { dispatcher, loads } = loadedBy(async () => [hello]);
    expect((await dispatcher.route(call("GET", "/elsewhere"))).status).toBe(404);
    expect(loads()).toBe(0);
    const replies = await Promise.all(["a", "b", "c"].map((name) => dispatcher.route(call("GET", `/late/${name}`))));
    expect(replies.map(({ body }) => body)).toEqual(['{"name":"a"}', '{"name":"b"}', '{"name":"c"}']);
    expect((await dispatcher.route(call("HEAD", "/late/d"))).status).toBe(200);
    expect(loads()).toBe(1);
  });

  test("says which methods it takes, though nobody called it before", async () => {
    const { dispatcher } = loadedBy(async () => [hello]);
    const reply = await dispatcher.route(call("DELETE", "/late/a"));
    expect([reply.status, reply.headers["allow"]]).toEqual([405, "GET, HEAD, OPTIONS"]);
  });

  test("that cannot be loaded is a 500, and tried again with the next call", async () => {
    let broken = true;
    const { dispatcher, loads } = loadedBy(async () => {
      if (broken) throw new Error("no such file");
      return [hello];
    });
    const replies = await Promise.all([dispatcher.route(call("GET", "/late/a")), dispatcher.route(call("GET", "/late/b"))]);
    expect(replies.map(({ status }) => status)).toEqual([500, 500]);
    expect(internalErrors.map(String)).toEqual(["Error: no such file", "Error: no such file"]);
    expect(loads()).toBe(1);
    broken = false;
    expect((await dispatcher.route(call("GET", "/late/a"))).status).toBe(200);
  });
});
