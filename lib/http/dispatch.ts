/** From a call to its reply: checks that hold for every route, the route, and how errors are told. */
import * as z from "zod";
import { ANYONE } from "../auth/index.ts";
import { BrokerlessError } from "../base/errors.ts";
import { checkAccess, principalOf, whileValid } from "./access.ts";
import type { Call, Reply } from "./call.ts";
import { compressReply } from "./compress.ts";
import { addCors, checkOrigin, optionsReply } from "./cors.ts";
import { asBrokerlessError, errorReply } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import { formatCount } from "./limits.ts";
import type { Operation } from "./operation.ts";
import { parseQuery } from "./query.ts";
import type { Family, Operations } from "./routes/index.ts";
import type { Surface } from "./surface.ts";

type Params = Readonly<Record<string, string>>;

const NO_QUERY = z.strictObject({});

/** An unread body larger than this is not worth reading only to keep the connection. */
const DRAIN_BYTES = 64 * 1024;

interface Route {
  readonly operation: Operation;
  readonly pattern: RegExp;
  readonly names: readonly string[];
  readonly query: z.ZodObject;
  /** What the query is when there is none. */
  readonly noQuery: Record<string, unknown>;
}

export class Dispatcher {
  readonly #surface: Surface;
  readonly #byMethod = new Map<string, Route[]>();
  /** Not loaded yet, with what loads them now. */
  readonly #later = new Map<Family, Promise<void> | undefined>();
  readonly #labels = new Map<string, Readonly<Record<string, string>>>();

  constructor(surface: Surface, { first, later }: Operations) {
    this.#surface = surface;
    this.#add(first);
    for (const family of later) this.#later.set(family, undefined);
  }

  /** Answers a call. HEAD is a GET whose body the carrier leaves out. */
  route(call: Call): Promise<Reply> {
    for (const route of this.#byMethod.get(call.method === "HEAD" ? "GET" : call.method) ?? []) {
      const params = match(route, call.path);
      if (params !== undefined) return this.#dispatch(route, call, params);
    }
    const meant = [...this.#later.keys()].filter(({ under }) => call.path.startsWith(under));
    return meant.length === 0 ? this.#dispatchOther(call) : this.#routeLater(call, meant);
  }

  /** Loads the families that a call may be meant for, and answers it. */
  async #routeLater(call: Call, families: readonly Family[]): Promise<Reply> {
    const startedMs = this.#surface.clock.monotonicMs();
    try {
      await Promise.all(families.map((family) => this.#load(family)));
    } catch (error) {
      return this.#finished(call, "other", this.#failure(call, error), startedMs);
    }
    return this.route(call);
  }

  #load(family: Family): Promise<void> {
    let loading = this.#later.get(family);
    if (loading === undefined) {
      loading = family.load().then(
        (operations) => {
          this.#add(operations);
          this.#later.delete(family);
        },
        (error: unknown) => {
          this.#later.set(family, undefined);
          throw error;
        },
      );
      this.#later.set(family, loading);
    }
    return loading;
  }

  #add(operations: readonly Operation[]): void {
    for (const operation of operations) {
      const { method } = operation;
      this.#byMethod.set(method, [...(this.#byMethod.get(method) ?? []), compile(operation)]);
    }
  }

