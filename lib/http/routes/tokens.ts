/** Tokens: made, listed, revoked. */
import * as z from "zod";
import type { Grant, Tokens } from "../../auth/index.ts";
import type { TokenSpec } from "../../auth/spec.ts";
import type { TokenInfo } from "../../auth/tokens.ts";
import { onCluster } from "../access.ts";
import { json, noContent } from "../call.ts";
import type { Exchange } from "../exchange.ts";
import { timestampSchema } from "../json/shapes.ts";
import { type Operation, operation } from "../operation.ts";
import { jsonBody } from "./topics.ts";

const TOKENS = "/v1/tokens";

const grantSchema = z.strictObject({
  resource: z.enum(["topic", "group", "cluster"]),
  name: z.string().optional().describe("one topic or group"),
  prefix: z.string().optional().describe('all topics or groups whose names begin so; "" is every one'),
  operations: z.array(z.enum(["read", "write", "admin"])),
});

const createSchema = z.strictObject({
  name: z.string().describe("for people"),
  grants: z.array(grantSchema),
  expires_at: timestampSchema.nullish(),
});

const tokenSchema = z.object({
  token_id: z.string(),
  name: z.string(),
  grants: z.array(grantSchema),
  created_at: z.string(),
  expires_at: z.string().nullable(),
});

const NOT_KEPT = { "cache-control": "no-store" };

/** The two ways to write a time, as milliseconds. */
function timeMs(time: number | string): number {
  return typeof time === "number" ? time : Date.parse(time);
}

function specOf({ name, grants, expires_at }: z.infer<typeof createSchema>): TokenSpec {
  return {
    name,
    // Undefined fields are absent ones: JSON has no others.
    grants: grants as Grant[],
    ...(expires_at === null || expires_at === undefined ? {} : { expiresAtMs: timeMs(expires_at) }),
  };
}

function resource({ id, name, grants, createdAtMs, expiresAtMs }: TokenInfo): z.infer<typeof tokenSchema> {
  return {
    token_id: id,
    name,
    grants: grants.map((grant) => ({ ...grant, operations: [...grant.operations] })),
    created_at: new Date(createdAtMs).toISOString(),
    expires_at: expiresAtMs === undefined ? null : new Date(expiresAtMs).toISOString(),
  };
}

/** There are these routes only where there is one. */
function tokensOf({ surface }: Exchange): Tokens {
  return surface.tokens as Tokens;
}

export function tokenOperations(): Operation[] {
  const access = onCluster("admin");
  return [
    operation({
      id: "createToken",
      method: "POST",
      path: TOKENS,
      tag: "tokens",
      summary: "Make a token; the answer shows it, this once",
      access,
      body: { "application/json": createSchema },
      responses: {
        201: { description: "made", content: { "application/json": tokenSchema.extend({ token: z.string() }) } },
      },
      async handle(exchange) {
        const { token, ...info } = await tokensOf(exchange).create(specOf(await jsonBody(exchange, createSchema)));
        return json({ ...resource(info), token }, 201, NOT_KEPT);
      },
    }),
    operation({
      id: "listTokens",
      method: "GET",
      path: TOKENS,
      tag: "tokens",
      summary: "All tokens, without their secrets; expired ones for 30 days more",
      access,
      responses: {
        200: { description: "the tokens", content: { "application/json": z.object({ tokens: z.array(tokenSchema) }) } },
      },
      async handle(exchange) {
        return json({ tokens: (await tokensOf(exchange).list()).map(resource) }, 200, NOT_KEPT);
      },
    }),
    operation({
      id: "revokeToken",
      method: "DELETE",
      path: `${TOKENS}/{token_id}`,
      tag: "tokens",
      summary: "Revoke a token: refused here at once, everywhere within 30 s",
      access,
      responses: { 204: { description: "revoked" } },
      async handle(exchange) {
        await tokensOf(exchange).revoke(exchange.param("token_id"));
        return noContent();
      },
    }),
  ];
}
