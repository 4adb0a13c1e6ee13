/**
 * The HTTP surface: one app, for the local server and for Lambda alike. Whatever carries a request makes a `Call` of it,
 * and sends the `Reply`: there is no layer between.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Call, Reply } from "./call.ts";
import { Dispatcher } from "./dispatch.ts";
import { NodeCall, sendReply } from "./node.ts";
import { operationsOf } from "./routes/index.ts";
import { createSurface, type SurfaceParts } from "./surface.ts";

export interface HttpAppParts extends SurfaceParts {
  /** Of this program, for `/openapi.json`. */
  readonly version: string;
}

export interface HttpApp {
  /** Answers one call; errors are replies. Rejects only for a bug of its own. */
  readonly dispatch: (call: Call) => Promise<Reply>;
  /** For Node's HTTP server. */
  readonly listener: (incoming: IncomingMessage, outgoing: ServerResponse) => void;
}

export function createHttpApp(parts: HttpAppParts): HttpApp {
  const surface = createSurface(parts);
  const operations = operationsOf({
    limits: surface.limits,
    version: parts.version,
    withMetrics: surface.metricsText !== undefined,
    withTokens: parts.tokens !== undefined,
    withKafka: surface.kafka !== undefined,
    withGroups: surface.groups !== undefined,
    withShares: surface.shares !== undefined,
    withLag: surface.lag !== undefined,
    upkeep: parts.upkeep,
  });
  const dispatcher = new Dispatcher(surface, operations);
  return {
    dispatch: (call) => dispatcher.route(call),
    listener(incoming, outgoing) {
      const call = new NodeCall(incoming, outgoing, surface.limits);
      dispatcher
        .route(call)
        .then((reply) => sendReply(reply, incoming, outgoing))
        .catch((error: unknown) => {
          surface.onInternalError(error, `${call.method} ${call.path}`);
          outgoing.destroy();
        });
    },
  };
}
