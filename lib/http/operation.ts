/**
 * A route as data: what the router, the checks and `/openapi.json` are all made of. A file of `routes/` is a family of them, and
 * `routes/index.ts` says which are there from the start and which are read with the first call under their paths.
 */
import type * as z from "zod";
import type { Access } from "./access.ts";
import type { Reply } from "./call.ts";
import type { Exchange } from "./exchange.ts";

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface ResponseSpec {
  readonly description: string;
  /** By media type; a schema, or `binary`. */
  readonly content?: Readonly<Record<string, z.ZodType | "binary">>;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface OperationSpec<Q extends z.ZodObject> {
  /** Unique; what generated clients call it. */
  readonly id: string;
  readonly method: Method;
  /** With parameters as in OpenAPI: `/topics/{topic}`. */
  readonly path: string;
  readonly tag: "clusters" | "topics" | "produce" | "consume" | "groups" | "events" | "kafka" | "tokens" | "service";
  readonly summary: string;
  /** The right that it needs, asked for before it is called. */
  readonly access: Access;
  readonly query?: Q;
  /** Request headers that mean something: name to description. */
  readonly headers?: Readonly<Record<string, string>>;
  /** By media type. */
  readonly body?: Readonly<Record<string, z.ZodType | "binary">>;
  /** May the body be left out? */
  readonly bodyOptional?: boolean;
  readonly responses: Readonly<Record<number, ResponseSpec>>;
  readonly handle: (exchange: Exchange<z.infer<Q>>) => Reply | Promise<Reply>;
}

/** An operation whose query type is known to it alone. */
export type Operation = OperationSpec<z.ZodObject>;

export function operation<Q extends z.ZodObject>(spec: OperationSpec<Q>): Operation {
  return spec as unknown as Operation;
}