  async #dispatch({ operation, query, noQuery }: Route, call: Call, params: Params): Promise<Reply> {
    const surface = this.#surface;
    const startedMs = surface.clock.monotonicMs();
    let exchange: Exchange<Record<string, unknown>> | undefined;
    let reply: Reply;
    try {
      if (surface.stopping.aborted) throw new BrokerlessError("shutting_down", "the server is stopping", { retryAfterMs: 1000 });
      checkOrigin(call, surface.cors);
      this.#checkUrl(call);
      const { access } = operation;
      let principal = ANYONE;
      if (access !== "open") {
        const found = principalOf(call, surface.guard);
        principal = found instanceof Promise ? await found : found;
        checkAccess(access, principal, params);
      }
      const values = call.search === "" ? noQuery : parseQuery(query, call.search);
      exchange = new Exchange(surface, call, params, values, principal);
      reply = await operation.handle(exchange);
      if (access !== "open") reply = whileValid(reply, call, surface.guard, surface.clock);
      if (reply.compressible) reply = await compressReply(call, reply);
    } catch (error) {
      reply = this.#failure(call, error);
    } finally {
      exchange?.finish();
    }
    return this.#finished(call, operation.id, reply, startedMs);
  }

  /** Answers what is not a route's: OPTIONS, a wrong method, an unknown path. */
  async #dispatchOther(call: Call): Promise<Reply> {
    const startedMs = this.#surface.clock.monotonicMs();
    let reply: Reply;
    try {
      this.#checkUrl(call);
      const methods = this.#methodsOf(call.path);
      if (methods.length === 0) {
        throw new BrokerlessError(
          "not_found",
          `there is nothing at ${call.method} ${call.path.slice(0, 200)}; /openapi.json lists what there is`,
        );
      }
      if (call.method === "OPTIONS") reply = optionsReply(call, methods, this.#surface.cors);
      else {
        const failed = new BrokerlessError("method_not_allowed", `${call.method} does not go here; ${methods.join(", ")} do`);
        reply = errorReply(failed);
        reply.headers["allow"] = methods.join(", ");
      }
    } catch (error) {
      reply = this.#failure(call, error);
    }
    return this.#finished(call, "other", reply, startedMs);
  }

  #methodsOf(path: string): string[] {
    const methods = new Set<string>();
    for (const { pattern, operation } of [...this.#byMethod.values()].flat()) {
      if (!pattern.test(path)) continue;
      methods.add(operation.method);
      if (operation.method === "GET") methods.add("HEAD");
    }
    if (methods.size > 0) methods.add("OPTIONS");
    return [...methods];
  }

  #checkUrl(call: Call): void {
    const { urlBytes } = this.#surface.limits;
    const length = call.path.length + call.search.length;
    if (length > urlBytes) throw new UrlTooLong(length, urlBytes);
  }

  #failure(call: Call, error: unknown): Reply {
    if (!(error instanceof BrokerlessError)) this.#surface.onInternalError(error, `${call.method} ${call.path}`);
    const reply = errorReply(asBrokerlessError(error), error instanceof UrlTooLong ? 414 : undefined);
    const keep = call.contentLength !== undefined && call.contentLength <= DRAIN_BYTES;
    return keep ? reply : { ...reply, close: true };
  }

  #finished(call: Call, operation: string, reply: Reply, startedMs: number): Reply {
    const { cors, metrics, clock, stopping } = this.#surface;
    addCors(call, reply.headers, cors);
    if (call.method === "GET") reply.headers["x-content-type-options"] = "nosniff";
    if (stopping.aborted) reply.headers["connection"] = "close";
    const labels = this.#labelsOf(operation, reply.status);
    metrics.count("http_requests_total", 1, labels);
    metrics.observe("http_request_duration_ms", clock.monotonicMs() - startedMs, labels);
    return reply;
  }

  #labelsOf(operation: string, status: number): Readonly<Record<string, string>> {
    const name = `${operation} ${status}`;
    let labels = this.#labels.get(name);
    if (labels === undefined) {
      labels = { operation, status: String(status) };
      this.#labels.set(name, labels);
    }
    return labels;
  }
}

class UrlTooLong extends BrokerlessError {
  constructor(length: number, limit: number) {
    super("request_too_large", `the URL is ${formatCount(length)} bytes; it takes at most ${formatCount(limit)}`, {
      field: "url",
    });
  }
}

function compile(operation: Operation): Route {
  const names: string[] = [];
  const source = operation.path.replace(/[.]/g, "\\.").replace(/\{(\w+)\}/g, (_, name: string) => {
    names.push(name);
    return "([^/]+)";
  });
  const query = operation.query ?? NO_QUERY;
  const none = query.safeParse({});
  return { operation, names, pattern: new RegExp(`^${source}$`), query, noQuery: none.success ? none.data : {} };
}

/** The parts of a path as this route has them; undefined when it is another's. */
function match({ pattern, names }: Route, path: string): Params | undefined {
  const found = pattern.exec(path);
  if (found === null) return undefined;
  const params: Record<string, string> = {};
  for (let i = 0; i < names.length; i++) params[names[i] as string] = decoded(found[i + 1] as string);
  return params;
}

function decoded(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
