/**
 * The HTTP surface: one Hono app, for the local server and for Lambda alike. Over Node's server requests are read and
 * answered directly (`listener`), and the routes that producers call all day do without the router.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { type Context, Hono } from "hono";
import { type Call, plainPath, type Reply } from "./call.ts";
import { Dispatcher } from "./dispatch.ts";
import { FetchCall, toResponse } from "./fetch.ts";
import { NodeCall, sendReply } from "./node.ts";
import type { OpenApiDocument } from "./openapi.ts";
import { describeApi } from "./openapi.ts";
import type { Operation } from "./operation.ts";
import { allOperations } from "./routes/index.ts";
import { createSurface, type SurfaceParts } from "./surface.ts";

export interface HttpAppParts extends SurfaceParts {
  /** Of this program, for `/openapi.json`. */
  readonly version: string;
}

type Env = { Bindings: Partial<HttpBindings> };

export interface HttpApp {
  /** For `fetch`-like hosts: `hono.fetch(request)`. */
  readonly hono: Hono<Env>;
  /** For Node's HTTP server. */
  readonly listener: (incoming: IncomingMessage, outgoing: ServerResponse) => void;
  readonly describe: () => OpenApiDocument;
}

/** The operations that are found before the router is asked. */
const DIRECT: ReadonlySet<string> = new Set(["produceToPartition", "produceToTopic", "produceV3"]);

export function createHttpApp(parts: HttpAppParts): HttpApp {
  const surface = createSurface(parts);
  const operations = allOperations({
    limits: surface.limits,
    version: parts.version,
    withMetrics: surface.metricsText !== undefined,
  });
  const dispatcher = new Dispatcher(surface, operations);
  const direct = operations.filter(({ id }) => DIRECT.has(id));

  const serve = async (context: Context<Env>, reply: (call: Call) => Promise<Reply>): Promise<Response> => {
    const { incoming, outgoing } = (context.env ?? {}) as Partial<HttpBindings>;
    if (incoming === undefined || outgoing === undefined) return toResponse(await reply(new FetchCall(context.req.raw)));
    const message = incoming as IncomingMessage;
    const response = outgoing as ServerResponse;
    const call = new NodeCall(message, response, surface.limits, context.req.path);
    await sendReply(await reply(call), message, response);
    return RESPONSE_ALREADY_SENT;
  };

  const hono = new Hono<Env>({ getPath: (request) => plainPath(new URL(request.url).pathname) });
  for (const operation of operations) {
    hono.on(operation.method, operation.path.replace(/\{(\w+)\}/g, ":$1"), (context) =>
      serve(context, (call) => dispatcher.dispatch(operation, call, dispatcher.match(operation, call.path) ?? {})),
    );
  }
  hono.notFound((context) => serve(context, (call) => dispatcher.dispatchOther(call)));

  const throughHono = getRequestListener(hono.fetch, { overrideGlobalObjects: false });
  return {
    hono,
    describe: () => describeApi(operations, parts.version),
    listener(incoming, outgoing) {
      if (incoming.method === "POST") {
        const call = new NodeCall(incoming, outgoing, surface.limits);
        for (const operation of direct as readonly Operation[]) {
          const params = dispatcher.match(operation, call.path);
          if (params === undefined) continue;
          dispatcher
            .dispatch(operation, call, params)
            .then((reply) => sendReply(reply, incoming, outgoing))
            .catch((error: unknown) => {
              surface.onInternalError(error, `${call.method} ${call.path}`);
              outgoing.destroy();
            });
          return;
        }
      }
      void throughHono(incoming, outgoing);
    },
  };
}
