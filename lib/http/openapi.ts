/** The OpenAPI 3.1 description, made from the very schemas that check the requests. */
import * as z from "zod";
import { describeAccess } from "./access.ts";
import { HTTP_ERRORS } from "./errors.ts";
import type { Operation, ResponseSpec } from "./operation.ts";

export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: Readonly<Record<string, unknown>>;
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly components: Readonly<Record<string, unknown>>;
}

const errorSchema = z.object({
  error_code: z.int().describe("Confluent's code"),
  message: z.string().describe("one line, with the field, the value and the limit"),
  code: z.enum(Object.keys(HTTP_ERRORS) as [string, ...string[]]).describe("one word for programs; never changes meaning"),
  outcome: z.enum(["not_applied", "applied", "unknown"]).describe("what became of the request"),
  field: z.string().optional().describe("the field that is wrong"),
  details: z.record(z.string(), z.unknown()).optional(),
});

export async function describeApi(operations: () => Promise<readonly Operation[]>, version: string): Promise<OpenApiDocument> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const one of await operations()) {
    paths[one.path] ??= {};
    (paths[one.path] as Record<string, unknown>)[one.method.toLowerCase()] = describeOperation(one);
  }
  return {
    openapi: "3.1.0",
    info: { title: "Brokerless", version, description: "Kafka's log without the brokers, over HTTP." },
    paths,
    components: {
      schemas: { Error: schema(errorSchema, "output") },
      securitySchemes: { token: { type: "http", scheme: "bearer", description: "docs/security.md" } },
    },
  };
}

function describeOperation(one: Operation): Record<string, unknown> {
  const parameters = [...pathParameters(one.path), ...queryParameters(one), ...headerParameters(one)];
  return {
    operationId: one.id,
    summary: one.summary,
    description: describeAccess(one.access),
    // Where nobody is asked for a token, none is needed: so `{}` stands beside it.
    security: one.access === "open" ? [] : [{ token: [] }, {}],
    tags: [one.tag],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(one.body === undefined
      ? {}
      : { requestBody: { required: one.bodyOptional !== true, content: content(one.body, "input") } }),
    responses: {
      ...Object.fromEntries(Object.entries(one.responses).map(([status, spec]) => [status, describeResponse(spec)])),
      default: {
        description: "an error; see docs/errors.md",
        content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
      },
    },
  };
}

function describeResponse(spec: ResponseSpec): Record<string, unknown> {
  return {
    description: spec.description,
    ...(spec.headers === undefined
      ? {}
      : {
          headers: Object.fromEntries(
            Object.entries(spec.headers).map(([name, description]) => [name, { description, schema: { type: "string" } }]),
          ),
        }),
    ...(spec.content === undefined ? {} : { content: content(spec.content, "output") }),
  };
}

function content(types: Readonly<Record<string, z.ZodType | "binary">>, io: "input" | "output"): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(types).map(([type, one]) => [type, one === "binary" ? {} : { schema: schema(one, io) }]),
  );
}

function pathParameters(path: string): Record<string, unknown>[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => {
    const isNumber = name === "partition" || name === "partition_id" || name === "offset";
    return { name, in: "path", required: true, schema: isNumber ? { type: "integer", minimum: 0 } : { type: "string" } };
  });
}

/** As values, not as the text that carries them. */
function queryParameters(one: Operation): Record<string, unknown>[] {
  if (one.query === undefined) return [];
  const { properties = {} } = schema(one.query, "output") as { properties?: Record<string, { description?: string }> };
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: "query",
    required: false,
    ...(description === undefined ? {} : { description }),
    schema: rest,
  }));
}

function headerParameters(one: Operation): Record<string, unknown>[] {
  return Object.entries(one.headers ?? {}).map(([name, description]) => ({
    name,
    in: "header",
    required: false,
    description,
    schema: { type: "string" },
  }));
}

function schema(type: z.ZodType, io: "input" | "output"): Record<string, unknown> {
  const { $schema: _, ...rest } = z.toJSONSchema(type, { io, unrepresentable: "any", reused: "inline" });
  return rest;
}
